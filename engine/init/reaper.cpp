// SPDX-License-Identifier: Apache-2.0
// --init: process 1 passes signals on, collects orphans, and ends with its child.
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>

#include "engine/init/context.h"

namespace knarr::engine::init {
namespace {

int exit_code(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void collect(pid_t payload) {
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, WNOHANG);
    if (ended == payload) ::_exit(exit_code(status));
    if (ended <= 0) return;
  }
}

// What the terminal sends to the whole foreground is not for us to repeat.
bool is_forwarded(int signal) {
  return signal != SIGCHLD && signal != SIGTTIN && signal != SIGTTOU;
}

[[noreturn]] void reap(pid_t payload, const sigset_t& all) {
  collect(payload);  // it may have ended before
  for (;;) {
    const int signal = ::sigwaitinfo(&all, nullptr);
    if (signal == SIGCHLD) collect(payload);
    if (signal > 0 && is_forwarded(signal)) ::kill(payload, signal);
  }
}

// The reaper is the engine's program inside the container: not dumpable, no descriptors, the container's
// credentials. The payload's filter is not for it; it must be able to wait and kill under any.
[[noreturn]] void become_reaper(Context& init, pid_t payload, const sigset_t& all) {
  apply_capabilities(init);
  // The report is still open in both processes, so a parent that lives still reads it.
  die_with_parent(init);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_NAME, "knarr-init", 0, 0, 0);
  if (::close_range(0, ~0U, 0) < 0) {
    ::close(init.report.fd());
    for (int fd = 0; fd < 3 + static_cast<int>(init.plan.process.preserve_fds); ++fd) ::close(fd);
  }
  if (::chdir("/") < 0) errno = 0;
  reap(payload, all);
}

}  // namespace

void split_off_payload(Context& init) {
  sigset_t all, none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  // Where the pid namespace is shared, orphans would go to its process 1 instead.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const pid_t payload = ::_Fork();
  if (payload < 0) init.report.fail(Step::exec);
  if (payload > 0) become_reaper(init, payload, all);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // A session of its own, as without a reaper; the terminal is not taken yet.
  if (::setsid() < 0) init.report.fail(Step::new_session);
}

}  // namespace knarr::engine::init
