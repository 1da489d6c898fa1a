// SPDX-License-Identifier: Apache-2.0
#include "netns/enter.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <exception>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/process.h"

namespace knarr::netns {

namespace {

// A handler must not run in the child: it would find the parent's memory and another process's id.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, &before_);
  }
  ~SignalsBlocked() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

struct Visit {
  int netns_fd;  // -1: a new one
  const std::function<void()>& act;
  std::exception_ptr thrown;
};

int run_visit(void* argument) {
  Visit& visit = *static_cast<Visit*>(argument);
  try {
    const int entered = visit.netns_fd >= 0 ? ::setns(visit.netns_fd, CLONE_NEWNET) : ::unshare(CLONE_NEWNET);
    if (entered < 0)
      throw_errno(visit.netns_fd >= 0 ? "entering a network namespace" : "creating a network namespace");
    visit.act();
  } catch (...) {
    visit.thrown = std::current_exception();
  }
  ::_exit(0);
}

// The child does not tell its end by a signal: a parent that waits for children of its own must not see it.
void visit_network_namespace(int netns_fd, const std::function<void()>& act) {
  sys::require_single_thread("entering a network namespace");
  Visit visit{netns_fd, act, nullptr};
  alignas(16) char stack[128u << 10];
  pid_t pid;
  {
    const SignalsBlocked blocked;
    pid = ::clone(run_visit, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_FILES, &visit);
  }
  if (pid < 0) throw_errno("starting a process in a network namespace");
  int status = 0;
  while (::waitpid(pid, &status, __WALL) < 0 && errno == EINTR) {
  }
  if (visit.thrown) std::rethrow_exception(visit.thrown);
  if (!WIFEXITED(status)) throw Error("the process in a network namespace was killed");
}

}  // namespace

sys::UniqueFd make_network_namespace() {
  sys::UniqueFd made;
  visit_network_namespace(-1, [&] { made = open_own_network_namespace(); });
  return made;
}

sys::UniqueFd open_network_namespace(pid_t pid) {
  return sys::open_at(AT_FDCWD, concat("/proc/", pid, "/ns/net"), O_RDONLY);
}

sys::UniqueFd open_own_network_namespace() {
  return sys::open_at(AT_FDCWD, "/proc/self/ns/net", O_RDONLY);
}

void in_network_namespace(int netns_fd, const std::function<void()>& act) {
  visit_network_namespace(netns_fd, act);
}

sys::UniqueFd open_socket_in(int netns_fd, int domain, int type, int protocol) {
  sys::UniqueFd socket;
  in_network_namespace(netns_fd, [&] {
    socket.reset(::socket(domain, type | SOCK_CLOEXEC, protocol));
    if (!socket) throw_errno("opening a socket in a network namespace");
  });
  return socket;
}

}  // namespace knarr::netns
