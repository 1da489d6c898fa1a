// SPDX-License-Identifier: Apache-2.0
#include "engine/launch/launcher.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "engine/launch/trace_words.h"
#include "engine/monitor/protocol.h"
#include "rootless/sys/error.h"
#include "rootless/sys/socket.h"
#include "rootless/user_namespace.h"

namespace knarr::engine {

// What both sides of the fork see. Words travel here because the monitor's errors before the plan are
// exceptions with texts and hints, not steps of the plan.
struct Launcher::Handover {
  monitor::Told told;
  bool single_id;
  bool new_r;  // and not joined
};

namespace {

// The command may sit in a pipeline that waits for the end of its output; the monitor must not hold it open.
void detach_standard_streams() {
  const sys::UniqueFd null = sys::open_at(AT_FDCWD, "/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2; ++fd) {
    if (::dup2(null.get(), fd) < 0) throw_errno("detaching standard streams");
  }
}

std::string describe_notice(const init::Report& notice, const InitPlanWords& words) {
  return concat("skipped ", describe_step(notice, words), ": ", errno_words(notice.error));
}

// nullptr when the command gave up or died.
const monitor::Plan* receive_plan(int fd) {
  const monitor::Plan* plan = nullptr;
  ssize_t got;
  do {
    got = ::read(fd, &plan, sizeof(plan));
  } while (got < 0 && errno == EINTR);
  if (got != sizeof(plan)) return nullptr;
  for (std::uint32_t i = 0; i < plan->received_count; ++i) {
    sys::UniqueFd received = sys::receive_descriptor(fd);
    if (!received) return nullptr;
    plan->received[i] = received.release();
  }
  return plan;
}

}  // namespace

Launcher Launcher::begin(const Engine& engine, bool attached) {
  Launcher launcher;
  launcher.arena_ = std::make_unique<Arena>();
  launcher.handover_ = launcher.arena_->make<Handover>();
  if (engine.options().trace) launcher.trace_ = launcher.arena_->make<init::Trace>();
  launcher.done("began");
  launcher.ready_ = sys::make_socket_pair(SOCK_STREAM);
  launcher.started_ = sys::make_pipe();
  if (attached) launcher.attach_ = sys::make_socket_pair(SOCK_SEQPACKET);
  launcher.monitor_start_fd_ = launcher.started_.write.get();
  launcher.monitor_client_fd_ = launcher.attach_.second.get();
  launcher.monitor_ = sys::identify(sys::fork_child([&] { return launcher.serve(engine); }));
  launcher.ready_.second.reset();
  launcher.started_.write.reset();
  launcher.attach_.second.reset();
  launcher.done("forked the monitor");
  return launcher;
}

int Launcher::serve(const Engine& engine) {
  ready_.first.reset();
  started_.read.reset();
  attach_.first.reset();
  try {
    ::setsid();  // the terminal's signals are for the command
    detach_standard_streams();
    const auto entered = rootless::enter_r(engine.host(), engine.r_candidates());
    handover_->single_id = entered == rootless::Entered::single_id;
    handover_->new_r = entered == rootless::Entered::created || handover_->single_id;
    init::mark(trace_, "monitor", "entered the user namespace");
  } catch (const Error& error) {
    monitor::tell(handover_->told, error);
    return 125;
  }
  const monitor::Plan* plan = receive_plan(ready_.second.get());
  ready_.second.reset();
  return plan == nullptr ? 125 : monitor::run(*plan);
}

void Launcher::throw_enter_failure() const {
  const monitor::Told& told = handover_->told;
  Error error(told.error[0] != '\0' ? told.error : "the container's monitor died while it was set up");
  error.set_hint(told.hint);
  throw error;
}

void Launcher::hand_over(const monitor::Plan* plan, const std::vector<int>& descriptors) const {
  if (::send(ready_.first.get(), &plan, sizeof(plan), MSG_NOSIGNAL) != sizeof(plan)) throw_enter_failure();
  for (const int fd : descriptors) {
    if (!sys::send_descriptor(ready_.first.get(), fd)) throw_enter_failure();
  }
}

Launched Launcher::launch(const Engine& engine, monitor::Plan plan, const InitPlanWords& words,
                          const std::vector<int>& descriptors) {
  plan.start_fd = monitor_start_fd_;
  plan.client_fd = monitor_client_fd_;
  plan.trace = trace_;
  plan.told = &handover_->told;
  plan.received_count = static_cast<std::uint32_t>(descriptors.size());
  plan.received = arena_->make_array<int>(descriptors.size());
  done("planned");
  hand_over(arena_->make<monitor::Plan>(plan), descriptors);
  ready_.first.reset();

  monitor::StartReport report{};
  for (;;) {
    ssize_t got;
    do {
      got = ::read(started_.read.get(), &report, sizeof(report));
    } while (got < 0 && errno == EINTR);
    if (got != sizeof(report)) throw_enter_failure();
    if (report.kind != monitor::StartReport::Kind::notice) break;
    engine.warn(describe_notice(report.init_report, words));
  }
  done(report.kind == monitor::StartReport::Kind::started ? "heard that it runs" : "heard of a failure");
  if (trace_ != nullptr) tell_trace(*trace_, words, engine.options().trace);
  if (report.kind == monitor::StartReport::Kind::told) throw_enter_failure();
  if (report.kind != monitor::StartReport::Kind::started) throw_launch_failure(report, words);
  if (handover_->single_id) engine.warn_single_id();
  if (handover_->new_r) engine.warn_other_maps();
  return {.init = report.pid, .client = std::move(attach_.first)};
}

}  // namespace knarr::engine
