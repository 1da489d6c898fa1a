// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <optional>
#include <vector>

#include "engine/monitor/exit.h"
#include "engine/monitor/io.h"
#include "engine/monitor/plan.h"
#include "engine/monitor/start.h"
#include "engine/time_format.h"
#include "rootless/sys/file.h"
#include "rootless/sys/process.h"

namespace knarr::engine::monitor {

namespace {

constexpr int engine_failed = 125;

// Handed on to init while the container runs; they end a monitor that only cleans up any more.
constexpr std::array forwarded_signals = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

sigset_t forwarded_set() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : forwarded_signals) ::sigaddset(&set, signal);
  return set;
}

// All signals wait from here on: also SIGPIPE, and those that come during the start.
sys::UniqueFd block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  const sigset_t forwarded = forwarded_set();
  sys::UniqueFd fd(::signalfd(-1, &forwarded, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) throw_errno("preparing for signals");
  return fd;
}

void let_signals_end_us() {
  const sigset_t forwarded = forwarded_set();
  ::sigprocmask(SIG_UNBLOCK, &forwarded, nullptr);
}

// What the command had open is none of the monitor's business, and would stay open as long as the container
// runs.
void close_foreign_descriptors(const Plan& plan) {
  const unsigned preserved_end = 3 + plan.init->process.preserve_fds;
  for (unsigned fd = 3; fd < preserved_end; ++fd) {
    // A hole would be filled by a descriptor of ours, and the container would get that.
    if (::fcntl(static_cast<int>(fd), F_GETFD) < 0) throw_errno("passing on descriptor ", fd);
  }
  std::vector<int> kept(plan.received, plan.received + plan.received_count);
  kept.push_back(plan.start_fd);
  kept.push_back(plan.client_fd);
  std::sort(kept.begin(), kept.end());
  unsigned next = preserved_end;
  for (const int fd : kept) {
    if (fd < static_cast<int>(next)) continue;
    if (static_cast<unsigned>(fd) > next) ::close_range(next, static_cast<unsigned>(fd) - 1, 0);
    next = static_cast<unsigned>(fd) + 1;
  }
  ::close_range(next, ~0u, 0);
}

// "/" so that no file system of the user stays busy.
void settle() {
  ::prctl(PR_SET_NAME, "knarr-monitor");
  if (::chdir("/") < 0) throw_errno("leaving the working directory");
  ::umask(0077);
}

Supervision plan_supervision(const Plan& plan, Started& started, int signal_fd) {
  return {.io = std::move(started.io),
          .init_pid_fd = started.init.pid_fd(),
          .signal_fd = signal_fd,
          .stdin_once = plan.stdin_once,
          .timeout_seconds = plan.timeout_seconds,
          .network = started.network.get()};
}

void record_start(const Plan& plan) {
  update_status(plan.container_directory, [](StatusRecord& record) {
    record.started_ns = wall_clock_ns();
    record.finished_ns = 0;
    record.exit_code = 0;
    record.stopped_by_user = false;
  });
}

// Everything that can fail without ending the container has failed by now, or is handled where it happens.
// What is left is a broken monitor, and a container without one must not run.
int supervise(const Plan& plan, Supervisor& supervisor, Init& init) {
  try {
    supervisor.supervise();
  } catch (const std::exception& error) {
    note_trouble(plan, error.what());
    init.kill();
  }
  const int status = init.wait();
  try {
    supervisor.drain();
  } catch (const std::exception& error) {
    note_trouble(plan, error.what());
  }
  return supervisor.timed_out() ? timed_out_exit_code : sys::decode_wait_status(status).code;
}

void run_container(const Plan& plan, StartReporter& reporter) {
  const sys::UniqueFd signals = at_step(MonitorStep::stdio, [&] {
    sys::UniqueFd fd = block_signals();
    return fd;
  });
  at_step(MonitorStep::stdio, [&] { settle(); });
  const sys::UniqueFd run_directory = at_step(MonitorStep::runtime_directory, [&] {
    return sys::open_at(AT_FDCWD, plan.run_directory, O_PATH | O_DIRECTORY);
  });
  at_step(MonitorStep::record, [&] { require_no_monitor(run_directory.get()); });
  std::optional<AttachServer> clients;
  at_step(MonitorStep::attach_socket, [&] { clients.emplace(run_directory.get()); });
  if (plan.client_fd >= 0) clients->adopt(sys::UniqueFd(plan.client_fd));
  std::optional<LogWriter> log;
  at_step(MonitorStep::log, [&] { log.emplace(plan); });

  init::mark(plan.trace, "monitor", "opened socket and log");
  Started started = start_init(plan, run_directory.get(), reporter);
  at_step(MonitorStep::record, [&] { record_start(plan); });
  init::mark(plan.trace, "monitor", "recorded the start");
  reporter.send({.kind = StartReport::Kind::started, .pid = started.init.pid()});
  reporter.finish();
  if (plan.make_record_durable) make_record_durable(plan);
  // The command's heap came along with the fork.
  ::malloc_trim(0);

  Supervisor supervisor(plan_supervision(plan, started, signals.get()), *clients, *log);
  const int exit_code = supervise(plan, supervisor, started.init);
  // Ports and addresses are free before anybody can learn of the exit.
  started.network.reset();
  record_exit(plan, exit_code);
  // Whoever asks now must find a container that has ended: no way in, no lock.
  clients->stop_listening();
  started.pids.withdraw();
  let_signals_end_us();
  report_exit(*clients, exit_code);
  clients.reset();
  if (plan.remove_on_exit) empty_trash(plan);
}

}  // namespace

int run(const Plan& plan) {
  StartReporter reporter(plan.start_fd);
  try {
    at_step(MonitorStep::stdio, [&] { close_foreign_descriptors(plan); });
    run_container(plan, reporter);
    return 0;
  } catch (const StartFailure& failure) {
    reporter.send(failure.report);
  } catch (const NetworkFailure& failure) {
    tell(*plan.told, failure.error);
    reporter.send({.kind = StartReport::Kind::told});
  } catch (const std::exception& error) {
    note_trouble(plan, error.what());
  }
  return engine_failed;
}

}  // namespace knarr::engine::monitor
