// SPDX-License-Identifier: Apache-2.0
// Supervises a running container: its output goes to the log and to the clients, their input to it.
#pragma once

#include <poll.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/monitor/attach_server.h"
#include "engine/monitor/log.h"
#include "engine/monitor/network.h"
#include "engine/monitor/page_buffer.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::engine::monitor {

// The monitor's ends of the container's standard streams.
struct ContainerIo {
  bool terminal = false;
  sys::UniqueFd output;  // a pipe, or the terminal's master
  sys::UniqueFd error;   // a pipe; empty on a terminal
  sys::UniqueFd input;   // a pipe; empty on a terminal (its master takes input) and without -i
  // The terminal's other side, held so that the master never hangs up while the container lives: a process
  // may close its terminal and open it again.
  sys::UniqueFd terminal_peer;
};

struct Supervision {
  ContainerIo io;
  int init_pid_fd = -1;  // borrowed
  int signal_fd = -1;    // borrowed; SIGTERM, SIGINT, ..: handed on to init
  bool stdin_once = false;
  std::uint32_t timeout_seconds = 0;    // then init is killed; 0: never
  ContainerNetwork* network = nullptr;  // borrowed; may be null
};

// Built on poll(2), not epoll: a dozen descriptors at most, whose interest changes with every jam; a set that
// is made from the state each time cannot disagree with it.
class Supervisor {
 public:
  Supervisor(Supervision supervision, AttachServer& clients, LogWriter& log);

  // Returns when init is dead; it is not reaped. Throws SysError.
  void supervise();
  // After that: takes what is left in the pipes without waiting for processes that outlive init and hold them
  // open. What clients cannot take yet stays posted.
  void drain();
  bool timed_out() const { return timed_out_; }

 private:
  enum Slot { signal_slot, init_slot, listener_slot, output_slot, error_slot, input_slot, first_client_slot };

  void wait_for_events();
  int poll_timeout_ms() const;
  void enforce_deadline();
  void release_idle_memory();
  void accept_clients();
  bool ready(Slot slot) const { return set_[slot].revents != 0; }

  void forward_signals();

  void take_output();
  // One read. False when there is nothing now or will be nothing ever.
  bool read_stream(Stream stream, std::string_view& bytes);
  void end_stream(Stream stream);

  void take_input();
  void handle(const ClientFrame& frame);
  bool flush_input();  // false: the container does not take it yet
  void end_input();
  int input_fd() const { return io_.terminal ? io_.output.get() : io_.input.get(); }

  ContainerIo io_;
  const int init_pid_fd_;
  const int signal_fd_;
  const bool stdin_once_;
  ContainerNetwork* const network_;
  AttachServer& clients_;
  LogWriter& log_;

  PageBuffer output_buffer_;
  PageBuffer input_buffer_;
  std::string_view pending_input_;  // in input_buffer_ or end_of_file_
  char end_of_file_ = 0;
  bool output_ended_ = false;  // a terminal without a peer; its descriptor stays for input and window size

  std::vector<pollfd> set_;
  // CLOCK_MONOTONIC
  std::optional<std::int64_t> deadline_ms_;
  std::optional<std::int64_t> accept_again_ms_;  // until then new clients have to wait
  bool holds_memory_ = true;
  bool timed_out_ = false;
};

}  // namespace knarr::engine::monitor
