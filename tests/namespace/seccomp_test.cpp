// SPDX-License-Identifier: Apache-2.0
// The default filter in the kernel: each probe runs in a child of its own, with the filter and without, so
// that a refusal is the filter's.
#include <gmock/gmock.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "engine/seccomp/built_in.h"
#include "rootless/sys/process.h"

namespace knarr::engine::seccomp {
namespace {

using Probe = std::function<long()>;  // 0 or an errno

long error_of(long result) {
  return result < 0 ? errno : 0;
}

bool load_default_filter() {
  const BuiltInFilter* const filter = find_built_in(rootless::default_capabilities());
  if (!filter) return false;
  const sock_fprog program{static_cast<unsigned short>(filter->length),
                           const_cast<sock_filter*>(filter->program)};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) == 0;
}

// 200: no filter; 128 + N: killed by signal N.
int run(bool filtered, const Probe& probe) {
  const pid_t child = sys::fork_child([&] {
    if (filtered && !load_default_filter()) return 200;
    return static_cast<int>(probe());
  });
  return sys::wait_child(child).code;
}

int with_filter(const Probe& probe) {
  return run(true, probe);
}
int without_filter(const Probe& probe) {
  return run(false, probe);
}

Probe open_socket(int family, int protocol = 0) {
  return [=] { return error_of(::socket(family, SOCK_RAW, protocol)); };
}

TEST(LoadedFilter, LetsOrdinaryProgramsWork) {
  EXPECT_EQ(with_filter([] { return error_of(::getpid() > 0 ? 0 : -1); }), 0);
  EXPECT_EQ(with_filter([]() -> long {
              const pid_t child = ::fork();
              if (child == 0) ::execl("/bin/true", "true", nullptr);
              int status = -1;
              ::waitpid(child, &status, 0);
              return status;
            }),
            0);
}

TEST(LoadedFilter, LetsPrivilegeInAUserNamespaceWork) {
  const Probe nest = [] { return error_of(::unshare(CLONE_NEWUSER | CLONE_NEWNS)); };
  if (without_filter(nest) != 0) GTEST_SKIP() << "this machine refuses user namespaces";
  EXPECT_EQ(with_filter(nest), 0);
}

// Bad arguments: the kernel itself would answer EINVAL, EFAULT or, without privilege, EPERM late.
TEST(LoadedFilter, RefusesBeforeTheKernelLooks) {
  const Probe userfaultfd = [] { return error_of(::syscall(SYS_userfaultfd, ~0ul)); };
  EXPECT_EQ(without_filter(userfaultfd), EINVAL);
  EXPECT_EQ(with_filter(userfaultfd), EPERM);
  const Probe bpf = [] { return error_of(::syscall(SYS_bpf, -1, nullptr, 0)); };
  EXPECT_NE(without_filter(bpf), 0);
  EXPECT_EQ(with_filter(bpf), EPERM);
}

TEST(LoadedFilter, HidesCallsItDoesNotKnow) {
  const Probe statmount = [] { return error_of(::syscall(457, nullptr, nullptr, 0, 0)); };
  EXPECT_EQ(with_filter(statmount), ENOSYS);
  const Probe add_key = [] { return error_of(::syscall(SYS_add_key, nullptr, nullptr, nullptr, 0, 0)); };
  EXPECT_EQ(without_filter(add_key), EFAULT);
  EXPECT_EQ(with_filter(add_key), ENOSYS);
}

TEST(LoadedFilter, OpensSocketsButForCryptoVirtualMachinesAndAudit) {
  const Probe unix_socket = [] { return error_of(::socket(AF_UNIX, SOCK_STREAM, 0)); };
  EXPECT_EQ(with_filter(unix_socket), 0);
  EXPECT_EQ(with_filter(open_socket(AF_NETLINK, NETLINK_ROUTE)), 0);
  EXPECT_EQ(with_filter(open_socket(AF_ALG)), EPERM);
  EXPECT_EQ(with_filter(open_socket(AF_VSOCK)), EPERM);
  EXPECT_EQ(with_filter(open_socket(AF_NETLINK, NETLINK_AUDIT)), EINVAL);
  EXPECT_NE(without_filter(open_socket(AF_ALG)), EPERM);
}

#ifdef __x86_64__

TEST(LoadedFilter, SeesTheFamilyTheKernelWillSee) {
  const auto with_upper_bits = [](long family) {
    return [=] { return error_of(::syscall(SYS_socket, 0x100000000 | family, SOCK_DGRAM, 0)); };
  };
  // The kernel drops the upper half...
  EXPECT_EQ(without_filter(with_upper_bits(AF_UNIX)), 0);
  EXPECT_EQ(with_filter(with_upper_bits(AF_UNIX)), 0);
  // ...so a family behind it is the same family.
  EXPECT_EQ(with_filter(with_upper_bits(AF_ALG)), EPERM);
}

// A system call of i386 by a 64-bit process.
long call_i386(long number, long first, const void* second) {
  long result;
  asm volatile("int $0x80"
               : "=a"(result)
               : "a"(number), "b"(first), "c"(second)
               : "memory", "r8", "r9", "r10", "r11");
  return -static_cast<int>(result);
}

// Arguments where an address of 32 bits reaches.
const std::uint32_t* socketcall_arguments(std::uint32_t family) {
  void* const page =
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (page == MAP_FAILED) return nullptr;
  auto* const arguments = static_cast<std::uint32_t*>(page);
  arguments[0] = family;
  arguments[1] = SOCK_STREAM;
  return arguments;
}

TEST(LoadedFilter, HasNoBackDoorInSocketcall) {
  constexpr long i386_socketcall = 102, i386_getpid = 20, sys_socket = 1, sys_socketpair = 8;
  if (without_filter([] { return call_i386(i386_getpid, 0, nullptr) < 0 ? 0 : 1; }) != 0)
    GTEST_SKIP() << "this kernel does not run programs of i386";
  const Probe make_socket = [] {
    const long error = call_i386(i386_socketcall, sys_socket, socketcall_arguments(AF_UNIX));
    return error < 0 ? 0 : error;  // a descriptor is a negative error
  };
  EXPECT_EQ(without_filter(make_socket), 0);
  EXPECT_EQ(with_filter(make_socket), EPERM);
  // The others go through: EFAULT is what the kernel says to the missing place for two descriptors.
  EXPECT_EQ(
      with_filter([] { return call_i386(i386_socketcall, sys_socketpair, socketcall_arguments(AF_UNIX)); }),
      EFAULT);
}

#endif

}  // namespace
}  // namespace knarr::engine::seccomp
