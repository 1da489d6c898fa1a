// SPDX-License-Identifier: Apache-2.0
#include "netns/forward/loop.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace knarr::netns::forward {
namespace {

constexpr int max_events = 64;
// After this long without work the memory is given back.
constexpr int idle_ms = 1000;
// So long the end of a dead container's connections may take to show.
constexpr int quiet_ms = 200;

}  // namespace

Loop::Loop(sys::UniqueFd container, sys::UniqueFd engine, sys::UniqueFd control, const Target& target)
    : container_(std::move(container)),
      engine_(std::move(engine)),
      control_(std::move(control)),
      tcp_(events_),
      udp_(events_, container_.get(), engine_.get()) {
  set_target(target);
}

void Loop::run() {
  ::prctl(PR_SET_NAME, "knarr-ports");
  thread_id_ = ::gettid();
  const int error = begin();
  answer(error);
  if (error != 0) return;
  epoll_event events[max_events];
  while (!over()) {
    const int count = wait(events);
    for (int i = 0; i < count; ++i) dispatch(events[i]);
    tcp_.finish_round();
    udp_.finish_round();
    if (count == 0 && ending_) tcp_.reset_quiet();
    if (count == 0) release_idle_memory();
    if (count > 0) holds_memory_ = true;
  }
  tcp_.reset_all();
  answer(0);
}

int Loop::begin() {
  if (events_.fd() < 0) return EMFILE;
  if (::setns(container_.get(), CLONE_NEWNET) < 0) return errno;
  return events_.add(control_.get(), EPOLLIN, this, Source::control) ? 0 : errno;
}

// ---- events ----

int Loop::wait(epoll_event* events) {
  return std::max(0, ::epoll_wait(events_.fd(), events, max_events, timeout_ms()));
}

int Loop::timeout_ms() const {
  int timeout = holds_memory_ ? idle_ms : -1;
  const auto at_most = [&timeout](std::int64_t limit) {
    if (limit >= 0 && (timeout < 0 || limit < timeout)) timeout = static_cast<int>(limit);
  };
  at_most(tcp_.timeout_ms());
  at_most(udp_.timeout_ms());
  if (ending_) at_most(std::clamp<std::int64_t>(deadline_ms_ - monotonic_ms(), 0, quiet_ms));
  return timeout;
}

void Loop::dispatch(const epoll_event& event) {
  switch (EventSet::source_of(event)) {
    case Source::control:
      return take_command();
    case Source::tcp_listener:
      return tcp_.accept_from(EventSet::object_of<Listener>(event));
    case Source::client:
      return tcp_.handle_client(EventSet::object_of<Connection>(event), event.events);
    case Source::upstream:
      return tcp_.handle_upstream(EventSet::object_of<Connection>(event), event.events);
    case Source::udp_listener:
      return udp_.take_requests(EventSet::object_of<Listener>(event));
    case Source::udp_flow:
      return udp_.take_answers(EventSet::object_of<Flow>(event));
  }
}

void Loop::release_idle_memory() {
  if (tcp_.timeout_ms() == 0) return;
  tcp_.release_memory();
  udp_.release_memory();
  holds_memory_ = false;
}

// ---- commands ----

void Loop::take_command() {
  Command command;
  const ssize_t got = ::recv(control_.get(), &command, sizeof command, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  // The process's end is closed only after it has said end; this is for a bug there.
  if (got != sizeof command) command = {.kind = Command::Kind::end};
  const int error = obey(command);
  if (command.kind != Command::Kind::end) answer(error);
}

int Loop::obey(const Command& command) {
  const bool udp = command.transport == Transport::udp;
  switch (command.kind) {
    case Command::Kind::publish:
      return udp ? udp_.add(*command.listener) : tcp_.add(*command.listener);
    case Command::Kind::withdraw:
      udp ? udp_.remove(*command.listener) : tcp_.remove(*command.listener);
      return 0;
    case Command::Kind::retarget:
      set_target(command.target);
      return 0;
    case Command::Kind::reset_connections:
      tcp_.reset_connections_to(command.address);
      return 0;
    case Command::Kind::end:
      tcp_.end_with_container();
      ending_ = true;
      deadline_ms_ = monotonic_ms() + command.grace_ms;
      return 0;
  }
  return EINVAL;
}

void Loop::set_target(const Target& target) {
  tcp_.set_target(target);
  udp_.set_target(target);
}

void Loop::answer(int error) {
  ::send(control_.get(), &error, sizeof error, MSG_NOSIGNAL);
}

bool Loop::over() const {
  return ending_ && (tcp_.idle() || monotonic_ms() >= deadline_ms_);
}

}  // namespace knarr::netns::forward
