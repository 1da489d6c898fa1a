// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <linux/audit.h>

#include <algorithm>

#include "engine/seccomp/program.h"
#include "rootless/sys/error.h"
#include "tests/unit/engine/bpf_machine.h"

namespace knarr::engine::seccomp {
namespace {

using knarr::testing::run_filter;

constexpr Verdict allow = SECCOMP_RET_ALLOW, otherwise = SECCOMP_RET_ERRNO | ENOSYS,
                  matched = SECCOMP_RET_LOG;

std::uint32_t verdict(const Program& program, std::uint32_t arch, std::uint32_t number,
                      std::uint64_t third_argument = 0) {
  seccomp_data call{};
  call.arch = arch;
  call.nr = static_cast<int>(number);
  call.args[2] = third_argument;
  return run_filter(program, call);
}

bool holds(const Argument& argument, std::uint64_t value) {
  switch (argument.comparison) {
    case Comparison::not_equal:
      return value != argument.value;
    case Comparison::less:
      return value < argument.value;
    case Comparison::less_equal:
      return value <= argument.value;
    case Comparison::equal:
      return value == argument.value;
    case Comparison::greater_equal:
      return value >= argument.value;
    case Comparison::greater:
      return value > argument.value;
    case Comparison::masked_equal:
      return (value & argument.mask) == argument.value;
  }
  return false;
}

constexpr std::uint64_t corners[] = {0,
                                     1,
                                     5,
                                     0x7fffffff,
                                     0x80000000,
                                     0xfffffffe,
                                     0xffffffff,
                                     0x100000000,
                                     0x100000001,
                                     0x500000005,
                                     0x8000000000000000,
                                     0xffffffff00000000,
                                     0xfffffffffffffffe,
                                     0xffffffffffffffff};
constexpr Comparison comparisons[] = {
    Comparison::not_equal,     Comparison::less,    Comparison::less_equal,  Comparison::equal,
    Comparison::greater_equal, Comparison::greater, Comparison::masked_equal};

Program of_condition(std::uint32_t arch, const Argument& argument) {
  return assemble({{.arch = arch, .calls = {{7, {{{argument}, matched}}}}}}, otherwise);
}

TEST(Program, ComparesWholeRegisters) {
  for (const Comparison comparison : comparisons) {
    for (const std::uint64_t bound : corners) {
      for (const std::uint64_t mask : corners) {
        const Argument argument{2, comparison, bound, comparison == Comparison::masked_equal ? mask : 0};
        const Program program = of_condition(AUDIT_ARCH_X86_64, argument);
        for (const std::uint64_t value : corners) {
          ASSERT_EQ(verdict(program, AUDIT_ARCH_X86_64, 7, value) == matched, holds(argument, value))
              << static_cast<int>(comparison) << ' ' << std::hex << value << ' ' << bound << ' ' << mask;
        }
      }
    }
  }
}

TEST(Program, ComparesTheLowerHalfWhereARegisterHasNoOther) {
  for (const Comparison comparison : comparisons) {
    if (comparison == Comparison::masked_equal) continue;
    for (const std::uint64_t bound : corners) {
      if (bound > 0xffffffff) continue;
      const Argument argument{2, comparison, bound};
      const Program program = of_condition(AUDIT_ARCH_I386, argument);
      for (const std::uint64_t value : corners) {
        if (value > 0xffffffff) continue;
        ASSERT_EQ(verdict(program, AUDIT_ARCH_I386, 7, value) == matched, holds(argument, value))
            << static_cast<int>(comparison) << ' ' << value << ' ' << bound;
      }
    }
  }
}

// -1 in a profile has 64 bits set, in a register of 32 bits there are fewer.
TEST(Program, MinusOneIsMinusOneIn32Bits) {
  const std::uint64_t minus_one = ~std::uint64_t{0};
  EXPECT_EQ(verdict(of_condition(AUDIT_ARCH_I386, {2, Comparison::equal, minus_one}), AUDIT_ARCH_I386, 7,
                    0xffffffff),
            matched);
}

TEST(Program, NoRegisterOf32BitsReachesMore) {
  constexpr std::uint64_t beyond = 0x100000000;
  for (const std::uint64_t value : {0u, 5u, 0xffffffffu}) {
    const auto result = [value](Comparison comparison) {
      return verdict(of_condition(AUDIT_ARCH_I386, {2, comparison, beyond}), AUDIT_ARCH_I386, 7, value);
    };
    EXPECT_EQ(result(Comparison::less), matched);
    EXPECT_EQ(result(Comparison::less_equal), matched);
    EXPECT_EQ(result(Comparison::greater), otherwise);
    EXPECT_EQ(result(Comparison::greater_equal), otherwise);
  }
}

TEST(Program, FindsTheHalvesInBigEndianOrderToo) {
  const Program program = of_condition(AUDIT_ARCH_S390X, {0, Comparison::equal, 0x100000002});
  seccomp_data call{};
  call.arch = AUDIT_ARCH_S390X;
  call.nr = 7;
  const std::uint32_t halves[] = {1, 2};  // as that machine has them in memory
  std::memcpy(&call.args[0], halves, sizeof(halves));
  EXPECT_EQ(run_filter(program, call), matched);
}

TEST(Program, AllConditionsOfACaseMustHold) {
  const Cases cases = {{{{0, Comparison::equal, 1}, {2, Comparison::equal, 3}}, matched}};
  const Program program = assemble({{.arch = AUDIT_ARCH_X86_64, .calls = {{7, cases}}}}, otherwise);
  seccomp_data call{};
  call.arch = AUDIT_ARCH_X86_64;
  call.nr = 7;
  EXPECT_EQ(run_filter(program, call), otherwise);
  call.args[0] = 1;
  EXPECT_EQ(run_filter(program, call), otherwise);
  call.args[2] = 3;
  EXPECT_EQ(run_filter(program, call), matched);
  call.args[0] = 2;
  EXPECT_EQ(run_filter(program, call), otherwise);
}

TEST(Program, TheFirstCaseThatMatchesCounts) {
  const Cases cases = {
      {{{2, Comparison::less, 10}}, matched}, {{}, allow}, {{{2, Comparison::equal, 50}}, otherwise}};
  const Program program = assemble({{.arch = AUDIT_ARCH_X86_64, .calls = {{7, cases}}}}, otherwise);
  EXPECT_EQ(verdict(program, AUDIT_ARCH_X86_64, 7, 9), matched);
  EXPECT_EQ(verdict(program, AUDIT_ARCH_X86_64, 7, 10), allow);
  EXPECT_EQ(verdict(program, AUDIT_ARCH_X86_64, 7, 50), allow);
}

// More calls than a conditional jump reaches, no two of them alike.
TEST(Program, JumpsFar) {
  CallTable table{.arch = AUDIT_ARCH_X86_64};
  for (std::uint32_t number = 0; number < 900; ++number)
    table.calls[number] = {{{}, SECCOMP_RET_TRACE | number}};
  const Program program =
      assemble({table, {.arch = AUDIT_ARCH_I386, .calls = {{3, {{{}, allow}}}}}}, otherwise);
  for (std::uint32_t number = 0; number < 900; ++number)
    ASSERT_EQ(verdict(program, AUDIT_ARCH_X86_64, number), SECCOMP_RET_TRACE | number);
  EXPECT_EQ(verdict(program, AUDIT_ARCH_X86_64, 900), otherwise);
  EXPECT_EQ(verdict(program, AUDIT_ARCH_I386, 3), allow);
  EXPECT_EQ(verdict(program, AUDIT_ARCH_ARM, 3), SECCOMP_RET_KILL_PROCESS);
}

TEST(Program, NeighboursWithTheSameVerdictCostNothing) {
  CallTable few{.arch = AUDIT_ARCH_X86_64}, many = few;
  few.calls[10] = {{{}, allow}};
  for (std::uint32_t number = 10; number < 300; ++number) many.calls[number] = {{{}, allow}};
  EXPECT_EQ(assemble({few}, otherwise).size(), assemble({many}, otherwise).size());
}

// Every other call is allowed: as many ranges as calls, and a return for each would be as many again.
TEST(Program, BranchesShareTheirReturns) {
  CallTable table{.arch = AUDIT_ARCH_X86_64};
  for (std::uint32_t number = 0; number < 600; number += 2) table.calls[number] = {{{}, allow}};
  const Program program = assemble({table}, otherwise);
  const auto returns = std::count_if(program.begin(), program.end(), [](const sock_filter& instruction) {
    return BPF_CLASS(instruction.code) == BPF_RET;
  });
  EXPECT_LT(returns, 12);
  EXPECT_LT(program.size(), 640u);
  for (std::uint32_t number = 0; number < 600; ++number)
    ASSERT_EQ(verdict(program, AUDIT_ARCH_X86_64, number), number % 2 == 0 ? allow : otherwise) << number;
  EXPECT_EQ(verdict(program, AUDIT_ARCH_ARM, 2), SECCOMP_RET_KILL_PROCESS);
}

TEST(Program, NumbersBehindTheEndAreNoCallsEvenWhereAllElseIsAllowed) {
  const Program program = assemble({{.arch = AUDIT_ARCH_X86_64, .calls = {}, .end = 0x40000000}}, allow);
  EXPECT_EQ(verdict(program, AUDIT_ARCH_X86_64, 0x3fffffff), allow);
  EXPECT_EQ(verdict(program, AUDIT_ARCH_X86_64, 0x40000000), SECCOMP_RET_ERRNO | ENOSYS);
  EXPECT_EQ(verdict(program, AUDIT_ARCH_X86_64, 0xffffffff), SECCOMP_RET_ERRNO | ENOSYS);
}

TEST(Program, WithoutCallsHasTheDefault) {
  EXPECT_EQ(verdict(assemble({{.arch = AUDIT_ARCH_X86_64}}, allow), AUDIT_ARCH_X86_64, 1), allow);
}

TEST(Program, LongerThanTheKernelTakesIsAnError) {
  CallTable table{.arch = AUDIT_ARCH_X86_64};
  for (std::uint32_t number = 0; number < 3000; ++number)
    table.calls[number] = {{{}, SECCOMP_RET_TRACE | number}};
  EXPECT_THROW(assemble({table}, otherwise), InvalidArgument);
}

}  // namespace
}  // namespace knarr::engine::seccomp
