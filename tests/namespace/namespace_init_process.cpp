// SPDX-License-Identifier: Apache-2.0
// What init makes of Plan::Process: who the process is, what it may do, what it has and how it ends.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "rootless/sys/process.h"
#include "tests/namespace/init_container.h"

namespace knarr::test {
namespace {

using engine::init::Limit;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Kind = Operation::Kind;

std::string describe(const Outcome& outcome) {
  const Report failure = outcome.failure();
  return "spawn step " + std::to_string(static_cast<int>(outcome.spawn.step)) + " errno " +
         std::to_string(outcome.spawn.error) + "; step " + std::to_string(static_cast<int>(failure.step)) +
         " index " + std::to_string(failure.index) + ": " + std::strerror(failure.error) + "; status " +
         std::to_string(outcome.status) + "\n" + outcome.output;
}

class InitProcess : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override { container.mount_proc(); }

  std::string output_of(const std::string& commands) {
    container.script(commands);
    const Outcome outcome = container.run();
    EXPECT_TRUE(outcome.started()) << describe(outcome);
    return outcome.output;
  }
  void expect_failure(const Outcome& outcome, Step step, std::uint32_t index, int error) {
    EXPECT_EQ(outcome.failure().step, step) << describe(outcome);
    EXPECT_EQ(outcome.failure().index, index) << describe(outcome);
    EXPECT_EQ(outcome.failure().error, error) << describe(outcome);
    EXPECT_EQ(outcome.exit_code(), 125);
  }

  Container container{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Every, InitProcess, ::testing::ValuesIn(every_caller()),
                         [](const auto& test) { return way_name(test.param); });

// The same where fallbacks for missing system calls exist.
class InitProcessWithShims : public InitProcess {};
INSTANTIATE_TEST_SUITE_P(Every, InitProcessWithShims, ::testing::ValuesIn(all_ways()),
                         [](const auto& test) { return way_name(test.param); });

// --- users and groups ------------------------------------------------------------------------------------

class InitUsers : public InitProcess {
 protected:
  void SetUp() override {
    InitProcess::SetUp();
    container.make_file(container.rootfs("/etc/passwd"),
                        "root:x:0:0:root:/root:/bin/sh\n"
                        "app:x:1000:1001:App:/home/app:/bin/sh\n"
                        "1234:x:0:0:a name of digits:/evil:/bin/sh\n");
    container.make_file(container.rootfs("/etc/group"),
                        "root:x:0:\napp:x:1001:\nwheel:x:10:root,app\naudio:x:29:app\nvideo:x:44:other\n");
  }
  std::string ids(const char* user) {
    container.plan.process.user = user;
    return output_of("echo $(id -u) $(id -g) $(id -G) $HOME");
  }
  Outcome start_as(const char* user) {
    container.plan.process.user = user;
    return container.run();
  }
};

INSTANTIATE_TEST_SUITE_P(Every, InitUsers, ::testing::ValuesIn(every_caller()),
                         [](const auto& test) { return way_name(test.param); });

TEST_P(InitUsers, RootIsTheDefaultWithItsGroups) {
  const std::string expected = container.has_many_ids() ? "0 0 0 10 /root\n" : "0 0 0 /root\n";
  EXPECT_EQ(ids(nullptr), expected);
  EXPECT_EQ(ids(""), expected);
  EXPECT_EQ(ids("root"), expected);
  EXPECT_EQ(ids("0"), expected);
}

TEST_P(InitUsers, EverySpecOfTheTableMeansWhatItSays) {
  if (!container.has_many_ids()) GTEST_SKIP() << "a namespace of one id has no other users";
  const struct {
    const char* spec;
    const char* expected;
  } cases[] = {
      {"app", "1000 1001 1001 10 29 /home/app\n"},
      {"1000", "1000 1001 1001 10 29 /home/app\n"},
      {"app:", "1000 1001 1001 10 29 /home/app\n"},
      {"app:video", "1000 44 44 /home/app\n"},
      {"app:44", "1000 44 44 /home/app\n"},
      {"1000:29", "1000 29 29 /home/app\n"},
      {"1", "1 0 0 /\n"},
      {"1:", "1 0 0 /\n"},
      {"01", "1 0 0 /\n"},
      {"1:2", "1 2 2 /\n"},
      {":2", "0 2 2 /root\n"},
      {"1234", "1234 0 0 /\n"},  // a number is never a name
  };
  for (const auto& one : cases) EXPECT_EQ(ids(one.spec), one.expected) << one.spec;
}

TEST_P(InitUsers, WhatIsNeitherANumberNorANameIsRefused) {
  const struct {
    const char* spec;
    Step step;
    int error;
  } cases[] = {
      {"nobody-here", Step::resolve_user, ENOENT},
      {"+1", Step::resolve_user, ENOENT},
      {" 1", Step::resolve_user, ENOENT},
      {"-1", Step::resolve_user, ENOENT},
      {"1 ", Step::resolve_user, ENOENT},
      {"0x1", Step::resolve_user, ENOENT},
      {"4294967295", Step::resolve_user, ERANGE},
      {"4294967296", Step::resolve_user, ERANGE},
      {"99999999999999999999999", Step::resolve_user, ERANGE},
      {"0:nobody-here", Step::resolve_group, ENOENT},
      {"0:4294967295", Step::resolve_group, ERANGE},
      {"root:0:0", Step::resolve_group, ENOENT},
  };
  for (const auto& one : cases) {
    const Outcome outcome = start_as(one.spec);
    EXPECT_FALSE(outcome.started()) << one.spec;
    expect_failure(outcome, one.step, 0, one.error);
  }
}

TEST_P(InitUsers, AddedGroupsAreNamesOrNumbers) {
  if (!container.has_many_ids()) GTEST_SKIP() << "a namespace of one id has no other groups";
  const char* const extra[] = {"video", "77", "audio"};
  container.plan.process.extra_groups = {extra, 3};
  EXPECT_EQ(ids("app"), "1000 1001 1001 10 29 44 77 /home/app\n");
  EXPECT_EQ(ids("1:2"), "1 2 2 29 44 77 /\n");
}

TEST_P(InitUsers, AnAddedGroupThatDoesNotExistIsNamedByItsIndex) {
  const char* const extra[] = {"audio", "no-such-group"};
  container.plan.process.extra_groups = {extra, 2};
  expect_failure(start_as("root"), Step::resolve_group, 2, ENOENT);
}

TEST_P(InitUsers, GroupsOfTheImageWithoutAnIdHereAreLeftOutButAddedOnesAreNot) {
  if (GetParam().caller != Caller::root_with_map) GTEST_SKIP() << "needs a map with a gap";
  container.make_file(container.rootfs("/etc/group"), "far:x:70000:app\naudio:x:29:app\n");
  EXPECT_EQ(ids("app"), "1000 1001 1001 29 /home/app\n");
  const char* const extra[] = {"70000"};
  container.plan.process.extra_groups = {extra, 1};
  expect_failure(start_as("app"), Step::groups, 0, EINVAL);
}

TEST_P(InitUsers, AUserThatTheNamespaceHasNoIdForIsRefused) {
  if (GetParam().caller == Caller::root) GTEST_SKIP() << "the machine has all ids";
  expect_failure(start_as("70000:0"), Step::user_ids, 0, EINVAL);
}

TEST_P(InitUsers, KeepGroupsKeepsThoseOfTheCaller) {
  container.plan.process.keep_groups = true;
  container.plan.process.user = "0";
  EXPECT_THAT(output_of("id -G; grep Groups /proc/self/status"), StartsWith("0"));
}

TEST_P(InitUsers, HomeOfTheEnvironmentStays) {
  container.environment({"HOME=/elsewhere"});
  EXPECT_EQ(output_of("echo $HOME; env | grep -c HOME="), "/elsewhere\n1\n");
}

TEST_P(InitUsers, AnImageWithoutUsersHasNumbers) {
  ::unlink(container.rootfs("/etc/passwd").c_str());
  ::unlink(container.rootfs("/etc/group").c_str());
  EXPECT_EQ(ids("0:0"), "0 0 0 /\n");
  expect_failure(start_as("root"), Step::resolve_user, 0, ENOENT);
}

TEST_P(InitUsers, PasswdIsNotReadThroughLinksOfProcOrFromAFifo) {
  ::unlink(container.rootfs("/etc/passwd").c_str());
  ASSERT_EQ(::mkfifo(container.rootfs("/etc/passwd").c_str(), 0666), 0);
  expect_failure(start_as("0"), Step::resolve_user, 0, EINVAL);
  ::unlink(container.rootfs("/etc/passwd").c_str());
  container.make_symlink("/proc/self/root/etc/passwd", container.rootfs("/etc/passwd"));
  expect_failure(start_as("0"), Step::resolve_user, 0, ELOOP);
}

constexpr char entry[] = "12345:x:12345:0::/:/bin/sh\n";

Operation entry_operation() {
  return {.kind = Kind::user_entry,
          .target = "/etc/passwd",
          .content = entry,
          .content_size = sizeof entry - 1,
          .uid = 12345};
}

TEST_P(InitUsers, AnEntryIsAddedToTheImagesOwnFileOnce) {
  const std::string before = read_text(container.rootfs("/etc/passwd"));
  container.add(entry_operation());
  container.add(entry_operation());
  EXPECT_EQ(output_of("cat /etc/passwd"), before + entry);
}

TEST_P(InitUsers, NoEntryIsAddedToAFileOfTheHostThatIsMountedThere) {
  const std::string file = container.make_host_file("passwd", "root:x:0:0::/:/bin/sh\n");
  container.add({.kind = Kind::bind, .target = "/etc/passwd", .source = file.c_str()});
  container.add(entry_operation());
  EXPECT_EQ(output_of("cat /etc/passwd"), "root:x:0:0::/:/bin/sh\n");
  EXPECT_EQ(read_text(file), "root:x:0:0::/:/bin/sh\n");
}

TEST_P(InitUsers, NoEntryIsAddedToAFileOfAVolumeThatALinkLeadsTo) {
  const std::string file = container.make_host_file("passwd", "root:x:0:0::/:/bin/sh\n");
  const std::string volume = container.host("");
  ::unlink(container.rootfs("/etc/passwd").c_str());
  container.make_symlink("/volume/passwd", container.rootfs("/etc/passwd"));
  container.add({.kind = Kind::bind, .target = "/volume", .source = volume.c_str()});
  container.add(entry_operation());
  EXPECT_EQ(output_of("cat /etc/passwd"), "root:x:0:0::/:/bin/sh\n");
  EXPECT_EQ(read_text(file), "root:x:0:0::/:/bin/sh\n");
}

TEST_P(InitUsers, AHugeGroupFileIsRefusedInBoundedMemory) {
  container.plan.process.user = "0";
  const std::string path = container.rootfs("/etc/group");
  ASSERT_EQ(::truncate(path.c_str(), 2LL << 30), 0);  // sparse, no newline after the first lines
  expect_failure(container.run(), Step::resolve_group, 0, E2BIG);
  std::string many;
  for (int i = 0; many.size() < (17u << 20); ++i) many += "g" + std::to_string(i) + ":x:1:\n";
  container.make_file(path, many);
  expect_failure(container.run(), Step::resolve_group, 0, EFBIG);
  many.clear();
  for (int i = 0; i < 70000; ++i) many += "g" + std::to_string(i) + ":x:" + std::to_string(i) + ":root\n";
  container.make_file(path, many);
  expect_failure(container.run(), Step::resolve_group, 0, E2BIG);
}

// --- capabilities and seccomp ----------------------------------------------------------------------------

constexpr char show_capabilities[] = "grep ^Cap /proc/self/status; grep NoNewPrivs /proc/self/status";

std::string capability_lines(const char* inheritable, const char* permitted, const char* effective,
                             const char* bounding, const char* ambient) {
  const auto line = [](const char* name, const char* value) {
    return std::string(name) + ":\t" + std::string(16 - std::strlen(value), '0') + value + "\n";
  };
  return line("CapInh", inheritable) + line("CapPrm", permitted) + line("CapEff", effective) +
         line("CapBnd", bounding) + line("CapAmb", ambient);
}

TEST_P(InitProcess, RootGetsExactlyThePlannedCapabilities) {
  EXPECT_EQ(output_of(show_capabilities),
            capability_lines("0", "800405fb", "800405fb", "800405fb", "0") + "NoNewPrivs:\t0\n");
}

TEST_P(InitProcess, OtherUsersGetNoneButTheAmbientOnes) {
  if (!container.has_many_ids()) GTEST_SKIP() << "a namespace of one id has no other users";
  container.plan.process.user = "1000";
  EXPECT_EQ(output_of(show_capabilities),
            capability_lines("0", "0", "0", "800405fb", "0") + "NoNewPrivs:\t0\n");
  constexpr std::uint64_t bind_service = 1u << 10;
  container.plan.process.capabilities_user = {default_capabilities, bind_service, bind_service, bind_service,
                                              bind_service};
  EXPECT_EQ(output_of(show_capabilities),
            capability_lines("400", "400", "400", "800405fb", "400") + "NoNewPrivs:\t0\n");
}

TEST_P(InitProcess, NoNewPrivilegesIsSet) {
  container.plan.process.no_new_privileges = true;
  EXPECT_THAT(output_of(show_capabilities), EndsWith("NoNewPrivs:\t1\n"));
}

// mkdir(2) and its kind answer with an errno of their own.
const sock_filter no_directories[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdirat, 2, 0),
#ifdef SYS_mkdir
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdir, 1, 0),
#else
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
#endif
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTEMPTY),
};

TEST_P(InitProcess, TheFilterHoldsWithAndWithoutNoNewPrivileges) {
  container.plan.process.seccomp = {5, const_cast<sock_filter*>(no_directories)};
  for (const bool no_new_privileges : {false, true}) {
    for (const char* user : {"0", "1000"}) {
      if (!container.has_many_ids() && *user != '0') continue;
      container.plan.process.no_new_privileges = no_new_privileges;
      container.plan.process.user = user;
      EXPECT_EQ(output_of("mkdir /tmp/new; grep ^Seccomp: /proc/self/status"),
                "mkdir: can't create directory '/tmp/new': Directory not empty\nSeccomp:\t2\n");
    }
  }
}

TEST_P(InitProcess, AFilterThatIsNoProgramIsAFailureOfThatStep) {
  static const sock_filter endless[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)};
  container.plan.process.seccomp = {1, const_cast<sock_filter*>(endless)};
  expect_failure(container.run(), Step::seccomp, 0, EINVAL);
}

// --- working directory, limits, signals ------------------------------------------------------------------

TEST_P(InitProcessWithShims, TheWorkingDirectoryIsEntered) {
  container.plan.process.cwd = "/etc";
  EXPECT_EQ(output_of("pwd"), "/etc\n");
}

TEST_P(InitProcessWithShims, AMissingWorkingDirectoryIsMadeForTheUserOnRequestOnly) {
  const char* user = container.has_many_ids() ? "1000:1001" : "0:0";
  container.plan.process.user = user;
  container.plan.process.cwd = "/srv/app";
  expect_failure(container.run(), Step::working_directory, 0, ENOENT);
  container.plan.process.make_cwd = true;
  EXPECT_EQ(output_of("pwd; stat -c '%a %u:%g' /srv /srv/app"),
            "/srv/app\n755 0:0\n755 " + std::string(user) + "\n");
}

TEST_P(InitProcessWithShims, AWorkingDirectoryBehindALinkIsMadeInside) {
  const std::string host = container.host("");
  container.make_symlink(host, container.rootfs("/a"));
  container.plan.process.cwd = "/a/b";
  container.plan.process.make_cwd = true;
  EXPECT_EQ(output_of("pwd"), host + "/b\n");
  struct stat status;
  EXPECT_NE(::lstat(container.host("/b").c_str(), &status), 0);
}

TEST_P(InitProcessWithShims, NoDescriptorOfTheHostIsAWorkingDirectory) {
  const int leaked = ::open("/", O_RDONLY | O_DIRECTORY);  // without O_CLOEXEC
  for (int fd = 3; fd <= 50; ++fd) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    container.plan.process.cwd = path.c_str();
    const Outcome outcome = container.run();
    EXPECT_FALSE(outcome.started()) << path;
    EXPECT_EQ(outcome.failure().step, Step::working_directory) << path;
    if (GetParam().shim != Shim::none && fd > leaked) break;  // each number once is enough
  }
  // Preserved ones are in place, but a directory outside of the root is none to be in.
  container.plan.process.preserve_fds = static_cast<std::uint32_t>(leaked - 2);
  const std::string path = "/proc/self/fd/" + std::to_string(leaked);
  container.plan.process.cwd = path.c_str();
  EXPECT_EQ(container.run().failure().step, Step::working_directory);
  ::close(leaked);
}

TEST_P(InitProcessWithShims, TheProcessHasStdioAndNothingElse) {
  const int leaked = ::open("/etc/hostname", O_RDONLY);
  container.arguments({"ls", "/proc/self/fd"});
  // The third is ls's own.
  EXPECT_EQ(container.run().output, "0\n1\n2\n3\n");
  ::close(leaked);
}

TEST_P(InitProcess, PreservedDescriptorsAreTheCallersAndOnlyThose) {
  const std::string path = container.make_host_file("inherited", "through\n");
  const int low = ::open(path.c_str(), O_RDONLY);
  ASSERT_EQ(::dup2(low, 3), 3);
  ASSERT_EQ(::dup2(low, 5), 5);
  container.plan.process.preserve_fds = 1;
  container.script("cat <&3; ls /proc/self/fd");
  EXPECT_EQ(container.run().output, "through\n0\n1\n2\n3\n4\n");
  ::close(3);
  ::close(5);
  if (low > 5) ::close(low);
}

TEST_P(InitProcess, LimitsAreSetAndAFailureIsNamedByItsIndex) {
  const Limit limits[] = {{RLIMIT_NOFILE, {100, 200}}, {RLIMIT_CORE, {0, 0}}};
  container.plan.process.limits = {limits, 2};
  EXPECT_EQ(output_of("ulimit -n; ulimit -Hn; ulimit -c"), "100\n200\n0\n");
  const Limit bad[] = {{RLIMIT_CORE, {0, 0}}, {RLIMIT_NOFILE, {200, 100}}};
  container.plan.process.limits = {bad, 2};
  expect_failure(container.run(), Step::limits, 1, EINVAL);
}

TEST_P(InitProcess, TheUmaskIsThatOfThePlan) {
  container.plan.process.umask = 0077;
  EXPECT_EQ(output_of("umask; mkdir /tmp/d; stat -c %a /tmp/d"), "0077\n700\n");
}

// Even root may lack CAP_SYS_RESOURCE where the tests run.
bool may_lower_oom_score() {
  const std::string status = read_text("/proc/self/status");
  const std::size_t at = status.find("CapEff:\t") + 8;
  return (std::stoull(status.substr(at, 16), nullptr, 16) >> CAP_SYS_RESOURCE & 1) != 0;
}

TEST_P(InitProcess, TheOomScoreIsRaisedAndWhereItCannotBeLoweredThereIsANotice) {
  container.plan.process.set_oom_score = true;
  container.plan.process.oom_score = 321;
  EXPECT_EQ(output_of("cat /proc/self/oom_score_adj"), "321\n");
  container.plan.process.oom_score = -321;
  container.script("cat /proc/self/oom_score_adj");
  const Outcome outcome = container.run();
  EXPECT_TRUE(outcome.started()) << describe(outcome);
  if (GetParam().caller == Caller::root && may_lower_oom_score()) {
    EXPECT_EQ(outcome.output, "-321\n");
    return;
  }
  EXPECT_EQ(outcome.output, read_text("/proc/self/oom_score_adj"));
  ASSERT_EQ(outcome.notices().size(), 1u);
  EXPECT_EQ(outcome.notices()[0].step, Step::oom_score);
}

TEST_P(InitProcess, IgnoredAndBlockedSignalsOfTheCallerDoNotReachTheProcess) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  sigset_t blocked, old;
  ::sigfillset(&blocked);
  ::sigprocmask(SIG_SETMASK, &blocked, &old);
  container.arguments({"grep", "-e", "SigIgn", "-e", "SigBlk", "/proc/self/status"});
  const Outcome outcome = container.run();
  ::sigprocmask(SIG_SETMASK, &old, nullptr);
  std::signal(SIGPIPE, before);
  EXPECT_EQ(outcome.output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_P(InitProcess, NamesAndLoopbackAreSet) {
  container.plan.hostname = "web";
  container.plan.domainname = "example";
  container.plan.bring_up_loopback = true;
  EXPECT_THAT(output_of("hostname; cat /proc/sys/kernel/domainname; ip -o link show lo"),
              AllOf(StartsWith("web\nexample\n"), HasSubstr("LOOPBACK,UP")));
}

// --- program ---------------------------------------------------------------------------------------------

TEST_P(InitProcess, ACommandThatIsNowhereIsEnoentAndOneThatCannotRunIsWhatItIs) {
  container.make_file(container.rootfs("/bin/plain"), "text", 0644);
  container.make_file(container.rootfs("/bin/odd"), "neither ELF nor script", 0755);
  container.make_file(container.rootfs("/bin/orphan"), "#!/no/such/shell\n", 0755);
  const struct {
    const char* program;
    int error;
  } cases[] = {{"no-such-command", ENOENT},
               {"/no/such/path", ENOENT},
               {"plain", EACCES},
               {"/bin/plain", EACCES},
               {"/etc", EACCES},
               {"odd", ENOEXEC},
               {"orphan", ENOENT},
               {"", ENOENT}};
  for (const auto& one : cases) {
    container.arguments({one.program});
    const Outcome outcome = container.run();
    expect_failure(outcome, Step::exec, 0, one.error);
    // What comes before has been done: a reader of the pipe sees "about to exec" and then this.
    ASSERT_EQ(outcome.reports.size(), 2u) << one.program;
    EXPECT_EQ(outcome.reports[0].kind, Report::Kind::about_to_exec);
  }
}

TEST_P(InitProcess, ThePathIsSearchedInOrderAndPastWhatCannotRun) {
  container.make_directory(container.rootfs("/first"));
  container.make_directory(container.rootfs("/second"));
  container.make_file(container.rootfs("/first/tool"), "not executable", 0644);
  container.make_file(container.rootfs("/second/tool"), "#!/bin/sh\necho second $0\n", 0755);
  container.make_file(container.rootfs("/etc/local"), "#!/bin/sh\necho local $0\n", 0755);
  container.plan.process.path = "/missing:/first:/second:/bin";
  container.arguments({"tool"});
  EXPECT_EQ(container.run().output, "second /second/tool\n");
  container.plan.process.cwd = "/etc";
  container.arguments({"./local"});
  EXPECT_EQ(container.run().output, "local ./local\n");
  container.plan.process.path = "/first::/bin";  // empty: the working directory
  container.arguments({"local"});
  EXPECT_EQ(container.run().output, "local local\n");
}

TEST_P(InitProcess, TheExitStatusAndTheEnvironmentAreThoseOfTheProcess) {
  container.environment({"A=1", "B=two words", "HOME=/"});
  container.script("env; exit 42");
  const Outcome outcome = container.run();
  EXPECT_EQ(outcome.exit_code(), 42);
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("A=1\n"), HasSubstr("B=two words\n")));
  ASSERT_EQ(outcome.reports.size(), 1u);
  EXPECT_EQ(outcome.reports[0].kind, Report::Kind::about_to_exec);
}

TEST_P(InitProcess, StandardOutputCanBeOpenedAnewByTheUser) {
  if (container.has_many_ids()) container.plan.process.user = "1000";
  EXPECT_EQ(output_of("echo again > /proc/self/fd/1"), "again\n");
}

// --- terminal --------------------------------------------------------------------------------------------

class InitTerminal : public InitProcess {
 protected:
  void SetUp() override {
    InitProcess::SetUp();
    container.mount_dev();
    container.plan.process.terminal = true;
    container.plan.process.rows = 33;
    container.plan.process.columns = 99;
  }
  // What the terminal shows until the process ends.
  Outcome run_on_terminal(const std::string& commands) {
    container.script(commands);
    int shown[2];
    EXPECT_EQ(::pipe2(shown, O_CLOEXEC), 0);
    Outcome outcome = container.run([&](const Running& running) {
      const int master = receive_descriptor(running.console_fd);
      char buffer[4096];
      for (;;) {
        const ssize_t got = ::read(master, buffer, sizeof buffer);  // EIO when the last slave is closed
        if (got <= 0) break;
        if (::write(shown[1], buffer, static_cast<std::size_t>(got)) != got) break;
      }
      ::close(master);
    });
    ::close(shown[1]);
    char buffer[8192];
    const ssize_t got = ::read(shown[0], buffer, sizeof buffer);
    ::close(shown[0]);
    outcome.output.assign(buffer, got < 0 ? 0 : static_cast<std::size_t>(got));
    return outcome;
  }
};

INSTANTIATE_TEST_SUITE_P(Every, InitTerminal, ::testing::ValuesIn(all_ways()),
                         [](const auto& test) { return way_name(test.param); });

TEST_P(InitTerminal, StdioIsAPtyOfTheContainersOwnDevpts) {
  const Outcome outcome = run_on_terminal(
      "tty; stty size; stat -c %t:%T /dev/console; echo x > /dev/tty; grep -c /dev/console "
      "/proc/self/mountinfo; ls /dev/pts");
  EXPECT_EQ(outcome.output, "/dev/pts/0\r\n33 99\r\n88:0\r\nx\r\n1\r\n0     ptmx\r\n") << describe(outcome);
}

TEST_P(InitTerminal, TheTerminalBelongsToTheUser) {
  if (container.has_many_ids()) container.plan.process.user = "1000";
  const Outcome outcome = run_on_terminal("stat -c %u /dev/pts/0; echo y > /dev/pts/0");
  EXPECT_EQ(outcome.output, container.has_many_ids() ? "1000\r\ny\r\n" : "0\r\ny\r\n") << describe(outcome);
}

TEST_P(InitTerminal, AConsoleThatIsALinkIsNotFollowed) {
  const std::string sentinel = container.make_host_file("sentinel", "of the host\n");
  container.add({.kind = Kind::symlink, .target = "/dev/console", .source = sentinel.c_str()});
  expect_failure(run_on_terminal("true"), Step::open_terminal, 0, ELOOP);
}

TEST_P(InitTerminal, APtmxThatIsNoneIsRefused) {
  container.add({.kind = Kind::filesystem, .target = "/dev/pts", .fstype = "tmpfs"});
  container.add({.kind = Kind::file, .target = "/dev/pts/ptmx", .content = "", .content_size = 0});
  expect_failure(run_on_terminal("true"), Step::open_terminal, 0, ENODEV);
}

TEST_P(InitTerminal, AReaperLeavesTheTerminalToItsPayload) {
  container.plan.process.reaper = true;
  const Outcome outcome = run_on_terminal("ps -o pid,tty,comm | head -3; tty; exit 3");
  EXPECT_THAT(outcome.output, HasSubstr("/dev/pts/0\r\n")) << describe(outcome);
  EXPECT_EQ(outcome.exit_code(), 3);
}

// --- the reaper ------------------------------------------------------------------------------------------

TEST_P(InitProcess, AReaperIsProcessOneAndPassesTheStatusOn) {
  container.plan.process.reaper = true;
  container.script("echo $$; cat /proc/1/comm; exit 7");
  const Outcome outcome = container.run();
  EXPECT_EQ(outcome.output, "2\nknarr-init\n");
  EXPECT_EQ(outcome.exit_code(), 7);
  container.script("kill -KILL $$");
  EXPECT_EQ(container.run().exit_code(), 128 + SIGKILL);
  container.arguments({"no-such-command"});
  expect_failure(container.run(), Step::exec, 0, ENOENT);
}

TEST_P(InitProcess, AReaperPassesSignalsOn) {
  container.plan.process.reaper = true;
  container.script("trap 'echo got it; exit 9' TERM; echo ready; while :; do sleep 0.01; done");
  const Outcome outcome = container.run([](const Running& running) {
    pollfd ready{running.output_fd, POLLIN, 0};
    ::poll(&ready, 1, -1);
    ::kill(running.pid, SIGTERM);
  });
  EXPECT_EQ(outcome.output, "ready\ngot it\n");
  EXPECT_EQ(outcome.exit_code(), 9);
}

TEST_P(InitProcess, AReaperCollectsOrphans) {
  container.mount_dev();
  container.plan.process.reaper = true;
  // The grandchild is left behind and ends; it must not stay a zombie.
  EXPECT_EQ(
      output_of("orphan=$(sh -c 'true & echo $!'); while ls -d /proc/$orphan; do :; done >/dev/null 2>&1; "
                "echo collected"),
      "collected\n");
}

TEST_P(InitProcess, AReaperShowsNothingOfTheHost) {
  container.plan.process.reaper = true;
  container.mount_dev();
  EXPECT_EQ(output_of("readlink /proc/1/exe || echo hidden; ls /proc/1/fd 2>/dev/null | wc -l"),
            "hidden\n0\n");
}

// --- the parent ------------------------------------------------------------------------------------------

TEST_P(InitProcess, WithoutAGoByteNothingStarts) {
  container.plan.die_with_parent = true;
  container.script("echo started");
  container.go = false;
  const Outcome outcome = container.run();
  expect_failure(outcome, Step::wait_for_go, 0, ECANCELED);
  EXPECT_EQ(outcome.output, "");
}

// Runs a container whose parent dies when it is up.
void expect_death_with_parent(Container& container) {
  // The output pipe ends only when the container's process is gone, for it is the last that holds it.
  container.script("echo up; while :; do sleep 1000; done");
  int alive[2];
  ASSERT_EQ(::pipe(alive), 0);
  container.plan.process.preserve_fds = static_cast<std::uint32_t>(alive[1] - 2);
  EXPECT_THROW(container.run([](const Running& running) {
    pollfd ready{running.output_fd, POLLIN, 0};
    ::poll(&ready, 1, -1);
    ::_exit(0);
  }),
               std::runtime_error);
  ::close(alive[1]);
  pollfd end{alive[0], POLLIN, 0};
  ::poll(&end, 1, 10'000);
  char byte;
  const bool ended = end.revents != 0 && ::read(alive[0], &byte, 1) == 0;
  EXPECT_TRUE(ended) << "it lives on";
  ::close(alive[0]);
}

TEST_P(InitProcess, TheProcessDiesWithItsParent) {
  expect_death_with_parent(container);
}

TEST_P(InitProcess, AReaperWithTheContainersUserDiesWithItsParent) {
  container.plan.process.reaper = true;
  // A change of the user makes the kernel forget the death signal.
  if (container.has_many_ids()) container.plan.process.user = "1000";
  expect_death_with_parent(container);
}

}  // namespace
}  // namespace knarr::test
