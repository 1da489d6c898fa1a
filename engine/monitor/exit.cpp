// SPDX-License-Identifier: Apache-2.0
#include "engine/monitor/exit.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "engine/monitor/record_files.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/container_store.h"
#include "storage/volume/volume_store.h"

namespace knarr::engine::monitor {

namespace {

// Runs one part of the clean-up; the next one follows whatever happens.
template <typename Act>
void attempt(const Plan& plan, Act&& act) {
  try {
    act();
  } catch (const std::exception& error) {
    note_trouble(plan, error.what());
  }
}

// It may have been renamed since it was started.
std::string current_name(const storage::ContainerStore& containers, const Plan& plan) {
  const auto line = containers.read_if_exists(plan.container_id, "summary");
  const auto summary = line ? parse_summary(*line) : std::nullopt;
  return summary ? summary->name : plan.container_name;
}

void remove_container(const Plan& plan) {
  attempt(plan, [&] {
    const storage::Store store = storage::Store::open(plan.store_root);
    const storage::ContainerStore containers(store);
    for (const char* const* name = plan.anonymous_volumes; name != nullptr && *name != nullptr; ++name) {
      attempt(plan, [&] { storage::VolumeStore(store).remove_volume(*name); });
    }
    containers.remove(plan.container_id, current_name(containers, plan));
  });
  if (plan.cid_file != nullptr) attempt(plan, [&] { sys::unlink_if_exists(AT_FDCWD, plan.cid_file); });
  attempt(plan, [&] { sys::remove_tree(AT_FDCWD, plan.run_directory); });
}

void lower_priority() {
  constexpr int io_class_idle = 3 << 13;  // ioprio_set(2)
  ::setpriority(PRIO_PROCESS, 0, 19);
  ::syscall(SYS_ioprio_set, 1, 0, io_class_idle);
}

}  // namespace

void note_trouble(const Plan& plan, std::string_view trouble) {
  const std::string path = concat(plan.container_directory, "/monitor.log");
  const std::string line = concat(render_rfc3339_nano(wall_clock_ns(), TimeZone::utc), ' ', trouble, '\n');
  const sys::UniqueFd log(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  // With the container's directory gone there is nothing left that the line could be about.
  [[maybe_unused]] const ssize_t ignored = ::write(log.get(), line.data(), line.size());
}

void make_record_durable(const Plan& plan) {
  attempt(plan, [&] {
    const storage::Store store = storage::Store::open(plan.store_root);
    storage::ContainerStore(store).make_durable(plan.container_id);
  });
}

void record_exit(const Plan& plan, int exit_code) {
  attempt(plan, [&] {
    update_status(plan.container_directory, [&](StatusRecord& record) {
      record.finished_ns = wall_clock_ns();
      record.exit_code = exit_code;
    });
  });
  if (plan.remove_on_exit) remove_container(plan);
}

void report_exit(AttachServer& clients, int exit_code) {
  const std::int32_t code = exit_code;
  char payload[sizeof code];
  std::memcpy(payload, &code, sizeof code);
  clients.post_copy(FrameType::exited, {payload, sizeof payload});
  std::vector<pollfd> set;
  while (clients.blocked()) {
    set.clear();
    clients.watch(set, false);
    if (::poll(set.data(), set.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    clients.note_events(set.data());
  }
}

void empty_trash(const Plan& plan) {
  lower_priority();
  attempt(plan, [&] { storage::Store::open(plan.store_root).empty_trash(); });
}

}  // namespace knarr::engine::monitor
