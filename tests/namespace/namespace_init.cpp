// SPDX-License-Identifier: Apache-2.0
// What init makes of the operations of a plan, by every caller and without the newer system calls.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "rootless/sys/file.h"
#include "tests/namespace/init_container.h"

namespace knarr::test {
namespace {

using engine::init::MountOption;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Kind = Operation::Kind;

class InitOperations : public ::testing::TestWithParam<Way> {
 protected:
  Container container{GetParam()};

  Outcome run(const std::string& commands) {
    container.script(commands);
    return container.run();
  }
  // The whole of what the script printed, provided that it was started.
  std::string output_of(const std::string& commands) {
    const Outcome outcome = run(commands);
    EXPECT_TRUE(outcome.started()) << describe(outcome);
    return outcome.output;
  }
  static std::string describe(const Outcome& outcome) {
    const Report failure = outcome.failure();
    return "spawn step " + std::to_string(static_cast<int>(outcome.spawn.step)) + " errno " +
           std::to_string(outcome.spawn.error) + "; step " + std::to_string(static_cast<int>(failure.step)) +
           " index " + std::to_string(failure.index) + ": " + std::strerror(failure.error) + "; status " +
           std::to_string(outcome.status) + "\n" + outcome.output;
  }
  void expect_failure(const Outcome& outcome, Step step, std::uint32_t index, int error) {
    EXPECT_FALSE(outcome.started());
    EXPECT_EQ(outcome.failure().step, step) << describe(outcome);
    EXPECT_EQ(outcome.failure().index, index) << describe(outcome);
    EXPECT_EQ(outcome.failure().error, error) << describe(outcome);
    EXPECT_EQ(outcome.exit_code(), 125);
  }
};

INSTANTIATE_TEST_SUITE_P(Every, InitOperations, ::testing::ValuesIn(all_ways()),
                         [](const auto& test) { return way_name(test.param); });

TEST_P(InitOperations, TheRootIsTheTreeAndNothingOfTheHostIsLeft) {
  container.mount_proc();
  const std::string output = output_of("ls -d /*; grep -c . /proc/self/mountinfo; cat /proc/1/comm");
  EXPECT_EQ(output, "/bin\n/dev\n/etc\n/proc\n/tmp\n2\ncat\n");
}

TEST_P(InitOperations, ProcHasTheAttributesOfThePlan) {
  container.mount_proc();
  EXPECT_THAT(output_of("grep ' /proc ' /proc/self/mountinfo"), HasSubstr("rw,nosuid,nodev,noexec"));
}

TEST_P(InitOperations, ATmpfsTakesItsOptions) {
  const MountOption options[] = {{"mode", "1750"}, {"size", "64k"}};
  container.mount_proc();
  container.add({.kind = Kind::filesystem,
                 .target = "/made/on/the/way",
                 .source = "shm",
                 .fstype = "tmpfs",
                 .options = {options, 2},
                 .attributes = MOUNT_ATTR_NOATIME | MOUNT_ATTR_NODEV});
  const std::string output = output_of("stat -c %a /made/on/the/way; grep /made/on /proc/self/mountinfo");
  EXPECT_THAT(output, HasSubstr("1750\n"));
  EXPECT_THAT(output, HasSubstr("rw,nodev,noatime"));
  EXPECT_THAT(output, HasSubstr(" shm "));
  EXPECT_THAT(output, HasSubstr("size=64k"));
}

TEST_P(InitOperations, AReadOnlyBindCannotBeWrittenAndTheHostSeesNoChange) {
  const std::string source = container.host("");
  container.make_host_file("old", "of the host\n");
  container.add(
      {.kind = Kind::bind, .target = "/data", .source = source.c_str(), .attributes = MOUNT_ATTR_RDONLY});
  EXPECT_EQ(output_of("cat /data/old; touch /data/new 2>&1 || echo refused"),
            "of the host\ntouch: /data/new: Read-only file system\nrefused\n");
}

TEST_P(InitOperations, AReadOnlyBindIsReadOnlyBelowTooWhereTheKernelCan) {
  if (GetParam().shim == Shim::no_mount_api || GetParam().shim == Shim::mount_api_not_permitted)
    GTEST_SKIP() << "mount(2) changes one mount at a time";
  const std::string source = container.mount_point("/tmp");
  container.add({.kind = Kind::filesystem, .target = "/tmp/inner", .fstype = "tmpfs"});
  container.add(
      {.kind = Kind::bind, .target = "/data", .source = source.c_str(), .attributes = MOUNT_ATTR_RDONLY});
  EXPECT_EQ(output_of("touch /tmp/inner/a && echo written; touch /data/inner/b 2>/dev/null || echo refused"),
            "written\nrefused\n");
}

TEST_P(InitOperations, ABindThatIsNotRecursiveLeavesMountsBelowOut) {
  const std::string source = container.mount_point("/tmp");
  container.add({.kind = Kind::filesystem, .target = "/tmp/inner", .fstype = "tmpfs"});
  container.add({.kind = Kind::file, .target = "/tmp/inner/below", .content = "x", .content_size = 1});
  container.add({.kind = Kind::bind, .recursive = false, .target = "/data", .source = source.c_str()});
  EXPECT_EQ(output_of("ls /tmp/inner; ls /data; ls /data/inner"), "below\ninner\n");
}

TEST_P(InitOperations, AFileIsBoundOntoAFileMadeForIt) {
  const std::string source = container.make_host_file("resolv.conf", "nameserver 127.0.0.1\n");
  container.add(
      {.kind = Kind::bind, .file_target = true, .target = "/etc/new/resolv.conf", .source = source.c_str()});
  EXPECT_EQ(output_of("cat /etc/new/resolv.conf; echo more >> /etc/new/resolv.conf"),
            "nameserver 127.0.0.1\n");
  EXPECT_EQ(read_text(source), "nameserver 127.0.0.1\nmore\n");
}

TEST_P(InitOperations, ABindOfAnotherFileThanTheParentSawIsStale) {
  const std::string source = container.make_host_file("file", "");
  struct stat status;
  ASSERT_EQ(::stat(source.c_str(), &status), 0);
  Operation& operation = container.add({.kind = Kind::bind,
                                        .target = "/tmp/file",
                                        .source = source.c_str(),
                                        .source_device = status.st_dev,
                                        .source_inode = status.st_ino});
  EXPECT_TRUE(run("true").started());
  ++operation.source_inode;
  expect_failure(run("true"), Step::operation, 0, ESTALE);
}

TEST_P(InitOperations, AFailureCarriesTheIndexOfItsOperation) {
  container.mount_proc();
  container.add({.kind = Kind::bind, .target = "/data", .source = "/does/not/exist"});
  expect_failure(run("true"), Step::operation, 1, ENOENT);
}

TEST_P(InitOperations, AnOptionalOperationThatFailsIsANoticeAndTheNextOneFollows) {
  container.add({.kind = Kind::bind, .optional = true, .target = "/data", .source = "/does/not/exist"});
  container.add({.kind = Kind::directory, .target = "/after"});
  const Outcome outcome = run("ls -d /after");
  EXPECT_EQ(outcome.output, "/after\n");
  ASSERT_EQ(outcome.notices().size(), 1u);
  EXPECT_EQ(outcome.notices()[0].step, Step::operation);
  EXPECT_EQ(outcome.notices()[0].index, 0u);
  EXPECT_EQ(outcome.notices()[0].error, ENOENT);
}

TEST_P(InitOperations, ADeviceOfTheHostIsBoundAndWorks) {
  container.mount_dev();
  EXPECT_EQ(output_of("echo gone > /dev/null; stat -c '%F %t:%T' /dev/null; readlink /dev/ptmx"),
            "character special file 1:3\npts/ptmx\n");
}

TEST_P(InitOperations, ADeviceWithAnotherNumberIsRefused) {
  container.add({.kind = Kind::device, .target = "/dev/zero", .source = "/dev/null", .rdev = makedev(1, 5)});
  expect_failure(run("true"), Step::operation, 0, ENODEV);
}

TEST_P(InitOperations, ANodeIsMadeWhereTheCallerMayAndBoundElsewhere) {
  container.add({.kind = Kind::filesystem, .target = "/dev", .fstype = "tmpfs"});
  container.add({.kind = Kind::device,
                 .mknod = true,
                 .target = "/dev/zero",
                 .source = "/dev/zero",
                 .mode = 0640,
                 .rdev = makedev(1, 5)});
  const std::string output = output_of("stat -c '%F %t:%T' /dev/zero; head -c 2 /dev/zero | wc -c");
  EXPECT_EQ(output, "character special file 1:5\n2\n");
}

TEST_P(InitOperations, ADirectoryGetsItsModeAndOwnerOnlyWhenItIsNew) {
  const unsigned id = container.has_many_ids() ? 33 : 0;
  container.make_directory(container.rootfs("/there"));
  container.add({.kind = Kind::directory, .target = "/a/b/c", .mode = 02770, .uid = id, .gid = id});
  container.add({.kind = Kind::directory, .target = "/there", .mode = 0700, .uid = id, .gid = id});
  const std::string owner = std::to_string(id);
  EXPECT_EQ(output_of("stat -c '%a %u %g' /a /a/b /a/b/c /there"),
            "755 0 0\n755 0 0\n2770 " + owner + " " + owner + "\n755 0 0\n");
}

TEST_P(InitOperations, ASymlinkLeavesAnExistingEntryAlone) {
  container.make_file(container.rootfs("/etc/mtab"), "kept\n");
  container.add({.kind = Kind::symlink, .target = "/etc/mtab", .source = "/proc/mounts"});
  container.add({.kind = Kind::symlink, .target = "/dev/fd", .source = "/proc/self/fd"});
  EXPECT_EQ(output_of("cat /etc/mtab; readlink /dev/fd"), "kept\n/proc/self/fd\n");
}

TEST_P(InitOperations, AFileIsReplaced) {
  container.make_file(container.rootfs("/etc/hosts"), "a much longer text than the new one\n", 0600);
  container.add({.kind = Kind::file, .target = "/etc/hosts", .content = "new\n", .content_size = 4});
  container.add(
      {.kind = Kind::file, .target = "/run/.containerenv", .content = "", .content_size = 0, .mode = 0600});
  EXPECT_EQ(output_of("cat /etc/hosts; stat -c '%a %s' /etc/hosts /run/.containerenv"),
            "new\n644 4\n600 0\n");
}

TEST_P(InitOperations, MasksHideWhatIsThereAndPassWhatIsMissing) {
  container.mount_proc();
  container.make_file(container.rootfs("/tmp/secret"), "secret\n");
  container.make_directory(container.rootfs("/tmp/first"));
  container.make_directory(container.rootfs("/tmp/second"));
  container.make_file(container.rootfs("/tmp/first/x"), "");
  container.make_file(container.rootfs("/tmp/second/x"), "");
  for (const char* target : {"/tmp/secret", "/tmp/first", "/tmp/second", "/tmp/missing", "/tmp/secret/below"})
    container.add({.kind = Kind::mask, .target = target});
  EXPECT_EQ(output_of("cat /tmp/secret; stat -c '%F %t:%T' /tmp/secret; ls /tmp/first /tmp/second;"
                      "touch /tmp/first/y /tmp/second/y; grep -c -e missing -e below /proc/self/mountinfo"),
            "character special file 1:3\n"
            "/tmp/first:\n\n/tmp/second:\n"
            "touch: /tmp/first/y: Read-only file system\n"
            "touch: /tmp/second/y: Read-only file system\n0\n");
}

TEST_P(InitOperations, AReadOnlyPathKeepsItsOtherAttributes) {
  container.mount_proc();
  container.add({.kind = Kind::read_only, .target = "/proc/sys"});
  container.add({.kind = Kind::read_only, .target = "/proc/missing"});
  EXPECT_THAT(output_of("grep ' /proc/sys ' /proc/self/mountinfo; echo x > /proc/sys/kernel/domainname"),
              ::testing::AllOf(HasSubstr("ro,nosuid,nodev,noexec"), HasSubstr("Read-only file system")));
}

TEST_P(InitOperations, ASysctlOfAnOwnNamespaceIsSet) {
  container.mount_proc();
  container.add(
      {.kind = Kind::sysctl, .target = "net/ipv4/ip_default_ttl", .content = "77", .content_size = 2});
  EXPECT_EQ(output_of("cat /proc/sys/net/ipv4/ip_default_ttl"), "77\n");
  EXPECT_NE(read_text("/proc/sys/net/ipv4/ip_default_ttl"), "77\n");
}

TEST_P(InitOperations, ASysctlThatLeavesItsPlaceIsRefused) {
  const struct {
    const char* key;
    const char* value;
    int error;
  } cases[] = {
      {"net/../kernel/core_pattern", "x", EINVAL},   {"../self/comm", "x", EINVAL},
      {"/kernel/core_pattern", "x", EINVAL},         {"net/ipv4/ip_default_ttl+", "77", EINVAL},
      {"net/ipv4/ip_default_ttl", "77\n78", EINVAL}, {"net/ipv4/ip_default_ttl", "", EINVAL},
      {"net/ipv4/no_such_key", "1", ENOENT},
  };
  Operation& operation = container.add({.kind = Kind::sysctl});
  const std::string before = read_text("/proc/sys/kernel/core_pattern");
  for (const auto& one : cases) {
    operation.target = one.key;
    operation.content = one.value;
    operation.content_size = static_cast<std::uint32_t>(std::strlen(one.value));
    const Outcome outcome = run("true");
    EXPECT_EQ(outcome.failure().step, Step::operation) << one.key;
    EXPECT_EQ(outcome.failure().error, one.error) << one.key;
  }
  EXPECT_EQ(read_text("/proc/sys/kernel/core_pattern"), before);
}

// --- links that lead out ---------------------------------------------------------------------------------

TEST_P(InitOperations, ProcAndSysAreNotMountedThroughALink) {
  ::rmdir(container.rootfs("/proc").c_str());
  container.make_directory(container.rootfs("/other"));
  container.make_symlink("/other", container.rootfs("/proc"));
  container.mount_proc();
  expect_failure(run("true"), Step::operation, 0, ELOOP);
}

TEST_P(InitOperations, ATargetBehindLinksStaysInsideTheRoot) {
  const std::string sentinel = container.host("");
  container.make_symlink(sentinel, container.rootfs("/absolute"));
  container.make_symlink("../../../../../.." + sentinel, container.rootfs("/etc/relative"));
  container.make_symlink("/dangling/far/away", container.rootfs("/dangling"));
  ::unlink(container.rootfs("/dangling").c_str());
  container.make_symlink("/nowhere/yet", container.rootfs("/dangling"));
  const std::string source = container.make_host_file("source", "bound\n");
  for (const char* target : {"/absolute/a", "/etc/relative/b", "/dangling"}) {
    container.add({.kind = Kind::bind, .file_target = true, .target = target, .source = source.c_str()});
  }
  container.add({.kind = Kind::directory, .target = "/absolute/c/d"});
  container.add({.kind = Kind::file, .target = "/etc/relative/e", .content = "e", .content_size = 1});
  container.add({.kind = Kind::symlink, .target = "/absolute/f", .source = "x"});
  const std::string output =
      output_of("cat /nowhere/yet; cat " + sentinel + "/a " + sentinel + "/b; ls " + sentinel);
  EXPECT_EQ(output, "bound\nbound\nbound\na\nb\nc\ne\nf\n");
  struct stat status;
  for (const char* name : {"/a", "/b", "/c", "/e", "/f"})
    EXPECT_NE(::lstat(container.host(name).c_str(), &status), 0) << name;
}

TEST_P(InitOperations, AFileReplacesALinkInsteadOfFollowingIt) {
  const std::string sentinel = container.make_host_file("sentinel", "of the host\n");
  container.make_symlink(sentinel, container.rootfs("/etc/hosts"));
  container.make_directory(container.rootfs("/run"));
  container.make_symlink(sentinel, container.rootfs("/run/.containerenv"));
  for (const char* target : {"/etc/hosts", "/run/.containerenv"})
    container.add({.kind = Kind::file, .target = target, .content = "new\n", .content_size = 4});
  EXPECT_EQ(output_of("stat -c %F /etc/hosts; cat /run/.containerenv"), "regular file\nnew\n");
  EXPECT_EQ(read_text(sentinel), "of the host\n");
}

TEST_P(InitOperations, MasksUseTheHostsNullDeviceAndNotTheContainersLink) {
  const std::string sentinel = container.make_host_file("sentinel", "of the host\n");
  container.make_symlink(sentinel, container.rootfs("/dev/null"));
  container.make_file(container.rootfs("/tmp/secret"), "secret\n");
  container.add({.kind = Kind::mask, .target = "/tmp/secret"});
  EXPECT_EQ(output_of("echo x > /tmp/secret; stat -c '%F %t:%T' /tmp/secret"),
            "character special file 1:3\n");
  EXPECT_EQ(read_text(sentinel), "of the host\n");
}

TEST_P(InitOperations, ADeviceDoesNotGoThroughALinkToTheHost) {
  const std::string sentinel = container.make_host_file("sentinel", "of the host\n");
  container.make_symlink(sentinel, container.rootfs("/dev/null"));
  container.add({.kind = Kind::device, .target = "/dev/null", .source = "/dev/null", .rdev = makedev(1, 3)});
  EXPECT_EQ(output_of("echo x > /dev/null; stat -L -c '%F %t:%T' /dev/null"), "character special file 1:3\n");
  EXPECT_EQ(read_text(sentinel), "of the host\n");
}

// A neighbour with write access to the same volume swaps a directory of it for a link to the host while the
// container's mounts are made.
TEST_P(InitOperations, ATargetSwappedForALinkMeanwhileNeverReachesTheHost) {
  const std::string sentinel = container.host("/sentinel"), swapped = container.rootfs("/vol/dir"),
                    other = container.rootfs("/vol/other");
  container.make_directory(sentinel);
  container.make_directory(swapped);
  container.make_symlink(sentinel, other);
  const pid_t neighbour = ::fork();
  ASSERT_GE(neighbour, 0);
  if (neighbour == 0) {
    for (;;) ::renameat2(AT_FDCWD, swapped.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
  }
  const std::string source = container.make_host_file("source", "bound\n");
  for (int i = 0; i < 8; ++i) {
    container.add(
        {.kind = Kind::bind, .optional = true, .target = "/vol/dir/bound", .source = source.c_str()});
    container.add(
        {.kind = Kind::file, .optional = true, .target = "/vol/dir/file", .content = "", .content_size = 0});
    container.add({.kind = Kind::directory, .optional = true, .target = "/vol/dir/a/b"});
    container.add({.kind = Kind::filesystem, .optional = true, .target = "/vol/dir", .fstype = "tmpfs"});
  }
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(run("true").started());
  ::kill(neighbour, SIGKILL);
  ::waitpid(neighbour, nullptr, 0);
  EXPECT_THAT(sys::list_directory(AT_FDCWD, sentinel), IsEmpty());
}

TEST_P(InitOperations, LinksThatGoInCirclesEnd) {
  container.make_symlink("/b", container.rootfs("/a"));
  container.make_symlink("/a", container.rootfs("/b"));
  container.add({.kind = Kind::directory, .target = "/a/c"});
  expect_failure(run("true"), Step::operation, 0, ELOOP);
}

// --- the root --------------------------------------------------------------------------------------------

TEST_P(InitOperations, AReadOnlyRootIsReadOnlyAndWhatIsMountedBelowIsNot) {
  container.plan.root.read_only = true;
  container.add({.kind = Kind::filesystem, .target = "/tmp", .fstype = "tmpfs"});
  EXPECT_EQ(output_of("touch /new 2>/tmp/errors || echo refused; touch /tmp/new && echo written"),
            "refused\nwritten\n");
}

TEST_P(InitOperations, AnOverlayWritesToItsUpperDirectory) {
  const std::string lower = container.rootfs(), upper = container.host("/upper"),
                    work = container.host("/work"), second = container.host("/second");
  for (const std::string& directory : {upper, work, second}) container.make_directory(directory);
  container.make_file(second + "/from-second", "2\n");
  std::vector<MountOption> options = {{"lowerdir+", lower.c_str()},
                                      {"lowerdir+", second.c_str()},
                                      {"upperdir", upper.c_str()},
                                      {"workdir", work.c_str()}};
  if (GetParam().caller != Caller::root) options.push_back({"userxattr", nullptr});
  container.plan.root.kind = engine::init::Root::Kind::overlay;
  container.plan.root.options = {options.data(), static_cast<std::uint32_t>(options.size())};
  EXPECT_EQ(output_of("cat /from-second; echo text > /written"), "2\n");
  EXPECT_EQ(read_text(upper + "/written"), "text\n");
}

TEST_P(InitOperations, AnOverlayTakesManyLayersWithLongAndOddNames) {
  constexpr int count = 40;  // too long together for the page of mount(2), one of them for fsconfig(2)
  std::vector<std::string> lowers;
  for (int i = 0; i < count; ++i) {
    lowers.push_back(container.host("/" + std::string(i == 7 ? 250 : 120, 'x') + ",:" + std::to_string(i)));
    container.make_directory(lowers.back());
    container.make_file(lowers.back() + "/layer" + std::to_string(i), "");
  }
  lowers.push_back(container.rootfs());
  const std::string upper = container.host("/up,per:"), work = container.host("/work");
  container.make_directory(upper);
  container.make_directory(work);
  std::vector<MountOption> options;
  for (const std::string& lower : lowers) options.push_back({"lowerdir+", lower.c_str()});
  options.push_back({"upperdir", upper.c_str()});
  options.push_back({"workdir", work.c_str()});
  if (GetParam().caller != Caller::root) options.push_back({"userxattr", nullptr});
  container.plan.root.kind = engine::init::Root::Kind::overlay;
  container.plan.root.options = {options.data(), static_cast<std::uint32_t>(options.size())};
  EXPECT_EQ(output_of("ls -d /layer* | wc -l; touch /written"), "40\n");
  EXPECT_EQ(read_text(upper + "/written"), "");
}

TEST_P(InitOperations, ARootThatIsNotThereIsAFailureOfThatStep) {
  container.plan.root.source = "/does/not/exist";
  expect_failure(run("true"), Step::mount_root, 0, ENOENT);
}

TEST_P(InitOperations, FuseServesTheRootFromInside) {
  struct stat status;
  if (::stat("/usr/bin/fuse-overlayfs", &status) != 0) GTEST_SKIP() << "fuse-overlayfs is not installed";
  if (::stat("/dev/fuse", &status) != 0) GTEST_SKIP() << "no /dev/fuse";
  if (GetParam().shim == Shim::openat2_not_permitted) GTEST_SKIP() << "fuse-overlayfs itself wants openat2";
  const std::string upper = container.host("/upper"), work = container.host("/work");
  container.make_directory(upper);
  container.make_directory(work);
  const std::string options = "lowerdir=" + container.rootfs() + ",upperdir=" + upper + ",workdir=" + work;
  const std::string target = container.mount_point();
  const char* const argv[] = {"/usr/bin/fuse-overlayfs", "-o", options.c_str(), target.c_str(), nullptr};
  container.plan.root.kind = engine::init::Root::Kind::fuse;
  container.plan.root.fuse_argv = argv;
  // A listing with attributes: the daemon looks at its own root for none of them.
  EXPECT_EQ(output_of("echo text > /written; cat /written; ls -lR / > /listing; pwd"), "text\n/\n");
  EXPECT_EQ(read_text(upper + "/written"), "text\n");
}

TEST_P(InitOperations, AFuseProgramThatDoesNotExistIsAFailureOfThatStep) {
  const char* const argv[] = {"/does/not/exist", nullptr};
  container.plan.root.kind = engine::init::Root::Kind::fuse;
  container.plan.root.fuse_argv = argv;
  expect_failure(run("true"), Step::mount_root, 0, ENOENT);
}

// --- a container inside a container ----------------------------------------------------------------------

// Another one anywhere, in some chroot, would be reason enough for the kernel to allow one more.
void leave_only_one_view(const std::string& fstype, const std::string& kept) {
  std::istringstream mounts(read_text("/proc/self/mounts"));
  for (std::string source, target, type, rest;
       mounts >> source >> target >> type && std::getline(mounts, rest);) {
    if (type == fstype && target != kept) ::umount2(target.c_str(), MNT_DETACH);
  }
}

class InitNested : public InitOperations {
 protected:
  // A /proc and a /sys with something hidden, as a container's are: the kernel then makes no new ones.
  void SetUp() override {
    if (GetParam().caller == Caller::root) GTEST_SKIP() << "the machine's root is never refused a proc";
    container.prepare = [] {
      if (::unshare(CLONE_NEWNS) != 0) ::_exit(1);
      const bool hidden = ::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr) == 0 &&
                          ::mount("none", "/proc/fs", "tmpfs", MS_RDONLY, nullptr) == 0 &&
                          ::mount("none", "/sys/firmware", "tmpfs", MS_RDONLY, nullptr) == 0;
      if (!hidden) ::_exit(1);
      leave_only_one_view("proc", "/proc");
      leave_only_one_view("sysfs", "/sys");
    };
  }
};

INSTANTIATE_TEST_SUITE_P(Every, InitNested, ::testing::ValuesIn(all_ways()),
                         [](const auto& test) { return way_name(test.param); });

TEST_P(InitNested, TheOuterProcAndSysTakeThePlaceOfNewOnesWhereThePlanAllowsIt) {
  container.add({.kind = Kind::filesystem, .optional = true, .target = "/proc", .fstype = "proc"});
  container.add({.kind = Kind::filesystem,
                 .optional = true,
                 .target = "/sys",
                 .fstype = "sysfs",
                 .attributes = MOUNT_ATTR_RDONLY});
  const Outcome outcome =
      run("grep -e ' /proc/fs ' -e ' /sys/firmware ' /proc/self/mountinfo | wc -l; ls /proc/fs");
  EXPECT_EQ(outcome.output, "2\n") << describe(outcome);
  ASSERT_EQ(outcome.notices().size(), 2u);
  EXPECT_EQ(outcome.notices()[0].index, 0u);
  EXPECT_EQ(outcome.notices()[0].error, EPERM);
  EXPECT_EQ(outcome.notices()[1].index, 1u);
}

TEST_P(InitNested, AProcThatIsNotOptionalFails) {
  container.mount_proc();
  expect_failure(run("true"), Step::operation, 0, EPERM);
}

// --- nothing of it shows on the host ---------------------------------------------------------------------

TEST_P(InitOperations, TheHostsMountsStayAsTheyWere) {
  const std::string before = read_text("/proc/self/mountinfo");
  container.mount_proc();
  container.mount_dev();
  EXPECT_TRUE(run("true").started());
  EXPECT_EQ(read_text("/proc/self/mountinfo"), before);
}

}  // namespace
}  // namespace knarr::test
