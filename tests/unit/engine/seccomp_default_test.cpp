// SPDX-License-Identifier: Apache-2.0
// The default profile as a program: what becomes of a call. Numbers of i386 and x32 are written out, the
// headers of this machine have those of x86-64 only.
#include <gmock/gmock.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "engine/seccomp/built_in.h"
#include "engine/seccomp/compile.h"
#include "rootless/capability.h"
#include "tests/unit/engine/bpf_machine.h"

namespace knarr::engine::seccomp {
namespace {

#ifdef __x86_64__

using rootless::CapabilitySet;

constexpr std::uint32_t allow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t x32 = 0x40000000;

constexpr std::uint32_t error(int code) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(code);
}

struct Call {
  std::uint32_t number;
  std::uint64_t first = 0, second = 0, third = 0;
};

class Filter {
 public:
  Filter() : Filter(rootless::default_capabilities()) {}
  explicit Filter(CapabilitySet capabilities)
      : program_(compile(default_profile(),
                         {.capabilities = capabilities, .architecture = native_architecture()})) {}

  std::uint32_t x86_64(Call call) const { return run(AUDIT_ARCH_X86_64, call); }
  std::uint32_t i386(Call call) const { return run(AUDIT_ARCH_I386, call); }
  std::uint32_t run(std::uint32_t arch, Call call) const {
    seccomp_data data{};
    data.nr = static_cast<int>(call.number);
    data.arch = arch;
    data.args[0] = call.first;
    data.args[1] = call.second;
    data.args[2] = call.third;
    return knarr::testing::run_filter(program_, data);
  }
  const Program& program() const { return program_; }

 private:
  Program program_;
};

CapabilitySet capability(const char* name) {
  return rootless::capability_bit(*rootless::parse_capability(name));
}

CapabilitySet default_and(const char* name) {
  return rootless::default_capabilities() | capability(name);
}

TEST(DefaultFilter, AllowsWhatProgramsDo) {
  const Filter filter;
  for (const int number : {SYS_read, SYS_write, SYS_openat, SYS_execve, SYS_clone, SYS_clone3, SYS_exit_group,
                           SYS_futex, SYS_ptrace, SYS_seccomp, SYS_keyctl, SYS_rseq, SYS_arch_prctl})
    EXPECT_EQ(filter.x86_64({static_cast<std::uint32_t>(number)}), allow) << number;
}

TEST(DefaultFilter, LetsContainersNest) {
  const Filter filter;
  for (const int number : {SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_open_tree,
                           SYS_move_mount, SYS_fsopen, SYS_fsmount, SYS_mount_setattr, SYS_chroot})
    EXPECT_EQ(filter.x86_64({static_cast<std::uint32_t>(number)}), allow) << number;
}

TEST(DefaultFilter, AllowsTheHarmlessOnesAmongTheNewCalls) {
  const Filter filter;
  constexpr std::uint32_t fchmodat2 = 452, futex_wake = 454, futex_wait = 455, futex_requeue = 456,
                          futex_waitv = 449, set_mempolicy_home_node = 450;
  for (const std::uint32_t number :
       {fchmodat2, futex_wake, futex_wait, futex_requeue, futex_waitv, set_mempolicy_home_node,
        std::uint32_t{SYS_landlock_create_ruleset}, std::uint32_t{SYS_openat2},
        std::uint32_t{SYS_close_range}, std::uint32_t{SYS_faccessat2}, std::uint32_t{SYS_epoll_pwait2},
        std::uint32_t{SYS_pidfd_getfd}, std::uint32_t{SYS_process_mrelease}, std::uint32_t{SYS_memfd_secret}})
    EXPECT_EQ(filter.x86_64({number}), allow) << number;
}

TEST(DefaultFilter, RefusesTheBadOnesByPermission) {
  const Filter filter;
  constexpr std::uint32_t cachestat = 451, map_shadow_stack = 453;
  for (const std::uint32_t number :
       {std::uint32_t{SYS_kexec_load}, std::uint32_t{SYS_kexec_file_load}, std::uint32_t{SYS_userfaultfd},
        std::uint32_t{SYS_vmsplice}, std::uint32_t{SYS_move_pages}, std::uint32_t{SYS_migrate_pages},
        std::uint32_t{SYS_swapon}, std::uint32_t{SYS_io_pgetevents}, cachestat, map_shadow_stack})
    EXPECT_EQ(filter.x86_64({number}), error(EPERM)) << number;
}

TEST(DefaultFilter, TellsProgramsThatUnknownCallsAreMissing) {
  const Filter filter;
  constexpr std::uint32_t statmount = 457, unknown = 999;
  for (const std::uint32_t number :
       {unknown, statmount, std::uint32_t{SYS_io_uring_setup}, std::uint32_t{SYS_add_key}, x32 - 1}) {
    EXPECT_EQ(filter.x86_64({number}), error(ENOSYS)) << number;
  }
  EXPECT_EQ(filter.i386({999}), error(ENOSYS));
  EXPECT_EQ(filter.x86_64({x32 + 999}), error(ENOSYS));
  EXPECT_EQ(filter.x86_64({~std::uint32_t{0}}), error(ENOSYS));  // what a tracer leaves of a call it skips
}

TEST(DefaultFilter, KillsProgramsOfOtherArchitectures) {
  const Filter filter;
  EXPECT_EQ(filter.run(AUDIT_ARCH_AARCH64, {SYS_read}), SECCOMP_RET_KILL_PROCESS);
}

TEST(DefaultFilter, KnowsTheNumbersOfI386AndX32) {
  const Filter filter;
  EXPECT_EQ(filter.i386({3}), allow);                    // read
  EXPECT_EQ(filter.i386({283}), error(EPERM));           // kexec_load
  EXPECT_EQ(filter.x86_64({x32 + 0}), allow);            // read
  EXPECT_EQ(filter.x86_64({x32 + 528}), error(EPERM));   // kexec_load
  EXPECT_EQ(filter.x86_64({x32 + 246}), error(ENOSYS));  // kexec_load of x86-64: no call of x32
  EXPECT_EQ(filter.i386({415}), error(ENOSYS));          // a hole in the table
  EXPECT_EQ(filter.i386({403}), allow);                  // clock_gettime64
}

// --- arguments ---

TEST(DefaultFilter, MakesSocketsOfTheUsualFamilies) {
  const Filter filter;
  for (std::uint32_t family = 0; family < 256; ++family) {
    const std::uint32_t expected = family == AF_ALG || family == AF_VSOCK ? error(EPERM) : allow;
    EXPECT_EQ(filter.x86_64({SYS_socket, family}), expected) << family;
    EXPECT_EQ(filter.i386({359, family}), expected) << family;
    EXPECT_EQ(filter.x86_64({x32 + 41, family}), expected) << family;
  }
}

// The kernel's `int family` has only the lower half of the register.
TEST(DefaultFilter, SeesAFamilyBehindUpperBits) {
  const Filter filter;
  for (const std::uint64_t upper : {0x100000000u, 0xffffffff00000000u, 0x8000000000000000u}) {
    EXPECT_EQ(filter.x86_64({SYS_socket, upper | AF_ALG}), error(EPERM));
    EXPECT_EQ(filter.x86_64({x32 + 41, upper | AF_VSOCK}), error(EPERM));
    EXPECT_EQ(filter.x86_64({SYS_socket, upper | AF_NETLINK, SOCK_RAW, upper | NETLINK_AUDIT}),
              error(EINVAL));
  }
}

TEST(DefaultFilter, MakesNoSocketBySocketcallWhoseArgumentsItCannotSee) {
  const Filter filter;
  constexpr std::uint32_t socketcall = 102;
  constexpr std::uint64_t sys_socket = 1;
  EXPECT_EQ(filter.i386({socketcall, sys_socket}), error(EPERM));
  EXPECT_EQ(filter.i386({socketcall, 0x500000000 | sys_socket}), error(EPERM));
  for (std::uint64_t call = 2; call <= 20; ++call) EXPECT_EQ(filter.i386({socketcall, call}), allow) << call;
  EXPECT_EQ(filter.i386({socketcall, 21}), error(ENOSYS));
  EXPECT_EQ(filter.i386({socketcall, 0}), error(ENOSYS));
}

TEST(DefaultFilter, TalksToAuditWithItsCapabilityOnly) {
  const Filter filter;
  const Call audit = {SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT};
  EXPECT_EQ(filter.x86_64(audit), error(EINVAL));
  EXPECT_EQ(filter.x86_64({SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE}), allow);
  EXPECT_EQ(filter.x86_64({SYS_socket, AF_INET, SOCK_RAW, NETLINK_AUDIT}), allow);
  EXPECT_EQ(Filter(default_and("AUDIT_WRITE")).x86_64(audit), allow);
  EXPECT_EQ(Filter(default_and("AUDIT_WRITE")).x86_64({SYS_socket, AF_ALG}), error(EPERM));
}

TEST(DefaultFilter, AllowsFivePersonalities) {
  const Filter filter;
  for (const std::uint64_t persona : {0x0ull, 0x8ull, 0x20000ull, 0x20008ull, 0xffffffffull, ~0ull}) {
    EXPECT_EQ(filter.x86_64({SYS_personality, persona}), allow) << persona;
    EXPECT_EQ(filter.i386({136, persona & 0xffffffff}), allow) << persona;
  }
  constexpr std::uint64_t no_randomize = 0x0040000, read_implies_exec = 0x0400000;
  EXPECT_EQ(filter.x86_64({SYS_personality, no_randomize}), error(ENOSYS));
  EXPECT_EQ(filter.x86_64({SYS_personality, read_implies_exec | 8}), error(ENOSYS));
}

// --- capabilities ---

struct OfCapability {
  const char* capability;
  std::vector<int> numbers;
};

TEST(DefaultFilter, OpensWithACapabilityWhatNeedsIt) {
  const OfCapability groups[] = {{"DAC_READ_SEARCH", {SYS_open_by_handle_at}},
                                 {"SYS_ADMIN",
                                  {SYS_bpf, SYS_perf_event_open, SYS_fanotify_init, SYS_quotactl,
                                   SYS_quotactl_fd, SYS_setdomainname, SYS_sethostname, SYS_lookup_dcookie}},
                                 {"BPF", {SYS_bpf}},
                                 {"PERFMON", {SYS_perf_event_open}},
                                 {"SYS_MODULE", {SYS_delete_module, SYS_finit_module, SYS_init_module}},
                                 {"SYS_PACCT", {SYS_acct}},
                                 {"SYS_PTRACE", {SYS_kcmp, SYS_process_madvise}},
                                 {"SYS_RAWIO", {SYS_ioperm, SYS_iopl}},
                                 {"SYS_TIME", {SYS_clock_settime, SYS_settimeofday}},
                                 {"SYS_TTY_CONFIG", {SYS_vhangup}}};
  const Filter without;
  for (const OfCapability& group : groups) {
    const Filter with(default_and(group.capability));
    for (const int number : group.numbers) {
      EXPECT_EQ(without.x86_64({static_cast<std::uint32_t>(number)}), error(EPERM)) << number;
      EXPECT_EQ(with.x86_64({static_cast<std::uint32_t>(number)}), allow)
          << group.capability << ' ' << number;
    }
  }
}

TEST(DefaultFilter, OneHalfOfSysAdminDoesNotOpenTheOther) {
  EXPECT_EQ(Filter(default_and("BPF")).x86_64({SYS_perf_event_open}), error(EPERM));
  EXPECT_EQ(Filter(default_and("PERFMON")).x86_64({SYS_bpf}), error(EPERM));
}

TEST(DefaultFilter, ClosesChrootToContainersThatDroppedIt) {
  const Filter filter(rootless::default_capabilities() & ~capability("SYS_CHROOT"));
  EXPECT_EQ(filter.x86_64({SYS_chroot}), error(EPERM));
}

TEST(DefaultFilter, NoCapabilityOpensTheBadOnes) {
  const Filter filter(~CapabilitySet{0});
  EXPECT_EQ(filter.x86_64({SYS_kexec_load}), error(EPERM));
  EXPECT_EQ(filter.x86_64({SYS_userfaultfd}), error(EPERM));
  EXPECT_EQ(filter.x86_64({SYS_socket, AF_ALG}), error(EPERM));
}

// --- built in ---

void expect_built_in(CapabilitySet capabilities) {
  const BuiltInFilter* const filter = find_built_in(capabilities);
  ASSERT_NE(filter, nullptr);
  const Program compiled = Filter(capabilities).program();
  ASSERT_EQ(filter->length, compiled.size());
  EXPECT_EQ(std::memcmp(filter->program, compiled.data(), compiled.size() * sizeof(sock_filter)), 0);
  EXPECT_LT(filter->length, 1000u);  // the time to load it goes with its length
}

TEST(BuiltInFilter, IsThatOfTheDefaultCapabilities) {
  expect_built_in(rootless::default_capabilities());
}

TEST(BuiltInFilter, IsThereWithoutAnyCapability) {
  expect_built_in(0);
}

TEST(BuiltInFilter, CapabilitiesWithoutARuleChangeNothing) {
  expect_built_in(default_and("NET_ADMIN"));
  expect_built_in(capability("NET_BIND_SERVICE"));
  expect_built_in(capability("SYS_CHROOT"));
}

TEST(BuiltInFilter, NoneIsThereForCapabilitiesThatOpenMore) {
  for (const char* name : {"SYS_ADMIN", "SYS_PTRACE", "AUDIT_WRITE", "BPF", "DAC_READ_SEARCH"})
    EXPECT_EQ(find_built_in(default_and(name)), nullptr) << name;
}

#endif

}  // namespace
}  // namespace knarr::engine::seccomp
