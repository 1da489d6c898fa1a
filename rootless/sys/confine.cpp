// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/confine.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "rootless/sys/unique_fd.h"

namespace knarr::sys {

// It is the thread's own, too.
void deny_new_privileges() {
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

// ---- Landlock ----

namespace {

// Rights of later ABIs than the headers of Debian 12 know.
constexpr std::uint64_t access_refer = 1u << 13, access_truncate = 1u << 14, access_ioctl_dev = 1u << 15;
constexpr std::uint64_t all_of_abi_1 = (1u << 13) - 1;
constexpr std::uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

std::uint64_t rights_of(int abi) {
  return all_of_abi_1 | access_refer | (abi >= 3 ? access_truncate : 0) | (abi >= 5 ? access_ioctl_dev : 0);
}

}  // namespace

void restrict_files(std::span<const FilesBelow> allowed) {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  // Before ABI 2 every hard link between two directories is refused.
  if (abi < 2) return;
  landlock_ruleset_attr ruleset{};
  ruleset.handled_access_fs = rights_of(static_cast<int>(abi));
  // The size of the first member: later ones, unknown to older kernels, stay out.
  const UniqueFd fd(static_cast<int>(
      ::syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset.handled_access_fs, 0)));
  if (!fd) return;
  for (const FilesBelow& files : allowed) {
    landlock_path_beneath_attr beneath{};
    beneath.allowed_access = files.access == FileAccess::read
                                 ? reading
                                 : ruleset.handled_access_fs & ~std::uint64_t{LANDLOCK_ACCESS_FS_EXECUTE};
    beneath.parent_fd = files.directory_fd;
    if (::syscall(SYS_landlock_add_rule, fd.get(), LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0) return;
  }
  ::syscall(SYS_landlock_restrict_self, fd.get(), 0);
}

// ---- seccomp ----

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t native_architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t native_architecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t native_architecture = 0;
#endif

constexpr std::array privileged = {
    // programs and other processes
    SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kill, SYS_tkill,
    SYS_pidfd_open, SYS_pidfd_getfd, SYS_pidfd_send_signal,
    // namespaces and mounts
    SYS_unshare, SYS_setns, SYS_chroot, SYS_pivot_root, SYS_mount, SYS_umount2, SYS_open_tree, SYS_move_mount,
    SYS_fsopen, SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_open_by_handle_at, SYS_name_to_handle_at,
    // ids, and what else the kernel's attack surface has
    SYS_setuid, SYS_setgid, SYS_setresuid, SYS_setresgid, SYS_capset, SYS_bpf, SYS_perf_event_open,
    SYS_keyctl, SYS_add_key, SYS_request_key, SYS_init_module, SYS_finit_module, SYS_kexec_load,
    SYS_io_uring_setup, SYS_userfaultfd};

sock_filter statement(std::uint16_t code, std::uint32_t value) {
  return BPF_STMT(code, value);
}

// Jumps over `skip` statements when the loaded word is (or is not) `value`.
sock_filter skip_if(std::uint32_t value, std::uint8_t skip_true, std::uint8_t skip_false) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, skip_true, skip_false);
}

std::vector<sock_filter> build_filter(std::initializer_list<std::span<const int>> lists) {
  constexpr std::uint32_t deny = SECCOMP_RET_ERRNO | EPERM;
  std::vector<sock_filter> filter;
  filter.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  filter.push_back(skip_if(native_architecture, 1, 0));
  filter.push_back(statement(BPF_RET | BPF_K, deny));
  filter.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
#if defined(__x86_64__)
  constexpr std::uint32_t x32_bit = 0x40000000;  // the same calls by other numbers
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, x32_bit, 0, 1));
  filter.push_back(statement(BPF_RET | BPF_K, deny));
#endif
  for (const std::span<const int>& calls : lists) {
    for (const int call : calls) {
      filter.push_back(skip_if(static_cast<std::uint32_t>(call), 0, 1));
      filter.push_back(statement(BPF_RET | BPF_K, deny));
    }
  }
  filter.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  return filter;
}

}  // namespace

const std::span<const int> privileged_calls(privileged);

void deny_calls(std::initializer_list<std::span<const int>> lists) {
  if (native_architecture == 0) return;
  std::vector<sock_filter> filter = build_filter(lists);
  sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);  // this thread, not its siblings
}

}  // namespace knarr::sys
