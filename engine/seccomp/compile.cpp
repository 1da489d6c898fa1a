// SPDX-License-Identifier: Apache-2.0
#include "engine/seccomp/compile.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include <cstdlib>
#include <memory>
#include <optional>

#include "rootless/sys/error.h"

namespace knarr::engine::seccomp {

namespace {

// Above every number of an x86-64 call; x32 calls begin here (asm/unistd.h).
constexpr std::uint32_t x32_bit = 0x40000000;

Verdict verdict_of(Action action, int error) {
  const auto data = static_cast<Verdict>(error) & SECCOMP_RET_DATA;
  switch (action) {
    case Action::allow:
      return SECCOMP_RET_ALLOW;
    case Action::error:
      return SECCOMP_RET_ERRNO | data;
    case Action::trap:
      return SECCOMP_RET_TRAP;
    case Action::trace:
      return SECCOMP_RET_TRACE | data;
    case Action::log:
      return SECCOMP_RET_LOG;
    case Action::kill_thread:
      return SECCOMP_RET_KILL_THREAD;
    case Action::kill_process:
      return SECCOMP_RET_KILL_PROCESS;
  }
  return SECCOMP_RET_KILL_PROCESS;
}

bool lets_run(Action action) {
  return action == Action::allow || action == Action::log;
}

std::uint32_t architecture_token(const std::string& name) {
  const std::uint32_t token = seccomp_arch_resolve_name(name.c_str());
  if (token == 0) throw InvalidArgument(concat("unknown architecture \"", name, '"'));
  return token;
}

// One of the calls that socketcall(2) or ipc(2) serves: which one, and how its first argument names it.
struct Multiplexed {
  const char* call;
  Argument selector;
};

// The numbers of one architecture.
class Numbers {
 public:
  explicit Numbers(std::uint32_t token) : token_(token) {}

  std::optional<std::uint32_t> find(const std::string& name) {
    const int number = resolve(name);
    if (number >= 0) return static_cast<std::uint32_t>(number);
    return multiplexed(number) ? find_direct(name) : std::nullopt;
  }

  std::optional<Multiplexed> find_multiplexed(const std::string& name) const {
    return multiplexed(resolve(name));
  }

 private:
  int resolve(const std::string& name) const {
    return seccomp_syscall_resolve_name_arch(token_, name.c_str());
  }

  // libseccomp answers -100-N for what socketcall(N) does and -200-N for ipc(N), where there are such calls.
  std::optional<Multiplexed> multiplexed(int number) const {
    constexpr std::uint64_t ipc_call_bits = 0xffff;  // above them is a version of the interface
    const auto by = [this](const char* call, int selected, std::uint64_t mask) -> std::optional<Multiplexed> {
      if (resolve(call) < 0) return std::nullopt;
      return Multiplexed{call,
                         {.index = 0,
                          .comparison = Comparison::masked_equal,
                          .value = static_cast<std::uint64_t>(selected),
                          .mask = mask}};
    };
    if (number <= -101 && number >= -120) return by("socketcall", -100 - number, 0xffffffff);
    if (number <= -201 && number >= -224) return by("ipc", -200 - number, ipc_call_bits);
    return std::nullopt;
  }

  // Since Linux 4.3 and 5.1 these calls have numbers of their own too, which libseccomp tells only the other
  // way round.
  std::optional<std::uint32_t> find_direct(const std::string& name) {
    if (direct_.empty()) read_direct();
    const auto found = direct_.find(name);
    if (found == direct_.end()) return std::nullopt;
    return found->second;
  }

  void read_direct() {
    constexpr int beyond_last = 1024;
    for (int number = 0; number < beyond_last; ++number) {
      const std::unique_ptr<char, decltype(&std::free)> name(seccomp_syscall_resolve_num_arch(token_, number),
                                                             &std::free);
      if (name) direct_.emplace(name.get(), static_cast<std::uint32_t>(number));
    }
  }

  std::uint32_t token_;
  std::map<std::string, std::uint32_t> direct_;
};

void add_rule(const Rule& rule, Numbers& numbers, std::map<std::uint32_t, Cases>& calls) {
  const Verdict verdict = verdict_of(rule.action, rule.error);
  for (const std::string& name : rule.names) {
    if (const auto number = numbers.find(name)) calls[*number].push_back({rule.arguments, verdict});
    const bool blind = !rule.arguments.empty() && lets_run(rule.action);
    if (const auto other = numbers.find_multiplexed(name); other && !blind)
      calls[*numbers.find(other->call)].push_back({{other->selector}, verdict});
  }
}

void add_architecture(std::uint32_t token, const std::vector<Rule>& rules, std::vector<CallTable>& tables) {
  const bool is_x32 = token == SCMP_ARCH_X32;
  const std::uint32_t arch = is_x32 ? AUDIT_ARCH_X86_64 : token;
  CallTable* table = nullptr;
  for (CallTable& existing : tables) {
    if (existing.arch == arch) table = &existing;
  }
  if (!table) {
    const bool ends_at_x32 = token == SCMP_ARCH_X86_64;
    table = &tables.emplace_back(CallTable{.arch = arch, .calls = {}, .end = ends_at_x32 ? x32_bit : no_end});
  }
  if (is_x32) table->end = no_end;
  Numbers numbers(token);
  for (const Rule& rule : rules) add_rule(rule, numbers, table->calls);
}

}  // namespace

std::string native_architecture() {
  struct Name {
    std::uint32_t token;
    const char* name;
  };
  constexpr Name names[] = {
      {SCMP_ARCH_X86, "x86"},           {SCMP_ARCH_X86_64, "x86_64"},           {SCMP_ARCH_X32, "x32"},
      {SCMP_ARCH_ARM, "arm"},           {SCMP_ARCH_AARCH64, "aarch64"},         {SCMP_ARCH_MIPS, "mips"},
      {SCMP_ARCH_MIPS64, "mips64"},     {SCMP_ARCH_MIPS64N32, "mips64n32"},     {SCMP_ARCH_MIPSEL, "mipsel"},
      {SCMP_ARCH_MIPSEL64, "mipsel64"}, {SCMP_ARCH_MIPSEL64N32, "mipsel64n32"}, {SCMP_ARCH_PPC, "ppc"},
      {SCMP_ARCH_PPC64, "ppc64"},       {SCMP_ARCH_PPC64LE, "ppc64le"},         {SCMP_ARCH_S390, "s390"},
      {SCMP_ARCH_S390X, "s390x"},       {SCMP_ARCH_RISCV64, "riscv64"}};
  const std::uint32_t native = seccomp_arch_native();
  for (const Name& item : names) {
    if (item.token == native) return item.name;
  }
  throw Unsupported("libseccomp does not know this machine's architecture");
}

bool is_architecture(const std::string& name) {
  return seccomp_arch_resolve_name(name.c_str()) != 0;
}

Program compile(const Profile& profile, const Target& target) {
  const std::vector<Rule> rules = select_rules(profile, target);
  std::vector<CallTable> tables;
  for (const std::string& architecture : select_architectures(profile, target))
    add_architecture(architecture_token(architecture), rules, tables);
  return assemble(tables, verdict_of(profile.default_action, profile.default_error));
}

}  // namespace knarr::engine::seccomp
