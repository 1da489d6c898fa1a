// SPDX-License-Identifier: Apache-2.0
#include "engine/attached.h"

#include <fcntl.h>

#include <csignal>

#include "engine/attach.h"
#include "engine/detach_keys.h"
#include "engine/record.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

// The monitor is gone without a word. What it wrote before tells the exit; otherwise it was killed, and the
// container with it.
int exit_code_after_loss(int summary_fd) {
  if (summary_fd < 0) return killed_exit_code;
  const auto record = parse_status(status_line(sys::read_all(summary_fd, "the container's summary")));
  return record && record->finished_ns >= record->started_ns && record->started_ns != 0 ? record->exit_code
                                                                                        : killed_exit_code;
}

}  // namespace

std::optional<int> stay_attached(const Engine& engine, const ContainerConfig& config, sys::UniqueFd client,
                                 const AttachedStreams& options) {
  // Opened before the end: with --rm the record is gone by then.
  const sys::UniqueFd summary =
      sys::find_at(AT_FDCWD, engine.containers().path(config.id) + "/summary", O_RDONLY);
  const sys::UniqueFd init =
      options.signal_proxy ? sys::open_process(engine.status(config.id).init) : sys::UniqueFd();
  AttachRequest request;
  request.socket = std::move(client);
  request.run_directory = engine.run_directory(config.id);
  request.input_fd = options.streams.input ? 0 : -1;
  request.output_fd = options.streams.output ? 1 : -1;
  request.error_fd = options.streams.error ? 2 : -1;
  request.terminal = config.terminal;
  if (config.terminal) request.detach_sequence = parse_detach_keys(options.detach_keys);
  request.init_pid_fd = init.get();
  const AttachResult result = attach(std::move(request));
  switch (result.end) {
    case AttachResult::End::exited:
      return result.exit_code;
    case AttachResult::End::monitor_lost:
      return exit_code_after_loss(summary.get());
    case AttachResult::End::detached:
      return std::nullopt;
    case AttachResult::End::output_closed:
      return 128 + SIGPIPE;
  }
  return std::nullopt;
}

std::optional<int> attach(const Engine& engine, const std::string& id, const AttachOptions& options) {
  const ContainerConfig config = engine.load_config(id);
  const State state = engine.status(id).state;
  if (state != State::running) {
    throw Conflict(
        concat("you can only attach to running containers: ", config.name, " is ", state_name(state)));
  }
  return stay_attached(engine, config, {},
                       {.streams = {.input = options.input && config.interactive},
                        .detach_keys = options.detach_keys,
                        .signal_proxy = options.signal_proxy});
}

}  // namespace knarr::engine
