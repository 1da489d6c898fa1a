// SPDX-License-Identifier: Apache-2.0
// From root of the user namespace with every capability in it to the container's user with its few.
#include <poll.h>
#include <sys/prctl.h>

#include <csignal>

#include "engine/init/context.h"

namespace knarr::engine::init {
namespace {

const CapabilitySets& capabilities_of(const Context& init) {
  const Process& process = init.plan.process;
  return init.identity.uid == 0 ? process.capabilities_root : process.capabilities_user;
}

// The kernel splits 64 bits in two halves, the lower one first (capset(2)).
bool set_capabilities(std::uint64_t effective, std::uint64_t permitted, std::uint64_t inheritable) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  for (int half = 0; half < 2; ++half) {
    const int shift = 32 * half;
    data[half].effective = static_cast<__u32>(effective >> shift);
    data[half].permitted = static_cast<__u32>(permitted >> shift);
    data[half].inheritable = static_cast<__u32>(inheritable >> shift);
  }
  return kernel::capset(&header, data) == 0;
}

// A change of uid clears what is effective; what KEEPCAPS left permitted is taken up again.
bool raise_permitted() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  if (::syscall(SYS_capget, &header, data) < 0) return false;
  for (__user_cap_data_struct& half : data) half.effective = half.permitted;
  return kernel::capset(&header, data) == 0;
}

bool drop_bounding(std::uint64_t kept) {
  for (int capability = 0; capability < 64; ++capability) {
    const int held = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0) return true;  // beyond the last one that this kernel knows
    const bool keep = (kept >> capability & 1) != 0;
    if (held == 1 && !keep && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) return false;
  }
  return true;
}

bool raise_ambient(std::uint64_t ambient) {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return false;
  for (int capability = 0; capability < 64; ++capability) {
    if ((ambient >> capability & 1) == 0) continue;
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0) return false;
  }
  return true;
}

void load_seccomp(Context& init) {
  const sock_fprog& program = init.plan.process.seccomp;
  if (program.len == 0) return;
  if (kernel::seccomp_set_filter(SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) == 0) return;
  // Kernels before 4.17 know no flags that we need.
  if (errno != EINVAL || kernel::seccomp_set_filter(0, &program) < 0) init.report.fail(Step::seccomp);
}

bool parent_is_gone(int report_fd) {
  pollfd report{report_fd, 0, 0};
  return ::poll(&report, 1, 0) > 0 && (report.revents & (POLLERR | POLLHUP)) != 0;
}

}  // namespace

// The kernel forgets the death signal with every change of credentials. A parent that died before it was set
// again left a report pipe that nobody reads; reading getppid(2) would not tell, it is 0 across pid
// namespaces.
void die_with_parent(Context& init) {
  if (!init.plan.die_with_parent) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (parent_is_gone(init.report.fd())) ::_exit(125);
}

void become_namespace_root(Context& init) {
  const Process& process = init.plan.process;
  const gid_t root_group = 0;
  // Best effort: what counts is the exact list set at the end.
  if (process.setgroups_allowed && !process.keep_groups) kernel::setgroups(1, &root_group);
  // EINVAL: this namespace has no id 0 (a map of one other id). The capabilities are there all the same.
  if (kernel::setresgid(0) < 0 && errno != EINVAL) init.report.fail(Step::set_ids);
  if (kernel::setresuid(0) < 0 && errno != EINVAL) init.report.fail(Step::set_ids);
}

void become_user(Context& init) {
  if (!drop_bounding(capabilities_of(init).bounding)) init.report.fail(Step::capabilities);
  set_groups(init);
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) init.report.fail(Step::user_ids);
  if (kernel::setresgid(init.identity.gid) < 0) init.report.fail(Step::user_ids);
  if (kernel::setresuid(init.identity.uid) < 0) init.report.fail(Step::user_ids);
  if (::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0) init.report.fail(Step::user_ids);
  if (!raise_permitted()) init.report.fail(Step::capabilities);
}

void apply_capabilities(Context& init) {
  const CapabilitySets& sets = capabilities_of(init);
  if (!set_capabilities(sets.effective, sets.permitted, sets.inheritable) || !raise_ambient(sets.ambient))
    init.report.fail(Step::capabilities);
}

void apply_last_locks(Context& init) {
  const bool no_new_privileges = init.plan.process.no_new_privileges;
  // Without no_new_privs a filter needs CAP_SYS_ADMIN; with it the filter comes last and has the least to let
  // pass.
  if (!no_new_privileges) load_seccomp(init);
  apply_capabilities(init);
  if (!no_new_privileges) return;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) init.report.fail(Step::no_new_privileges);
  load_seccomp(init);
}

}  // namespace knarr::engine::init
