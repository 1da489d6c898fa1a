// SPDX-License-Identifier: Apache-2.0
// The container's first process, from the go byte to execve(2).
#include <linux/if.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cstring>

#include "engine/init/context.h"

namespace knarr::engine::init {
namespace {

void wait_for_go(Context& init) {
  char byte = 0;
  ssize_t got;
  do {
    got = ::read(init.go_fd, &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got < 0) init.report.fail(Step::wait_for_go);
  if (got == 0) init.report.fail(Step::wait_for_go, 0, ECANCELED);  // the parent gave up
  ::close(init.go_fd);
  init.go_fd = -1;
}

// Nobody who shares our ids may look into this process while it still holds descriptors of the host. Not
// before the go byte: the parent could not write the id maps of a process that is not dumpable.
void hide_from_debuggers() {
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void bring_up_loopback(Context& init) {
  if (!init.plan.bring_up_loopback) return;
  const Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (!socket || ::ioctl(socket.get(), SIOCGIFFLAGS, &request) < 0) init.report.fail(Step::loopback);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) < 0) init.report.fail(Step::loopback);
}

void set_names(Context& init) {
  const Plan& plan = init.plan;
  if (plan.hostname != nullptr && ::sethostname(plan.hostname, std::strlen(plan.hostname)) < 0)
    init.report.fail(Step::hostname);
  if (plan.domainname != nullptr && ::setdomainname(plan.domainname, std::strlen(plan.domainname)) < 0)
    init.report.fail(Step::domainname);
}

void prepare_namespaces(Context& init) {
  if (::setsid() < 0) init.report.fail(Step::new_session);
  bring_up_loopback(init);
  set_names(init);
  ::umask(0);  // modes in a plan are meant as they stand
}

void build_root(Context& init) {
  mount_root(init);
  init.done("mounted the root");
  replay_operations(init);
}

void open_joined_root(Context& init) {
  init.root = Fd{::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!init.root) init.report.fail(Step::mount_root);
}

}  // namespace

void run(const Plan& plan) {
  Context init(plan);
  tell_network_namespace(plan);
  collect_descriptors(init);
  die_with_parent(init);
  wait_for_go(init);
  init.done("got the go");

  apply_oom_score(init);
  hide_from_debuggers();
  if (plan.has_root) {
    detach_from_host(init);
    if (plan.owner_unmapped) open_sources(init);
    init.done("detached from the host");
  }
  become_namespace_root(init);
  die_with_parent(init);
  init.done("became root");
  prepare_namespaces(init);
  init.done("brought up loopback, set names");

  if (plan.has_root)
    build_root(init);
  else
    open_joined_root(init);
  resolve_identity(init);
  make_working_directory(init);
  if (plan.process.terminal) open_terminal(init);
  init.done("looked up the user");
  if (plan.has_root) enter_root(init);
  init.done("entered the root");

  connect_stdio(init);
  close_descriptors(init);
  const bool in_directory = enter_working_directory(init);
  apply_limits(init);
  join_session_keyring();
  reset_signals();
  init.done("set stdio and limits");
  become_user(init);
  init.done("became the user");
  if (!in_directory && !enter_working_directory(init)) init.report.fail(Step::working_directory);

  if (plan.process.reaper) split_off_payload(init);
  take_controlling_terminal(init);
  ::umask(plan.process.umask);
  die_with_parent(init);
  init.report.about_to_exec();
  apply_last_locks(init);
  init.done("loaded seccomp and capabilities");
  execute(init);
}

}  // namespace knarr::engine::init
