// SPDX-License-Identifier: Apache-2.0
// Processes in new and joined namespaces.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "rootless/sys/process.h"
#include "tests/namespace/init_container.h"

namespace knarr::test {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t all_types =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

class Spawn : public ::testing::TestWithParam<Way> {
 protected:
  Container container{GetParam()};

  void SetUp() override {
    container.mount_proc();
    container.plan.hostname = "joined";
    container.script("echo up; sleep 1000");
  }

  // A process joined to the running container by `namespaces`, its output.
  std::string run_joined(const std::function<void(NamespacePlan&, const Running&)>& plan_joins,
                         const char* commands, const std::function<void(Plan&)>& change = {}) {
    int shown[2];
    EXPECT_EQ(::pipe2(shown, O_CLOEXEC), 0);
    container.run([&](const Running& running) {
      wait_until_up(running);
      NamespacePlan namespaces;
      plan_joins(namespaces, running);
      const std::string text = spawn_and_read(namespaces, commands, change);
      if (::write(shown[1], text.data(), text.size()) < 0) ::_exit(1);
      ::kill(running.pid, SIGKILL);
    });
    ::close(shown[1]);
    char buffer[8192];
    const ssize_t got = ::read(shown[0], buffer, sizeof buffer);
    ::close(shown[0]);
    return {buffer, got < 0 ? 0 : static_cast<std::size_t>(got)};
  }

 private:
  static void wait_until_up(const Running& running) {
    pollfd ready{running.output_fd, POLLIN, 0};
    ::poll(&ready, 1, -1);
  }

  std::string spawn_and_read(const NamespacePlan& namespaces, const char* commands,
                             const std::function<void(Plan&)>& change) const {
    int go[2], report[2], output[2];
    if (::pipe2(go, O_CLOEXEC) != 0 || ::pipe2(report, O_CLOEXEC) != 0 || ::pipe2(output, O_CLOEXEC) != 0)
      return "no pipes";
    const char* argv[] = {"sh", "-c", commands, nullptr};
    const char* env[] = {"PATH=/bin", nullptr, nullptr, nullptr};
    Plan plan = container.plan;
    plan.has_root = false;
    plan.operations = {};
    plan.hostname = nullptr;
    plan.process.argv = argv;
    plan.process.env = env;
    plan.process.env_size = 1;
    plan.go_fd = go[0];
    plan.report_fd = report[1];
    plan.stdio[1] = plan.stdio[2] = output[1];
    if (change) change(plan);
    SpawnFailure failure;
    const engine::Spawned spawned = engine::spawn(
        namespaces, [](const void* argument) { engine::init::run(*static_cast<const Plan*>(argument)); },
        &plan, failure);
    for (const int fd : {go[0], report[1], output[1]}) ::close(fd);
    if (spawned.pid <= 0)
      return "step " + std::to_string(static_cast<int>(failure.step)) + " index " +
             std::to_string(failure.index) + ": " + std::strerror(failure.error);
    if (::write(go[1], "g", 1) != 1) return "no go";
    std::string text;
    Report one;
    while (::read(report[0], &one, sizeof one) == static_cast<ssize_t>(sizeof one)) {
      if (one.kind == Report::Kind::failure)
        text += "failed at " + std::to_string(static_cast<int>(one.step)) + ": " + std::strerror(one.error);
    }
    char buffer[4096];
    for (ssize_t got; (got = ::read(output[0], buffer, sizeof buffer)) > 0;)
      text.append(buffer, static_cast<std::size_t>(got));
    int status = 0;
    // A direct child of this process although a stage made it.
    if (::waitpid(spawned.pid, &status, 0) != spawned.pid) return "not our child";
    return text + "exit " + std::to_string(WEXITSTATUS(status));
  }
};

INSTANTIATE_TEST_SUITE_P(Every, Spawn, ::testing::ValuesIn(all_ways()),
                         [](const auto& test) { return way_name(test.param); });

void join_process(NamespacePlan& namespaces, pid_t pid, std::uint64_t types) {
  namespaces.joins[namespaces.join_count++] = {
      .pid = pid, .start_time = sys::identify(pid).start_time, .types = types};
}

TEST_P(Spawn, AProcessJoinsAContainerWithAllItsNamespaces) {
  const std::string output =
      run_joined([](NamespacePlan& namespaces,
                    const Running& running) { join_process(namespaces, running.pid, all_types); },
                 "hostname; readlink /proc/1/exe; id -u; grep -c . /proc/self/mountinfo; ls /; exit 5");
  EXPECT_EQ(output, "joined\n/bin/busybox\n0\n2\nbin\ndev\netc\nproc\ntmp\nexit 5");
}

TEST_P(Spawn, AJoinedProcessHasTheCapabilitiesOfItsPlan) {
  const std::string output =
      run_joined([](NamespacePlan& namespaces,
                    const Running& running) { join_process(namespaces, running.pid, all_types); },
                 "grep -e CapInh -e CapEff -e CapBnd /proc/self/status");
  EXPECT_EQ(output,
            "CapInh:\t0000000000000000\nCapEff:\t00000000800405fb\nCapBnd:\t00000000800405fb\nexit 0");
}

TEST_P(Spawn, TheWorkingDirectoryOfAJoinedProcessIsNoneOfTheHost) {
  for (int fd = 3; fd < 12; ++fd) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    const std::string output =
        run_joined([](NamespacePlan& namespaces,
                      const Running& running) { join_process(namespaces, running.pid, all_types); },
                   "pwd", [&](Plan& plan) { plan.process.cwd = path.c_str(); });
    EXPECT_THAT(output, HasSubstr("failed at " + std::to_string(static_cast<int>(Step::working_directory))));
  }
}

TEST_P(Spawn, NamespacesAreJoinedByTheirFilesAndMadeBesides) {
  const std::string output = run_joined(
      [](NamespacePlan& namespaces, const Running& running) {
        static std::string user, mount, uts;
        const std::string directory = "/proc/" + std::to_string(running.pid) + "/ns/";
        user = directory + "user";
        mount = directory + "mnt";
        uts = directory + "uts";
        namespaces.joins[0] = {.path = user.c_str(), .types = CLONE_NEWUSER};
        namespaces.joins[1] = {.path = uts.c_str(), .types = CLONE_NEWUTS};
        namespaces.joins[2] = {.path = mount.c_str(), .types = CLONE_NEWNS};
        namespaces.join_count = 3;
        namespaces.create = CLONE_NEWNET;
      },
      "hostname; ip -o link | wc -l; ls -d /bin");
  EXPECT_EQ(output, "joined\n1\n/bin\nexit 0");
}

TEST_P(Spawn, AJoinThatFailsIsNamedByItsIndex) {
  const std::string step = "step " + std::to_string(static_cast<int>(SpawnStep::join));
  const std::string output = run_joined(
      [](NamespacePlan& namespaces, const Running& running) {
        join_process(namespaces, running.pid, all_types);
        namespaces.joins[1] = {.path = "/no/such/namespace", .types = CLONE_NEWNET};
        namespaces.join_count = 2;
      },
      "true");
  EXPECT_EQ(output, step + " index 1: No such file or directory");
  EXPECT_EQ(run_joined(
                [](NamespacePlan& namespaces, const Running& running) {
                  join_process(namespaces, running.pid, all_types);
                  ++namespaces.joins[0].start_time;  // another process with the same pid
                },
                "true"),
            step + " index 0: No such process");
}

TEST_P(Spawn, AUserNamespaceIsMadeInsideAJoinedOne) {
  if (GetParam().caller == Caller::root) GTEST_SKIP() << "this caller has no user namespace to join";
  const std::string output = run_joined(
      [](NamespacePlan& namespaces, const Running& running) {
        join_process(namespaces, running.pid, CLONE_NEWUSER);
        namespaces.create = CLONE_NEWUSER | CLONE_NEWUTS;
        namespaces.uid_map = namespaces.gid_map = "0 0 1\n";
        namespaces.deny_setgroups = true;
      },
      "cat /proc/self/uid_map; cat /proc/self/setgroups",
      [](Plan& plan) {
        plan.process.setgroups_allowed = false;
        plan.process.path = "/usr/bin:/bin";
      });
  EXPECT_EQ(output, "         0          0          1\ndeny\nexit 0");
}

TEST_P(Spawn, AMapThatTheKernelRefusesIsAFailureOfThatStep) {
  if (GetParam().caller == Caller::root) GTEST_SKIP() << "this caller makes no user namespace";
  container.namespaces.uid_map = "0 4000000000 1\n0 4000000000 1\n";
  const Outcome outcome = container.run();
  EXPECT_EQ(outcome.spawn.step, SpawnStep::uid_map);
  EXPECT_NE(outcome.spawn.error, 0);
  EXPECT_EQ(outcome.output, "");
}

TEST_P(Spawn, MapsAreWrittenForACallerThatIsNotDumpable) {
  if (GetParam().caller == Caller::root) GTEST_SKIP() << "this caller makes no user namespace";
  container.prepare = [] { ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); };
  container.script("cat /proc/self/uid_map");
  EXPECT_THAT(container.run().output, HasSubstr(std::to_string(container.host_root())));
}

TEST_P(Spawn, ATimeNamespaceHasItsOffsets) {
  if (GetParam().caller == Caller::user) GTEST_SKIP() << "made outside of a new user namespace, by root only";
  struct stat status;
  if (::stat("/proc/self/ns/time", &status) != 0) GTEST_SKIP() << "this kernel has no time namespaces";
  container.namespaces.create |= CLONE_NEWTIME;
  container.namespaces.time_offsets = "boottime 1000000 0\n";
  container.script("cat /proc/uptime");
  const Outcome outcome = container.run();
  const double inside = std::stod(outcome.output), outside = std::stod(read_text("/proc/uptime"));
  EXPECT_NEAR(inside - outside, 1000000, 100);
}

TEST_P(Spawn, TheCallersNamespacesStay) {
  struct stat before, after;
  ASSERT_EQ(::stat("/proc/self/ns/mnt", &before), 0);
  run_joined([](NamespacePlan& namespaces,
                const Running& running) { join_process(namespaces, running.pid, all_types); },
             "true");
  ASSERT_EQ(::stat("/proc/self/ns/mnt", &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

}  // namespace
}  // namespace knarr::test
