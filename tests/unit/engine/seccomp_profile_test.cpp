// SPDX-License-Identifier: Apache-2.0
// Profiles in files, what of them applies, and what the compiler makes of names.
#include <gmock/gmock.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <set>

#include "engine/seccomp/cached_filter.h"
#include "engine/seccomp/compile.h"
#include "engine/seccomp/profile_json.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "tests/unit/engine/bpf_machine.h"

namespace knarr::engine::seccomp {
namespace {

using knarr::testing::run_filter;
using rootless::CapabilitySet;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint32_t allow = SECCOMP_RET_ALLOW;

constexpr std::uint32_t error(int code) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(code);
}

CapabilitySet capability(const char* name) {
  return rootless::capability_bit(*rootless::parse_capability(name));
}

// A profile with one rule: {"names": ["read"], <members>}.
Profile with_rule(const std::string& members) {
  return parse_profile(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], )" + members +
                       "}]}");
}

std::string complaint(const std::string& text) {
  try {
    parse_profile(text);
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

std::string rule_complaint(const std::string& members) {
  return complaint(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], )" + members +
                   "}]}");
}

// --- files ---

TEST(ParseProfile, ReadsTheFormOfTheRuntimeSpec) {
  const Profile profile = parse_profile(R"({
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "flags": ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
    "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
                 {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7,
                  "args": [{"index": 0, "value": 2114060288, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]}]})");
  EXPECT_EQ(profile.default_action, Action::error);
  EXPECT_EQ(profile.default_error, ENOSYS);
  EXPECT_THAT(profile.architectures, ElementsAre("x86_64", "x86"));
  ASSERT_EQ(profile.rules.size(), 2u);
  EXPECT_THAT(profile.rules[0].names, ElementsAre("read", "write"));
  EXPECT_EQ(profile.rules[0].action, Action::allow);
  EXPECT_EQ(profile.rules[1].error, 7);
  EXPECT_THAT(profile.rules[1].arguments, ElementsAre(Argument{0, Comparison::masked_equal, 1, 2114060288}));
}

TEST(ParseProfile, ReadsWhatDockerAndPodmanAdd) {
  const Profile profile = parse_profile(R"({
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "defaultErrno": "ENOSYS", "comment": "x",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
                {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null}],
    "syscalls": [{"name": "bpf", "action": "SCMP_ACT_ERRNO", "args": null, "comment": "y", "errno": "EINVAL",
                  "includes": {"caps": ["CAP_BPF"], "arches": ["amd64"], "minKernel": "4.8"},
                  "excludes": {"caps": ["CAP_SYS_ADMIN"]}}]})");
  EXPECT_EQ(profile.default_error, ENOSYS);
  ASSERT_EQ(profile.families.size(), 2u);
  EXPECT_EQ(profile.families[0].native, "x86_64");
  EXPECT_THAT(profile.families[0].siblings, ElementsAre("x86"));
  const Rule& rule = profile.rules.at(0);
  EXPECT_THAT(rule.names, ElementsAre("bpf"));
  EXPECT_EQ(rule.error, EINVAL);
  EXPECT_EQ(rule.includes.capabilities, capability("BPF"));
  EXPECT_THAT(rule.includes.machines, ElementsAre("amd64"));
  EXPECT_EQ(rule.includes.min_kernel, (KernelVersion{4, 8}));
  EXPECT_EQ(rule.excludes.capabilities, capability("SYS_ADMIN"));
}

TEST(ParseProfile, AnErrorIsPermissionWithoutANumber) {
  EXPECT_EQ(with_rule(R"("action": "SCMP_ACT_ERRNO")").rules.at(0).error, EPERM);
}

TEST(ParseProfile, KnowsErrorsByTheirSynonyms) {
  EXPECT_EQ(with_rule(R"("action": "SCMP_ACT_ERRNO", "errno": "EWOULDBLOCK")").rules.at(0).error, EAGAIN);
  EXPECT_EQ(with_rule(R"("action": "SCMP_ACT_ERRNO", "errno": "ENOTSUP")").rules.at(0).error, EOPNOTSUPP);
}

TEST(ParseProfile, ConditionsOnTheSameArgumentAreAlternatives) {
  const Profile profile = with_rule(R"("action": "SCMP_ACT_ERRNO", "args": [
    {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}])");
  ASSERT_EQ(profile.rules.size(), 2u);
  EXPECT_THAT(profile.rules[0].arguments, ElementsAre(Argument{0, Comparison::equal, 1}));
  EXPECT_THAT(profile.rules[1].arguments, ElementsAre(Argument{0, Comparison::equal, 2}));
}

TEST(ParseProfile, ConditionsOnDifferentArgumentsBelongTogether) {
  const Profile profile = with_rule(R"("action": "SCMP_ACT_ERRNO", "args": [
    {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 2, "op": "SCMP_CMP_GE"}])");
  ASSERT_EQ(profile.rules.size(), 1u);
  EXPECT_EQ(profile.rules[0].arguments.size(), 2u);
}

TEST(ParseProfile, ErrorsNameThePlace) {
  EXPECT_THAT(complaint(""), HasSubstr("profile: not valid JSON"));
  EXPECT_THAT(complaint("[]"), HasSubstr("profile"));
  EXPECT_THAT(complaint("{}"), HasSubstr("profile.defaultAction"));
  EXPECT_EQ(complaint(R"({"defaultAction": "SCMP_ACT_NOSUCH"})"),
            "profile.defaultAction: unknown action \"SCMP_ACT_NOSUCH\"");
  EXPECT_EQ(rule_complaint(R"("action": "ALLOW")"), "profile.syscalls[0].action: unknown action \"ALLOW\"");
  EXPECT_THAT(rule_complaint(R"("comment": "")"), HasSubstr("profile.syscalls[0].action"));
  EXPECT_THAT(rule_complaint(R"("action": "SCMP_ACT_ERRNO", "errno": "ENOSUCH")"),
              HasSubstr("profile.syscalls[0].errno: unknown errno \"ENOSUCH\""));
  EXPECT_THAT(rule_complaint(R"("action": "SCMP_ACT_ERRNO", "errnoRet": 4096)"),
              HasSubstr("errnoRet: more than 4095"));
  EXPECT_THAT(rule_complaint(R"("action": "SCMP_ACT_ERRNO", "errnoRet": -1)"), HasSubstr("negative"));
  EXPECT_THAT(rule_complaint(R"("action": "SCMP_ACT_ALLOW", "args": [{"index": 6, "op": "SCMP_CMP_EQ"}])"),
              HasSubstr("args[0].index"));
  EXPECT_THAT(rule_complaint(R"("action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "op": "EQ"}])"),
              HasSubstr("args[0].op: unknown comparison \"EQ\""));
  EXPECT_THAT(rule_complaint(R"("action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_NOSUCH"]})"),
              HasSubstr("includes.caps[0]: unknown capability \"CAP_NOSUCH\""));
  EXPECT_THAT(rule_complaint(R"("action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "new"})"),
              HasSubstr("includes.minKernel"));
  EXPECT_THAT(rule_complaint(R"("action": "SCMP_ACT_ALLOW", "name": "write")"), HasSubstr("both"));
  EXPECT_THAT(complaint(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_ALLOW"}]})"),
              HasSubstr("profile.syscalls[0]: names no system call"));
  EXPECT_THAT(complaint(R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["amd64"]})"),
              HasSubstr("architectures[0]: unknown architecture \"amd64\""));
}

// runtime-spec, config-linux.md: the runtime MUST generate an error.
TEST(ParseProfile, ANumberForAnActionWithoutOneIsAnError) {
  EXPECT_THAT(rule_complaint(R"("action": "SCMP_ACT_KILL", "errnoRet": 1)"), HasSubstr("errnoRet"));
  EXPECT_THAT(complaint(R"({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1})"),
              HasSubstr("defaultErrnoRet"));
}

TEST(ParseProfile, RefusesWhatWouldBeIgnored) {
  EXPECT_THAT(rule_complaint(R"("action": "SCMP_ACT_NOTIFY")"),
              HasSubstr("SCMP_ACT_NOTIFY needs a listener"));
  EXPECT_THAT(complaint(R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/s"})"),
              HasSubstr("listener"));
  EXPECT_THAT(complaint(R"({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"]})"),
              HasSubstr("\"SECCOMP_FILTER_FLAG_LOG\" is not supported"));
  EXPECT_THAT(complaint(R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"],
                            "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]})"),
              HasSubstr("both"));
}

// --- what applies ---

TEST(SelectRules, DependOnCapabilitiesMachineAndKernel) {
  Profile profile;
  const auto add = [&profile](const char* name, Circumstances includes, Circumstances excludes) {
    profile.rules.push_back(
        {.names = {name}, .includes = std::move(includes), .excludes = std::move(excludes)});
  };
  const CapabilitySet chown = capability("CHOWN"), bpf = capability("BPF");
  add("always", {}, {});
  add("both", {.capabilities = chown | bpf}, {});
  add("one", {.capabilities = chown}, {});
  add("not with either", {}, {.capabilities = chown | bpf});
  add("not with bpf", {}, {.capabilities = bpf});
  add("here", {.machines = {"arm64", "amd64"}}, {});
  add("elsewhere", {.machines = {"arm64"}}, {});
  add("not here", {}, {.machines = {"amd64"}});
  add("since 4.8", {.min_kernel = {4, 8}}, {});
  add("since 4.10", {.min_kernel = {4, 10}}, {});
  add("before 4.8", {}, {.min_kernel = {4, 8}});
  add("before 4.10", {}, {.min_kernel = {4, 10}});
  std::vector<std::string> names;
  for (const Rule& rule :
       select_rules(profile, {.capabilities = chown, .architecture = "x86_64", .kernel = {4, 9}}))
    names.push_back(rule.names[0]);
  EXPECT_THAT(names, ElementsAre("always", "one", "not with bpf", "here", "since 4.8", "before 4.10"));
}

TEST(SelectArchitectures, TheNativeOneWithItsSiblings) {
  const Profile usual = default_profile();
  EXPECT_THAT(select_architectures(usual, {.architecture = "x86_64"}), ElementsAre("x86_64", "x86", "x32"));
  EXPECT_THAT(select_architectures(usual, {.architecture = "aarch64"}), ElementsAre("aarch64", "arm"));
  EXPECT_THAT(select_architectures(usual, {.architecture = "riscv64"}), ElementsAre("riscv64"));
  Profile listed;
  listed.architectures = {"x86", "x86_64"};
  EXPECT_THAT(select_architectures(listed, {.architecture = "x86_64"}), ElementsAre("x86_64", "x86"));
}

TEST(KernelVersion, IsTheBeginningOfARelease) {
  EXPECT_EQ(parse_kernel_version("6.18.3-generic"), (KernelVersion{6, 18}));
  EXPECT_EQ(parse_kernel_version("4.8"), (KernelVersion{4, 8}));
  EXPECT_EQ(parse_kernel_version("6.1+"), (KernelVersion{6, 1}));
  for (const char* text : {"", "4", "4.", "x.y", ".1", "-4.8"})
    EXPECT_FALSE(parse_kernel_version(text)) << text;
}

TEST(DefaultProfile, NamesEachCallOnceBesidesItsConditions) {
  std::set<std::string> seen;
  for (const Rule& rule : default_profile().rules) {
    const Circumstances& includes = rule.includes;
    if (!rule.arguments.empty() || includes.capabilities != 0 || !includes.machines.empty()) continue;
    for (const std::string& name : rule.names) EXPECT_TRUE(seen.insert(name).second) << name;
  }
}

// A misspelt name would be dropped silently, as one that this machine does not have.
TEST(DefaultProfile, NamesExist) {
  std::vector<std::string> unknown;
  for (const Rule& rule : default_profile().rules) {
    for (const std::string& name : rule.names) {
      if (seccomp_syscall_resolve_name(name.c_str()) == __NR_SCMP_ERROR) unknown.push_back(name);
    }
  }
  std::erase(unknown, "riscv_hwprobe");  // libseccomp learnt it with 2.6
  EXPECT_THAT(unknown, IsEmpty());
}

// --- names to numbers ---

#ifdef __x86_64__

Target machine(CapabilitySet capabilities = 0) {
  return {.capabilities = capabilities, .architecture = native_architecture(), .kernel = {6, 1}};
}

std::uint32_t verdict(const Program& program, std::uint32_t arch, std::uint32_t number,
                      std::uint64_t first = 0) {
  seccomp_data call{};
  call.arch = arch;
  call.nr = static_cast<int>(number);
  call.args[0] = first;
  return run_filter(program, call);
}

TEST(Compile, NamesThatNoMachineHasAreLeftOut) {
  Profile profile{.default_action = Action::allow};
  profile.rules.push_back({.names = {"no_such_call", "mkdir"}, .action = Action::error, .error = ENOSPC});
  const Program program = compile(profile, machine());
  EXPECT_EQ(verdict(program, AUDIT_ARCH_X86_64, SYS_mkdir), error(ENOSPC));
  EXPECT_EQ(verdict(program, AUDIT_ARCH_X86_64, SYS_read), allow);
}

TEST(Compile, AnUnknownArchitectureIsAnError) {
  Profile profile;
  profile.architectures = {"vax"};
  EXPECT_THROW(compile(profile, machine()), InvalidArgument);
}

TEST(Compile, EveryActionHasItsVerdict) {
  const std::pair<Action, std::uint32_t> verdicts[] = {{Action::allow, SECCOMP_RET_ALLOW},
                                                       {Action::error, SECCOMP_RET_ERRNO | 7},
                                                       {Action::trap, SECCOMP_RET_TRAP},
                                                       {Action::trace, SECCOMP_RET_TRACE | 7},
                                                       {Action::log, SECCOMP_RET_LOG},
                                                       {Action::kill_thread, SECCOMP_RET_KILL_THREAD},
                                                       {Action::kill_process, SECCOMP_RET_KILL_PROCESS}};
  for (const auto& [action, expected] : verdicts) {
    Profile profile{.default_action = Action::error};
    profile.rules.push_back({.names = {"mkdir"}, .action = action, .error = 7});
    EXPECT_EQ(verdict(compile(profile, machine()), AUDIT_ARCH_X86_64, SYS_mkdir), expected);
  }
}

// Without the architecture in the profile its calls must not slip through by another number.
TEST(Compile, X32IsNoWayAroundAProfileThatDoesNotNameIt) {
  Profile profile{.default_action = Action::allow};
  profile.rules.push_back({.names = {"mkdir"}, .action = Action::error});
  const Program program = compile(profile, machine());
  EXPECT_EQ(verdict(program, AUDIT_ARCH_X86_64, 0x40000000 + SYS_mkdir), error(ENOSYS));
  EXPECT_EQ(verdict(program, AUDIT_ARCH_I386, 39), SECCOMP_RET_KILL_PROCESS);
}

constexpr std::uint32_t i386_socketcall = 102, i386_ipc = 117, i386_connect = 362, i386_semget = 393;

TEST(Compile, ARuleHoldsForTheOtherWayToMakeTheCall) {
  Profile profile{.default_action = Action::allow};
  profile.architectures = {"x86"};
  profile.rules.push_back({.names = {"connect", "semget"}, .action = Action::error});
  const Program program = compile(profile, machine());
  EXPECT_EQ(verdict(program, AUDIT_ARCH_I386, i386_connect), error(EPERM));
  EXPECT_EQ(verdict(program, AUDIT_ARCH_I386, i386_socketcall, 3), error(EPERM));
  EXPECT_EQ(verdict(program, AUDIT_ARCH_I386, i386_socketcall, 2), allow);
  EXPECT_EQ(verdict(program, AUDIT_ARCH_I386, i386_semget), error(EPERM));
  EXPECT_EQ(verdict(program, AUDIT_ARCH_I386, i386_ipc, 2), error(EPERM));
  EXPECT_EQ(verdict(program, AUDIT_ARCH_I386, i386_ipc, 0x30002),
            error(EPERM));  // version 3 of the interface
  EXPECT_EQ(verdict(program, AUDIT_ARCH_I386, i386_ipc, 1), allow);
}

TEST(Compile, WhatCannotBeSeenIsNotAllowedAndIsRefused) {
  Profile profile{.default_action = Action::error, .default_error = ENOSYS};
  profile.architectures = {"x86"};
  const Argument local{0, Comparison::equal, 1};
  profile.rules.push_back({.names = {"socket"}, .action = Action::allow, .arguments = {local}});
  EXPECT_EQ(verdict(compile(profile, machine()), AUDIT_ARCH_I386, i386_socketcall, 1), error(ENOSYS));
  profile.rules = {{.names = {"socket"}, .action = Action::error, .error = EACCES, .arguments = {local}},
                   {.names = {"socket"}, .action = Action::allow}};
  EXPECT_EQ(verdict(compile(profile, machine()), AUDIT_ARCH_I386, i386_socketcall, 1), error(EACCES));
}

TEST(Compile, ARuleForSocketcallItselfComesInItsTurn) {
  Profile profile{.default_action = Action::error};
  profile.architectures = {"x86"};
  profile.rules = {{.names = {"socketcall"}, .action = Action::allow},
                   {.names = {"connect"}, .action = Action::error, .error = EACCES}};
  EXPECT_EQ(verdict(compile(profile, machine()), AUDIT_ARCH_I386, i386_socketcall, 3), allow);
}

// libseccomp's own compiler as a second opinion on every number.
class Reference {
 public:
  Reference(const std::vector<Rule>& rules, int default_error)
      : context_(seccomp_init(SCMP_ACT_ERRNO(default_error))) {
    seccomp_arch_add(context_, SCMP_ARCH_X86);
    seccomp_arch_add(context_, SCMP_ARCH_X32);
    for (const Rule& rule : rules) add(rule);
  }
  ~Reference() { seccomp_release(context_); }
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;

  Program program() const {
    const sys::UniqueFd file(::memfd_create("filter", MFD_CLOEXEC));
    if (seccomp_export_bpf(context_, file.get()) < 0 || ::lseek(file.get(), 0, SEEK_SET) < 0) return {};
    const std::string bytes = sys::read_all(file.get(), "filter");
    Program program(bytes.size() / sizeof(sock_filter));
    std::memcpy(program.data(), bytes.data(), bytes.size());
    return program;
  }

 private:
  void add(const Rule& rule) {
    const std::uint32_t action =
        rule.action == Action::allow ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(static_cast<unsigned>(rule.error));
    for (const std::string& name : rule.names) {
      const int number = seccomp_syscall_resolve_name(name.c_str());
      if (number != __NR_SCMP_ERROR) seccomp_rule_add(context_, action, number, 0);
    }
  }

  scmp_filter_ctx context_;
};

TEST(Compile, AgreesWithLibseccompOnEveryNumber) {
  for (const CapabilitySet capabilities :
       {CapabilitySet{0}, rootless::default_capabilities(), ~CapabilitySet{0}}) {
    Profile profile = default_profile();
    // Conditions are where the two differ on purpose.
    std::erase_if(profile.rules, [](const Rule& rule) { return !rule.arguments.empty(); });
    const Program ours = compile(profile, machine(capabilities));
    const Program theirs =
        Reference(select_rules(profile, machine(capabilities)), profile.default_error).program();
    ASSERT_FALSE(theirs.empty());
    for (const std::uint32_t base : {0u, 0x40000000u}) {
      for (std::uint32_t number = base; number < base + 1024; ++number)
        ASSERT_EQ(verdict(ours, AUDIT_ARCH_X86_64, number), verdict(theirs, AUDIT_ARCH_X86_64, number))
            << number;
    }
    for (std::uint32_t number = 0; number < 1024; ++number)
      ASSERT_EQ(verdict(ours, AUDIT_ARCH_I386, number), verdict(theirs, AUDIT_ARCH_I386, number)) << number;
  }
}

#endif

// --- the cache ---

Program some_program() {
  return {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
}

TEST(FilterKey, TellsProfilesAndCapabilitiesApart) {
  const std::set<std::string> keys = {filter_key(std::nullopt, 0), filter_key(std::nullopt, 1),
                                      filter_key("", 0), filter_key("{}", 0), filter_key("{}", 1)};
  EXPECT_EQ(keys.size(), 5u);
  EXPECT_EQ(filter_key("{}", 1), filter_key("{}", 1));
}

TEST(CachedFilter, ComesBackAsItWas) {
  const std::string key = filter_key("{}", 1);
  const auto program = parse_filter(key, render_filter(key, some_program()));
  ASSERT_TRUE(program);
  EXPECT_EQ(std::memcmp(program->data(), some_program().data(), 2 * sizeof(sock_filter)), 0);
}

TEST(CachedFilter, OfAnotherKeyIsNone) {
  const std::string file = render_filter(filter_key("{}", 1), some_program());
  EXPECT_FALSE(parse_filter(filter_key("{}", 2), file));
}

TEST(CachedFilter, EveryDamageIsSeen) {
  const std::string key = filter_key("{}", 1);
  const std::string file = render_filter(key, some_program());
  for (std::size_t length = 0; length < file.size(); ++length)
    EXPECT_FALSE(parse_filter(key, std::string_view(file).substr(0, length))) << length;
  for (std::size_t at = 0; at < file.size(); ++at) {
    std::string damaged = file;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(parse_filter(key, damaged)) << at;
  }
  EXPECT_FALSE(parse_filter(key, file + std::string(8, '\0')));
  EXPECT_FALSE(parse_filter(key, render_filter(key, {})));
}

}  // namespace
}  // namespace knarr::engine::seccomp
