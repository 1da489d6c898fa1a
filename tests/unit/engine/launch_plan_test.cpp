// SPDX-License-Identifier: Apache-2.0
#include "engine/launch/launch_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <csignal>

#include "engine/launch/mount_words.h"
#include "tests/unit/engine/request_fixture.h"

namespace knarr::engine {
namespace {

using init::Operation;
using init::Step;
using monitor::StartReport;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StrEq;

Spec plain_spec() {
  Spec spec;
  spec.process.args = {"sh", "-c", ""};
  spec.process.env = {"A=1", "PATH=/bin"};
  spec.root.lowers = {"/l2", "/l1"};
  spec.root.upper = "/u";
  spec.root.work = "/w";
  return spec;
}

struct Planned {
  Arena arena;
  InitPlanWords words;
  init::Plan* plan = nullptr;

  explicit Planned(const Spec& spec, const rootless::HostFacts& host = rootless_host(),
                   SeccompFilter seccomp = {}) {
    plan = plan_init(spec, host, "/store/mnt", seccomp, arena, words);
  }
  const Operation* find(Operation::Kind kind, std::string_view target) const {
    for (const Operation& operation : plan->operations) {
      if (operation.kind == kind && operation.target == target) return &operation;
    }
    return nullptr;
  }
  std::vector<std::string> root_options() const {
    std::vector<std::string> list;
    for (const init::MountOption& option : plan->root.options) {
      list.push_back(option.value == nullptr ? option.key : concat(option.key, "=", option.value));
    }
    return list;
  }
};

std::vector<std::string> strings(const char* const* list) {
  std::vector<std::string> copies;
  for (; *list != nullptr; ++list) copies.push_back(*list);
  return copies;
}

// --- words of mount(8) ---

TEST(ParseMountWords, SortsWordsByWhereTheyGo) {
  const MountWords words =
      parse_mount_words({"rbind", "ro", "nosuid", "dev", "rslave", "optional", "size=1m", "newinstance"});
  EXPECT_EQ(words.attributes, std::uint64_t{MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID});
  EXPECT_EQ(words.clear_attributes, std::uint64_t{MOUNT_ATTR_NODEV});
  EXPECT_EQ(words.propagation, std::uint64_t{MS_SLAVE | MS_REC});
  EXPECT_TRUE(words.recursive && words.optional);
  EXPECT_THAT(words.filesystem_options,
              ElementsAre(FilesystemOption{"size", "1m"}, FilesystemOption{"newinstance", std::nullopt}));
}

TEST(ParseMountWords, KnowsAccessTimes) {
  EXPECT_EQ(parse_mount_words({"strictatime"}).attributes, std::uint64_t{MOUNT_ATTR_STRICTATIME});
  EXPECT_EQ(parse_mount_words({"noatime"}).attributes, std::uint64_t{MOUNT_ATTR_NOATIME});
  EXPECT_FALSE(parse_mount_words({"bind"}).recursive);
  EXPECT_EQ(parse_mount_words({"lowerdir+=/a=b"}).filesystem_options.at(0).value, "/a=b");
}

TEST(ParsePropagation, KnowsTheEightWords) {
  EXPECT_EQ(parse_propagation("private"), std::uint64_t{MS_PRIVATE});
  EXPECT_EQ(parse_propagation("rshared"), std::uint64_t{MS_SHARED | MS_REC});
  EXPECT_EQ(parse_propagation("runbindable"), std::uint64_t{MS_UNBINDABLE | MS_REC});
  for (const char* word : {"", "r", "rbind", "ro", "rrprivate"})
    EXPECT_FALSE(parse_propagation(word)) << word;
}

// --- the root ---

TEST(PlanInit, MountsAnOverlayTopmostLayerFirst) {
  const Planned planned(plain_spec());
  EXPECT_EQ(planned.plan->root.kind, init::Root::Kind::overlay);
  EXPECT_THAT(planned.plan->root.mount_point, StrEq("/store/mnt"));
  EXPECT_THAT(planned.root_options(), ElementsAre("lowerdir+=/l2", "lowerdir+=/l1", "upperdir=/u",
                                                  "workdir=/w", "index=off", "userxattr"));
  EXPECT_EQ(planned.words.root, "mounting overlay at /");
}

TEST(PlanInit, TrustsNoMarkersOfLayersAsRoot) {
  Spec spec = plain_spec();
  spec.root.userxattr = false;
  spec.root.is_volatile = true;
  EXPECT_THAT(Planned(spec, rootful_host()).root_options(),
              AllOf(Contains("metacopy=off"), Contains("redirect_dir=nofollow"), Contains("volatile"),
                    Not(Contains("userxattr"))));
}

TEST(PlanInit, BindsATree) {
  Spec spec = plain_spec();
  spec.root = {.directory = "/srv/tree"};
  const Planned planned(spec);
  EXPECT_EQ(planned.plan->root.kind, init::Root::Kind::bind);
  EXPECT_THAT(planned.plan->root.source, StrEq("/srv/tree"));
  EXPECT_FALSE(planned.plan->root.read_only);
}

TEST(PlanInit, ASingleLayerAloneIsBoundReadOnly) {
  Spec spec = plain_spec();
  spec.root = {.lowers = {"/l1"}};
  const Planned planned(spec);
  EXPECT_EQ(planned.plan->root.kind, init::Root::Kind::bind);
  EXPECT_TRUE(planned.plan->root.read_only);
}

TEST(PlanInit, ACloneLiesOverDataOnlyLayers) {
  Spec spec = plain_spec();
  spec.root.lowers = {"/clone"};
  spec.root.data_lowers = {"/l2", "/l1"};
  std::vector<std::string> options = Planned(spec).root_options();
  options.resize(4);
  EXPECT_THAT(options, ElementsAre("lowerdir+=/clone", "datadir+=/l2", "datadir+=/l1", "upperdir=/u"));
}

TEST(PlanInit, AReadOnlyCloneIsNoSingleLayer) {
  Spec spec = plain_spec();
  spec.root = {.lowers = {"/clone"}, .data_lowers = {"/l1"}};
  EXPECT_EQ(Planned(spec).plan->root.kind, init::Root::Kind::overlay);
}

TEST(PlanInit, StartsFuseOverlayfs) {
  Spec spec = plain_spec();
  spec.root.driver = storage::OverlayDriver::fuse;
  spec.root.fuse_program = "/usr/bin/fuse-overlayfs";
  spec.root.lowers = {"/a:b", "/c"};
  spec.root.is_volatile = true;
  const Planned planned(spec);
  EXPECT_EQ(planned.plan->root.kind, init::Root::Kind::fuse);
  EXPECT_THAT(strings(planned.plan->root.fuse_argv),
              ElementsAre("/usr/bin/fuse-overlayfs", "-o",
                          "lowerdir=/a\\:b:/c,upperdir=/u,workdir=/w,volatile", "/store/mnt"));
}

// --- operations ---

TEST(PlanInit, EveryOperationHasItsSentence) {
  Spec spec = plain_spec();
  spec.mounts = {
      {.destination = "/data", .type = "bind", .source = "/home/me/data", .options = {"rbind"}},
      {.destination = "/v", .type = "bind", .source = "/vol", .options = {"rbind"}, .subpath = "s"},
      {.destination = "/tmp", .type = "tmpfs", .source = "tmpfs", .options = {"size=1m"}}};
  spec.devices = {{.path = "/dev/null", .host_path = "/dev/null", .major = 1, .minor = 3}};
  spec.masked_paths = {"/proc/kcore"};
  spec.readonly_paths = {"/proc/sys"};
  spec.files = {{.path = "/run/.containerenv", .content = "x"}};
  spec.sysctl = {{"net/a", "1"}};
  const Planned planned(spec);
  EXPECT_EQ(planned.plan->operations.size, planned.words.operations.size());
  EXPECT_THAT(planned.words.operations,
              ElementsAre("setting sysctl net/a to \"1\"", "mounting /data from /home/me/data",
                          "mounting /v from /vol/s", "mounting tmpfs at /tmp", "adding device /dev/null",
                          "linking /dev/fd to /proc/self/fd", "linking /dev/stdin to /proc/self/fd/0",
                          "linking /dev/stdout to /proc/self/fd/1", "linking /dev/stderr to /proc/self/fd/2",
                          "linking /dev/core to /proc/kcore", "linking /dev/ptmx to pts/ptmx",
                          "writing /run/.containerenv", "masking /proc/kcore", "making /proc/sys read-only"));
}

TEST(PlanInit, BindsCarryWhatWasPinned) {
  Spec spec = plain_spec();
  spec.mounts = {{.destination = "/v",
                  .type = "bind",
                  .source = "/vol",
                  .options = {"bind", "ro", "nodev", "optional"},
                  .subpath = "s",
                  .source_device = 5,
                  .source_inode = 6}};
  const Planned planned(spec);
  const Operation* bind = planned.find(Operation::Kind::bind, "/v");
  ASSERT_NE(bind, nullptr);
  EXPECT_THAT(bind->source, StrEq("/vol/s"));
  EXPECT_FALSE(bind->recursive);
  EXPECT_TRUE(bind->optional);
  EXPECT_EQ(bind->attributes, std::uint64_t{MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV});
  EXPECT_EQ(bind->source_device, 5u);
  EXPECT_EQ(bind->source_inode, 6u);
  EXPECT_EQ(bind->propagation, 0u);
}

TEST(PlanInit, ASlaveRootMakesOtherBindsPrivate) {
  Spec spec = plain_spec();
  spec.rootfs_propagation = "rslave";
  spec.mounts = {{.destination = "/a", .type = "bind", .source = "/a", .options = {"rbind"}},
                 {.destination = "/b", .type = "bind", .source = "/b", .options = {"rbind", "rslave"}}};
  const Planned planned(spec);
  EXPECT_EQ(planned.plan->root.propagation, std::uint64_t{MS_SLAVE | MS_REC});
  EXPECT_EQ(planned.find(Operation::Kind::bind, "/a")->propagation, std::uint64_t{MS_PRIVATE | MS_REC});
  EXPECT_EQ(planned.find(Operation::Kind::bind, "/b")->propagation, std::uint64_t{MS_SLAVE | MS_REC});
}

TEST(PlanInit, FileSystemsGetTheirOptions) {
  Spec spec = plain_spec();
  spec.mounts = {
      {.destination = "/t", .type = "tmpfs", .source = "tmpfs", .options = {"nosuid", "mode=755", "noswap"}}};
  const Planned planned(spec);
  const Operation* tmpfs = planned.find(Operation::Kind::filesystem, "/t");
  ASSERT_NE(tmpfs, nullptr);
  EXPECT_THAT(tmpfs->fstype, StrEq("tmpfs"));
  EXPECT_EQ(tmpfs->attributes, std::uint64_t{MOUNT_ATTR_NOSUID});
  ASSERT_EQ(tmpfs->options.size, 2u);
  EXPECT_THAT(tmpfs->options[0].key, StrEq("mode"));
  EXPECT_THAT(tmpfs->options[0].value, StrEq("755"));
  EXPECT_EQ(tmpfs->options[1].value, nullptr);
}

TEST(PlanInit, NodesAreMadeOnlyByRootWithoutAUserNamespace) {
  Spec spec = plain_spec();
  spec.devices = {
      {.path = "/dev/sda", .host_path = "/dev/sda", .type = 'b', .major = 8, .minor = 0, .mode = 0660}};
  const Planned rootless(spec);
  const Operation* device = rootless.find(Operation::Kind::device, "/dev/sda");
  ASSERT_NE(device, nullptr);
  EXPECT_FALSE(device->mknod);
  EXPECT_TRUE(device->device_is_block);
  EXPECT_EQ(device->rdev, makedev(8, 0));
  EXPECT_TRUE(Planned(spec, rootful_host()).find(Operation::Kind::device, "/dev/sda")->mknod);
  spec.namespaces = {{.type = "user"}};
  EXPECT_FALSE(Planned(spec, rootful_host()).find(Operation::Kind::device, "/dev/sda")->mknod);
}

TEST(PlanInit, ADefaultSysctlIsNoReasonToFail) {
  Spec spec = plain_spec();
  spec.default_sysctl = {{"net/d", "0 0"}};
  spec.sysctl = {{"net/u", "1"}};
  const Planned planned(spec);
  EXPECT_TRUE(planned.find(Operation::Kind::sysctl, "net/d")->optional);
  EXPECT_FALSE(planned.find(Operation::Kind::sysctl, "net/u")->optional);
  EXPECT_EQ(planned.find(Operation::Kind::sysctl, "net/d")->content_size, 3u);
}

// --- the process ---

TEST(PlanInit, LaysOutTheProcess) {
  Spec spec = plain_spec();
  spec.process.user = "me";
  spec.process.additional_groups = {"audio", "44"};
  spec.process.rlimits = {{"RLIMIT_NOFILE", 10, 20}, {"RLIMIT_CORE", UINT64_MAX, UINT64_MAX}};
  spec.process.capabilities_root = {
      .bounding = 1, .effective = 2, .permitted = 3, .inheritable = 4, .ambient = 5};
  spec.process.oom_score_adj = 0;
  spec.process.reaper = spec.process.terminal = spec.process.make_cwd = spec.process.no_new_privileges = true;
  const sock_filter program[] = {{0, 0, 0, 0}};
  const Planned planned(spec, rootless_host(), {program, 1});
  const init::Process& process = planned.plan->process;
  EXPECT_THAT(strings(process.argv), ElementsAre("sh", "-c", ""));
  EXPECT_THAT(strings(process.env), ElementsAre("A=1", "PATH=/bin"));
  EXPECT_EQ(process.env_size, 2u);
  EXPECT_EQ(process.env[3], nullptr);  // room for HOME and the end
  EXPECT_EQ(process.env[4], nullptr);
  EXPECT_THAT(process.path, StrEq("/bin"));
  EXPECT_THAT(process.user, StrEq("me"));
  ASSERT_EQ(process.extra_groups.size, 2u);
  EXPECT_THAT(process.extra_groups[1], StrEq("44"));
  ASSERT_EQ(process.limits.size, 2u);
  EXPECT_EQ(process.limits[0].resource, RLIMIT_NOFILE);
  EXPECT_EQ(process.limits[0].value.rlim_max, 20u);
  EXPECT_EQ(process.limits[1].value.rlim_cur, RLIM_INFINITY);
  EXPECT_THAT(planned.words.limits, ElementsAre("nofile=10:20", "core=-1:-1"));
  EXPECT_EQ(process.capabilities_root.permitted, 3u);
  EXPECT_EQ(process.capabilities_root.ambient, 5u);
  EXPECT_TRUE(process.set_oom_score && process.reaper && process.terminal && process.make_cwd &&
              process.no_new_privileges);
  EXPECT_EQ(process.seccomp.len, 1u);
  EXPECT_TRUE(process.setgroups_allowed);
}

TEST(PlanInit, KeepGroupsIsNoGroup) {
  Spec spec = plain_spec();
  spec.process.additional_groups = {"keep-groups"};
  const Planned planned(spec);
  EXPECT_TRUE(planned.plan->process.keep_groups);
  EXPECT_EQ(planned.plan->process.extra_groups.size, 0u);
}

TEST(PlanInit, SearchesTheDefaultPathWithoutOne) {
  Spec spec = plain_spec();
  for (const std::vector<std::string>& env : {std::vector<std::string>{}, {"PATH="}}) {
    spec.process.env = env;
    EXPECT_THAT(Planned(spec).plan->process.path,
                StrEq("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
  }
}

TEST(PlanInit, WithOneIdGroupsCannotBeSet) {
  EXPECT_FALSE(Planned(plain_spec(), single_id_host()).plan->process.setgroups_allowed);
}

TEST(PlanInit, BringsUpLoopbackOnlyInItsOwnNetwork) {
  Spec spec = plain_spec();
  EXPECT_FALSE(Planned(spec).plan->bring_up_loopback);
  spec.namespaces = {{.type = "network"}};
  EXPECT_TRUE(Planned(spec).plan->bring_up_loopback);
  spec.namespaces = {{.type = "network", .path = {}, .process = {.pid = 7, .start_time = 1}}};
  EXPECT_FALSE(Planned(spec).plan->bring_up_loopback);
}

TEST(PlanInit, RefusesAnEmptyCommand) {
  Spec spec = plain_spec();
  spec.process.args.clear();
  EXPECT_THROW(Planned{spec}, InvalidArgument);
}

// --- namespaces ---

TEST(PlanNamespaces, MakesNewOnesWithTheirMaps) {
  Spec spec = plain_spec();
  spec.namespaces = {{.type = "user"}, {.type = "mount"}, {.type = "network"}};
  spec.uid_mappings = {{0, 0, 1}, {1, 1, 65536}};
  spec.gid_mappings = {{0, 0, 1}};
  Arena arena;
  const NamespacePlan plan = plan_namespaces(spec, rootless_host(), arena);
  EXPECT_EQ(plan.create, std::uint64_t{CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET});
  EXPECT_THAT(plan.uid_map, StrEq("0 0 1\n1 1 65536\n"));
  EXPECT_THAT(plan.gid_map, StrEq("0 0 1\n"));
  EXPECT_FALSE(plan.deny_setgroups);
  EXPECT_EQ(plan.join_count, 0);
  EXPECT_TRUE(plan_namespaces(spec, single_id_host(), arena).deny_setgroups);
}

TEST(PlanNamespaces, JoinsThoseOfOneProcessAtOnceAndTheUserNamespaceLast) {
  Spec spec = plain_spec();
  const sys::ProcessId other{.pid = 7, .start_time = 1}, third{.pid = 9, .start_time = 2};
  spec.namespaces = {{.type = "user", .path = {}, .process = other},
                     {.type = "mount"},
                     {.type = "pid", .path = {}, .process = third},
                     {.type = "uts", .path = "/ns/uts"},
                     {.type = "network", .path = {}, .process = other}};
  Arena arena;
  const NamespacePlan plan = plan_namespaces(spec, rootless_host(), arena);
  EXPECT_EQ(plan.create, std::uint64_t{CLONE_NEWNS});
  ASSERT_EQ(plan.join_count, 3);
  EXPECT_EQ(plan.joins[0].pid, 9);
  EXPECT_EQ(plan.joins[0].types, std::uint64_t{CLONE_NEWPID});
  EXPECT_THAT(plan.joins[1].path, StrEq("/ns/uts"));
  EXPECT_EQ(plan.joins[2].pid, 7);
  EXPECT_EQ(plan.joins[2].start_time, 1u);
  EXPECT_EQ(plan.joins[2].types, std::uint64_t{CLONE_NEWUSER | CLONE_NEWNET});
  EXPECT_EQ(plan.uid_map, nullptr);
}

// --- failures ---

struct Failure {
  std::string message, hint;
  int status = 0;
};

Failure failure_of(const StartReport& report, const InitPlanWords& words = {}) {
  try {
    throw_launch_failure(report, words);
  } catch (const LaunchError& error) {
    return {error.message(), error.hint(), error.exit_status()};
  }
}

StartReport init_failure(Step step, int code, std::uint32_t index = 0) {
  StartReport report{};
  report.kind = StartReport::Kind::init_failed;
  report.init_report = {init::Report::Kind::failure, step, index, code};
  return report;
}

InitPlanWords some_words() {
  return {
      .operations = {"mounting tmpfs at /tmp", "mounting /data from /home/me/data", "mounting overlay at /o"},
      .root = "mounting overlay at /",
      .executable = "foo",
      .user = "me:staff",
      .cwd = "/nowhere",
      .groups = {"audio"},
      .limits = {"nofile=5:10"}};
}

TEST(LaunchFailure, ACommandThatIsNotThereIs127) {
  const Failure failure = failure_of(init_failure(Step::exec, ENOENT), some_words());
  EXPECT_EQ(failure.message, "executable file \"foo\" not found in $PATH: No such file or directory");
  EXPECT_EQ(failure.status, 127);
  InitPlanWords words = some_words();
  words.executable = "/bin/foo";
  EXPECT_EQ(failure_of(init_failure(Step::exec, ENOENT), words).message,
            "executable file \"/bin/foo\" not found: No such file or directory");
  EXPECT_THAT(failure_of(init_failure(Step::exec, ENOENT), words).hint, HasSubstr("interpreter"));
  EXPECT_EQ(failure_of(init_failure(Step::exec, ENOTDIR), words).status, 127);
}

TEST(LaunchFailure, ACommandThatCannotBeExecutedIs126) {
  for (const int code : {EACCES, ENOEXEC, EISDIR, EPERM, ELOOP, E2BIG}) {
    const Failure failure = failure_of(init_failure(Step::exec, code), some_words());
    EXPECT_EQ(failure.status, 126) << code;
    EXPECT_THAT(failure.message, HasSubstr("\"foo\" cannot be executed"));
  }
  EXPECT_THAT(failure_of(init_failure(Step::exec, ENOEXEC), some_words()).hint, HasSubstr("processor"));
}

TEST(LaunchFailure, NamesUsersGroupsAndDirectories) {
  const InitPlanWords words = some_words();
  EXPECT_EQ(failure_of(init_failure(Step::resolve_user, ENOENT), words).message,
            "unable to find user me:staff: no matching entries in passwd file");
  EXPECT_EQ(failure_of(init_failure(Step::resolve_group, ENOENT, 0), words).message,
            "unable to find group staff: no matching entries in group file");
  EXPECT_EQ(failure_of(init_failure(Step::resolve_group, ENOENT, 1), words).message,
            "unable to find group audio: no matching entries in group file");
  const Failure directory = failure_of(init_failure(Step::working_directory, ENOENT), words);
  EXPECT_EQ(directory.message, "workdir \"/nowhere\" does not exist in the container");
  EXPECT_EQ(directory.status, 126);
}

TEST(LaunchFailure, AnOperationIsNamedByItsIndex) {
  const Failure failure = failure_of(init_failure(Step::operation, ENOENT, 1), some_words());
  EXPECT_EQ(failure.message, "mounting /data from /home/me/data: no such file or directory");
  EXPECT_EQ(failure.status, 125);
  EXPECT_THAT(failure_of(init_failure(Step::operation, EIO, 99), some_words()).message, HasSubstr("files"));
  EXPECT_THAT(failure_of(init_failure(Step::operation, ENOSPC, 0), some_words()).hint,
              HasSubstr("mount-max"));
  EXPECT_THAT(failure_of(init_failure(Step::operation, EPERM, 0), some_words()).hint, Not(HasSubstr("fuse")));
}

TEST(DescribeStep, NamesWhatWasSkipped) {
  const InitPlanWords words = some_words();
  EXPECT_EQ(describe_step({init::Report::Kind::notice, Step::operation, 1, EPERM}, words),
            "mounting /data from /home/me/data");
  EXPECT_EQ(describe_step({init::Report::Kind::notice, Step::oom_score, 0, EACCES}, words),
            "setting the OOM score (--oom-score-adj)");
}

TEST(LaunchFailure, HintsNameTheWayOut) {
  const InitPlanWords words = some_words();
  EXPECT_EQ(failure_of(init_failure(Step::mount_root, EPERM), words).message,
            "mounting overlay at /: operation not permitted");
  EXPECT_THAT(failure_of(init_failure(Step::mount_root, EPERM), words).hint, HasSubstr("fuse-overlayfs"));
  EXPECT_THAT(failure_of(init_failure(Step::user_ids, EINVAL), words).hint, HasSubstr("/etc/subuid"));
  EXPECT_THAT(failure_of(init_failure(Step::limits, EPERM, 0), words).message, HasSubstr("nofile=5:10"));
  EXPECT_THAT(failure_of(init_failure(Step::limits, EPERM, 0), words).hint, HasSubstr("hard limit"));
}

TEST(LaunchFailure, EveryStepHasWords) {
  for (int step = 0; step <= static_cast<int>(Step::exec); ++step) {
    const Failure failure = failure_of(init_failure(static_cast<Step>(step), EIO), some_words());
    EXPECT_THAT(failure.message, AllOf(HasSubstr(": "), Not(HasSubstr("(no error)")))) << step;
    EXPECT_GE(failure.status, 125) << step;
  }
}

TEST(LaunchFailure, TheProcessesBeforeInitHaveWordsToo) {
  StartReport report{};
  report.kind = StartReport::Kind::spawn_failed;
  for (int step = 0; step <= static_cast<int>(SpawnStep::time_offsets); ++step) {
    report.spawn = {static_cast<SpawnStep>(step), ENOSPC, 0};
    EXPECT_THAT(failure_of(report).message, HasSubstr("no space left")) << step;
  }
  report.spawn = {SpawnStep::clone, ENOSPC, 0};
  EXPECT_THAT(failure_of(report).hint, HasSubstr("max_*_namespaces"));
  report.spawn = {SpawnStep::uid_map, EPERM, 0};
  EXPECT_THAT(failure_of(report).hint, HasSubstr("/etc/subuid"));

  report.kind = StartReport::Kind::monitor_failed;
  for (std::uint32_t step = 0; step <= static_cast<std::uint32_t>(monitor::MonitorStep::record); ++step) {
    report.monitor_step = step;
    report.init_report.error = EACCES;
    EXPECT_THAT(failure_of(report).message, HasSubstr(": permission denied")) << step;
  }

  report.kind = StartReport::Kind::init_killed;
  report.init_report.error = SIGKILL;  // a wait status
  EXPECT_THAT(failure_of(report).message, HasSubstr("killed by signal 9"));
  EXPECT_THAT(failure_of(report).hint, HasSubstr("memory"));
}

}  // namespace
}  // namespace knarr::engine
