// SPDX-License-Identifier: Apache-2.0
#include "engine/seccomp/profile.h"

#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace knarr::engine::seccomp {

namespace {

using rootless::CapabilitySet;

// Obsolete, or of use to an attacker more than to a container: loading kernels, moving other processes'
// pages, and those that made kernel bugs easy to exploit (userfaultfd, vmsplice). EPERM rather than ENOSYS
// says that the kernel has them.
constexpr std::string_view refused =
    "bdflush cachestat io_pgetevents io_pgetevents_time64 kexec_file_load kexec_load map_shadow_stack "
    "migrate_pages move_pages nfsservctl nice oldfstat oldlstat oldolduname oldstat olduname "
    "pciconfig_iobase pciconfig_read pciconfig_write sgetmask ssetmask swapoff swapon sysfs uselib "
    "userfaultfd ustat vm86 vm86old vmsplice";

// Harmless, or checked by the kernel against the user namespace of the caller: what a program without any
// filter may do as an ordinary user. clone, mount and the rest of namespaces are here, so that containers
// nest.
constexpr std::string_view allowed =
    "_llseek _newselect accept accept4 access adjtimex alarm bind brk capget capset chdir chmod chown "
    "chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 clone clone3 close close_range connect "
    "copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait "
    "epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat "
    "faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown "
    "fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsconfig "
    "fsetxattr fsmount fsopen fspick fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate "
    "ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat "
    "get_mempolicy get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 "
    "geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp "
    "getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit "
    "getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr "
    "inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents "
    "io_setup io_submit ioctl ioprio_get ioprio_set ipc keyctl kill landlock_add_rule "
    "landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen "
    "listxattr llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise mbind membarrier "
    "memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 "
    "mount mount_setattr move_mount mprotect mq_getsetattr mq_notify mq_open mq_timedreceive "
    "mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap msgctl msgget msgrcv "
    "msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open open_tree openat "
    "openat2 pause pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 pivot_root pkey_alloc pkey_free "
    "pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease "
    "process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2 read "
    "readahead readdir readlink readlinkat readv reboot recv recvfrom recvmmsg recvmmsg_time64 recvmsg "
    "remap_file_pages removexattr rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction "
    "rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
    "rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min "
    "sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler "
    "sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile "
    "sendfile64 sendmmsg sendmsg sendto set_mempolicy set_mempolicy_home_node set_robust_list "
    "set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups "
    "setgroups32 setitimer setns setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid "
    "setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr shmat shmctl "
    "shmdt shmget shutdown sigaction sigaltstack signal signalfd signalfd4 sigpending sigprocmask "
    "sigreturn sigsuspend socketpair splice stat stat64 statfs statfs64 statx symlink symlinkat sync "
    "sync_file_range syncfs sysinfo syslog tee tgkill time timer_create timer_delete timer_getoverrun "
    "timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd timerfd_create timerfd_gettime "
    "timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit "
    "umask umount umount2 uname unlink unlinkat unshare utime utimensat utimensat_time64 utimes vfork "
    "wait4 waitid waitpid write writev";

// Calls that need a capability anyway. Without it the kernel would say EPERM too, but late: this keeps their
// code out of reach.
struct Privileged {
  const char* capability;
  std::string_view names;
};
constexpr Privileged privileged[] = {
    {"DAC_READ_SEARCH", "open_by_handle_at"},
    {"SYS_ADMIN", "fanotify_init lookup_dcookie quotactl quotactl_fd setdomainname sethostname"},
    {"SYS_CHROOT", "chroot"},
    {"SYS_MODULE", "delete_module finit_module init_module query_module"},
    {"SYS_PACCT", "acct"},
    {"SYS_PTRACE", "kcmp process_madvise"},
    {"SYS_RAWIO", "ioperm iopl"},
    {"SYS_TIME", "clock_settime clock_settime64 settimeofday stime"},
    {"SYS_TTY_CONFIG", "vhangup"},
};

CapabilitySet capability(const char* name) {
  return rootless::capability_bit(*rootless::parse_capability(name));
}

// The lower 32 bits alone: what a call with an int or unsigned argument looks at.
Argument int_is(unsigned index, std::uint32_t value) {
  return {.index = index, .comparison = Comparison::masked_equal, .value = value, .mask = 0xffffffff};
}

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    names.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return names;
}

void allow(Profile& profile, std::string_view names, Circumstances includes = {}) {
  profile.rules.push_back(
      {.names = split_names(names), .action = Action::allow, .includes = std::move(includes)});
}

void refuse(Profile& profile, std::string_view names) {
  profile.rules.push_back({.names = split_names(names), .action = Action::error, .error = EPERM});
}

void add_privileged(Profile& profile) {
  for (const Privileged& group : privileged) {
    allow(profile, group.names, {.capabilities = capability(group.capability)});
    refuse(profile, group.names);
  }
}

// CAP_SYS_ADMIN has had two parts since 5.8; either is enough.
void add_split_from_sys_admin(Profile& profile) {
  allow(profile, "bpf perf_event_open", {.capabilities = capability("SYS_ADMIN")});
  allow(profile, "bpf", {.capabilities = capability("BPF")});
  allow(profile, "perf_event_open", {.capabilities = capability("PERFMON")});
  refuse(profile, "bpf perf_event_open");
}

void add_of_machines(Profile& profile) {
  const auto allow_on = [&profile](std::vector<std::string> machines, std::string_view names) {
    allow(profile, names, {.machines = std::move(machines)});
  };
  allow_on({"amd64", "x32"}, "arch_prctl");
  allow_on({"amd64", "x32", "x86"}, "modify_ldt");
  allow_on({"arm", "arm64"},
           "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2");
  allow_on({"ppc64le"}, "sync_file_range2");
  allow_on({"riscv64"}, "riscv_flush_icache riscv_hwprobe");
  allow_on({"s390", "s390x"},
           "s390_guarded_storage s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr s390_sthyi");
}

// The execution domains that change nothing but uname26 and the layout of memory, and asking for the current
// one.
void add_personalities(Profile& profile) {
  constexpr std::uint32_t linux_32_bit = 0x0008, uname26 = 0x20000, query = 0xffffffff;
  for (const std::uint32_t persona : {0u, linux_32_bit, uname26, uname26 | linux_32_bit, query}) {
    profile.rules.push_back(
        {.names = {"personality"}, .action = Action::allow, .arguments = {int_is(0, persona)}});
  }
}

// The kernel's crypto interface has been a way to root more than once, and TLS libraries do without it. The
// virtual machine sockets reach the host of a virtual machine past every network namespace. Where
// socketcall(2) exists, its arguments lie in memory: the compiler refuses to make any socket by it, as a rule
// that refuses some demands.
void add_sockets(Profile& profile) {
  for (const int family : {AF_ALG, AF_VSOCK}) {
    profile.rules.push_back({.names = {"socket"},
                             .action = Action::error,
                             .error = EPERM,
                             .arguments = {int_is(0, static_cast<std::uint32_t>(family))}});
  }
  // EINVAL is what libaudit takes as "no audit here, go on" (a container cannot have it in any case).
  profile.rules.push_back({.names = {"socket"},
                           .action = Action::error,
                           .error = EINVAL,
                           .arguments = {int_is(0, AF_NETLINK), int_is(2, NETLINK_AUDIT)},
                           .excludes = {.capabilities = capability("AUDIT_WRITE")}});
  allow(profile, "socket");
}

}  // namespace

Profile default_profile() {
  // ENOSYS: a C library that tries a new system call first falls back on an older one.
  Profile profile{.default_action = Action::error, .default_error = ENOSYS};
  profile.families = {{"x86_64", {"x86", "x32"}},
                      {"aarch64", {"arm"}},
                      {"mips64", {"mips", "mips64n32"}},
                      {"mips64n32", {"mips", "mips64"}},
                      {"mipsel64", {"mipsel", "mipsel64n32"}},
                      {"mipsel64n32", {"mipsel", "mipsel64"}},
                      {"s390x", {"s390"}}};
  refuse(profile, refused);
  add_sockets(profile);
  allow(profile, allowed);
  add_personalities(profile);
  add_of_machines(profile);
  add_privileged(profile);
  add_split_from_sys_admin(profile);
  return profile;
}

}  // namespace knarr::engine::seccomp
