// SPDX-License-Identifier: Apache-2.0
#include "rootless/user_namespace.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "rootless/id_mapper.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "tests/namespace/user_child.h"

namespace knarr::rootless {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class UserNamespace : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::optional<test::TestUser> found = test::find_test_user();
    if (!found) GTEST_SKIP() << "no user with subordinate ids: useradd -m knarr-test";
    user_ = *found;
    // Also where the test itself runs as the user.
    facts_ = gather_as_user();
  }

  std::string as_user(const std::function<std::string()>& body) { return test::as_user(user_, body); }

  // Plain data that a child worked out; the maps are all the tests need of it.
  HostFacts gather_as_user() {
    HostFacts facts;
    facts.uid = user_.uid;
    facts.gid = user_.gid;
    facts.user_name = user_.name;
    const auto planned = [&](const char* file, std::uint32_t own) {
      return plan_r_map(own, parse_subid(sys::read_file(AT_FDCWD, file), user_.name, user_.uid));
    };
    facts.r_maps = {planned("/etc/subuid", user_.uid), planned("/etc/subgid", user_.gid)};
    return facts;
  }

  // A process in R, as a monitor is one.
  test::Child in_r() {
    return test::Child(
        [this] {
          test::become(user_);
          enter_r(gather_host_facts(), {});
          return own_namespace();
        },
        test::Child::After::stays);
  }

  static std::string own_namespace() { return sys::read_link(AT_FDCWD, "/proc/self/ns/user").value(); }
  static std::string own_maps() {
    const auto normalised = [](const char* path) {
      return render_id_map(parse_id_map(sys::read_file(AT_FDCWD, path)).value());
    };
    return normalised("/proc/self/uid_map") + normalised("/proc/self/gid_map");
  }
  std::string planned_maps() const {
    return render_id_map(facts_.r_maps.uids) + render_id_map(facts_.r_maps.gids);
  }

  // Enters with one candidate, which lives; says how and where it came out.
  std::string enter_with(const sys::ProcessId& candidate) {
    return as_user([&] {
      const Entered entered = enter_r(gather_host_facts(), {candidate});
      return concat(static_cast<int>(entered), ' ', own_namespace());
    });
  }
  static std::string entered(Entered how) { return concat(static_cast<int>(how), ' '); }

  test::TestUser user_;
  HostFacts facts_;
};

void write_proc(const std::string& path, std::string_view content) {
  const sys::UniqueFd fd = sys::open_at(AT_FDCWD, path, O_WRONLY);
  if (::write(fd.get(), content.data(), content.size()) < 0) throw_errno("writing ", path);
}

// `unshare -r`: a namespace somebody else made for this process.
void unshare_as_root() {
  const std::string uid = std::to_string(::geteuid()), gid = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER) < 0) throw_errno("unsharing");
  write_proc("/proc/self/setgroups", "deny");
  write_proc("/proc/self/uid_map", concat("0 ", uid, " 1\n"));
  write_proc("/proc/self/gid_map", concat("0 ", gid, " 1\n"));
}

void drop_capability(int capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) < 0) throw_errno("reading capabilities");
  data[capability / 32].effective &= ~(1u << (capability % 32));
  data[capability / 32].permitted &= ~(1u << (capability % 32));
  if (::syscall(SYS_capset, &header, data) < 0) throw_errno("setting capabilities");
}

// ---- facts ----

TEST_F(UserNamespace, FactsOfAnOrdinaryUser) {
  EXPECT_EQ(as_user([] {
              const HostFacts host = gather_host_facts();
              return concat(host.uid, ' ', host.gid, ' ', host.user_name, ' ', host.home, ' ', host.rootful,
                            ' ', host.inside_user_namespace, '\n', render_id_map(host.r_maps.uids),
                            render_id_map(host.r_maps.gids));
            }),
            concat(user_.uid, ' ', user_.gid, ' ', user_.name, ' ', user_.home, " 0 0\n", planned_maps()));
}

TEST_F(UserNamespace, FactsInsideANamespaceSomebodyMade) {
  EXPECT_EQ(as_user([] {
              unshare_as_root();
              const HostFacts host = gather_host_facts();
              return concat(host.uid, ' ', host.rootful, ' ', host.inside_user_namespace, ' ',
                            render_id_map(host.r_maps.uids), render_id_map(host.r_maps.gids));
            }),
            "0 0 1 0 0 1\n0 0 1\n");
}

TEST_F(UserNamespace, FactsInsideRAreTheIdentityOverItsIds) {
  EXPECT_EQ(as_user([] {
              enter_r(gather_host_facts(), {});
              const HostFacts host = gather_host_facts();
              return concat(host.inside_user_namespace, ' ', render_id_map(host.r_maps.uids));
            }),
            "1 " + render_id_map(plan_nested_identity(facts_.r_maps.uids)));
}

TEST_F(UserNamespace, ANamespaceThatMapsEveryIdToItselfIsNotTheInitialOne) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root";
  test::Child outside([] {
    // Written by a child that stays outside, as root.
    sys::Pipe go = sys::make_pipe();
    const pid_t self = ::getpid();
    const pid_t mapper = sys::fork_child([&] {
      char byte;
      if (::read(go.read.get(), &byte, 1) != 1) return 1;
      for (const char* map : {"uid_map", "gid_map"}) {
        write_proc(concat("/proc/", self, '/', map), "0 0 4294967295\n");
      }
      return 0;
    });
    ::unshare(CLONE_NEWUSER);
    sys::write_all(go.write.get(), "g", "the pipe");
    const int code = sys::wait_child(mapper).code;
    const HostFacts host = gather_host_facts();
    return concat(code, ' ', host.rootful, ' ', host.inside_user_namespace);
  });
  EXPECT_EQ(outside.answer(), "0 0 1");
}

TEST_F(UserNamespace, RealRootIsRootfulAndHasEveryId) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root";
  const HostFacts host = gather_host_facts();
  EXPECT_TRUE(host.rootful);
  EXPECT_FALSE(host.inside_user_namespace);
  EXPECT_EQ(host.r_maps.uids, (IdMap{{0, 0, 4294967295}}));
  EXPECT_EQ(enter_r(host, {}), Entered::already);
}

TEST_F(UserNamespace, RootWithoutSysAdminIsNotRootful) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root";
  const test::Child child([] {
    drop_capability(CAP_SYS_ADMIN);
    const HostFacts host = gather_host_facts();
    return concat(host.rootful, ' ', host.inside_user_namespace, ' ', host.r_maps.uids.front().outside);
  });
  EXPECT_EQ(child.answer(), "0 0 0");
}

TEST_F(UserNamespace, HomeComesFromTheDatabaseWithoutAUsableVariable) {
  for (const char* value : {"", "relative/home"}) {
    EXPECT_EQ(as_user([&] {
                ::setenv("HOME", value, 1);
                return concat(gather_host_facts().home, ' ', home_directory());
              }),
              concat(user_.home, ' ', user_.home));
  }
}

// ---- a new R ----

TEST_F(UserNamespace, ANewRHasTheUserAndTheRanges) {
  EXPECT_EQ(as_user([] {
              const Entered how = enter_r(gather_host_facts(), {});
              return entered(how) + own_maps();
            }),
            entered(Entered::created) + planned_maps());
}

TEST_F(UserNamespace, EnteringKeepsPidDirectoryAndGroups) {
  EXPECT_EQ(as_user([] {
              ::chdir("/usr");
              const pid_t pid = ::getpid();
              gid_t before[64], after[64];
              const int count = ::getgroups(64, before);
              enter_r(gather_host_facts(), {});
              char directory[64];
              return concat(::getpid() == pid, ' ', ::getcwd(directory, sizeof directory), ' ',
                            ::getgroups(64, after) == count);
            }),
            "1 /usr 1");
}

TEST_F(UserNamespace, InsideTheProcessIsRootWithEveryCapability) {
  EXPECT_EQ(as_user([] {
              enter_r(gather_host_facts(), {});
              uid_t uids[3];
              gid_t gids[3];
              ::getresuid(&uids[0], &uids[1], &uids[2]);
              ::getresgid(&gids[0], &gids[1], &gids[2]);
              // Needs CAP_SYS_ADMIN; then CAP_CHOWN over a subordinate id.
              if (::unshare(CLONE_NEWNS | CLONE_NEWNET) < 0) throw_errno("unsharing");
              if (::setresuid(1, 1, 1) < 0) throw_errno("becoming a subordinate id");
              return concat(uids[0], uids[1], uids[2], gids[0], gids[1], gids[2], ::getuid());
            }),
            "0000001");
}

TEST_F(UserNamespace, LeavesNoChildBehind) {
  EXPECT_EQ(as_user([] {
              enter_r(gather_host_facts(), {});
              const pid_t found = ::waitpid(-1, nullptr, WNOHANG);
              return concat(found, ' ', errno_words(errno));
            }),
            "-1 no child processes");
}

TEST_F(UserNamespace, WorksWhereTheCallerIgnoresSigchldOrBlocksSignals) {
  EXPECT_EQ(as_user([] {
              ::signal(SIGCHLD, SIG_IGN);
              sigset_t all, after;
              ::sigfillset(&all);
              ::sigprocmask(SIG_SETMASK, &all, nullptr);
              const Entered how = enter_r(gather_host_facts(), {});
              ::sigprocmask(SIG_SETMASK, nullptr, &after);
              return concat(entered(how), ::sigismember(&after, SIGUSR1), ' ',
                            ::signal(SIGCHLD, SIG_DFL) == SIG_IGN);
            }),
            entered(Entered::created) + "1 1");
}

TEST_F(UserNamespace, WorksInAProcessThatIsNotDumpable) {
  for (const bool ranges : {true, false}) {
    EXPECT_EQ(as_user([&] {
                HostFacts host = gather_host_facts();
                if (!ranges) host.r_maps = {plan_r_map(user_.uid, {}), plan_r_map(user_.gid, {})};
                ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
                const Entered how = enter_r(host, {});
                return entered(how) + std::to_string(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
              }),
              entered(ranges ? Entered::created : Entered::single_id) + "0");
  }
}

TEST_F(UserNamespace, LeaksNoDescriptor) {
  EXPECT_EQ(as_user([] {
              const auto open_files = [] { return sys::list_directory(AT_FDCWD, "/proc/self/fd").size(); };
              const std::size_t before = open_files();
              enter_r(gather_host_facts(), {});
              return std::to_string(open_files() - before);
            }),
            "0");
}

TEST_F(UserNamespace, HelpersThatWereNotLetGoEndWithTheirParent) {
  sys::Pipe life = sys::make_pipe();
  const pid_t parent = sys::fork_child([&] {
    test::become(user_);
    const HostFacts host = gather_host_facts();
    const IdMapper mapper(host, ::getpid());
    life.read.reset();
    ::_exit(0);  // as a kill would: no destructor
    return 0;
  });
  life.write.reset();
  sys::wait_child(parent);
  // The helpers inherited the other end; it closes when the last of them is gone.
  pollfd watched{life.read.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&watched, 1, 60'000), 1);
}

TEST_F(UserNamespace, HelpersThatWereNotLetGoAreWaitedFor) {
  EXPECT_EQ(as_user([] {
              const HostFacts host = gather_host_facts();
              { const IdMapper mapper(host, ::getpid()); }
              const pid_t found = ::waitpid(-1, nullptr, WNOHANG);
              return concat(found, ' ', errno_words(errno), '\n', own_maps());
            }),
            "-1 no child processes\n" + as_user(own_maps));
}

TEST_F(UserNamespace, EnteringAgainChangesNothing) {
  EXPECT_EQ(as_user([] {
              const HostFacts outside = gather_host_facts();
              enter_r(outside, {});
              const std::string before = own_namespace();
              const Entered with_old_facts = enter_r(outside, {});
              const Entered with_new_facts = enter_r(gather_host_facts(), {});
              return concat(entered(with_old_facts), entered(with_new_facts), own_namespace() == before);
            }),
            entered(Entered::already) + entered(Entered::already) + "1");
}

TEST_F(UserNamespace, ANamespaceSomebodyMadeServesAsR) {
  EXPECT_EQ(as_user([] {
              unshare_as_root();
              return entered(enter_r(gather_host_facts(), {}));
            }),
            entered(Entered::already));
}

TEST_F(UserNamespace, RefusesAProcessWithThreads) {
  EXPECT_THAT(as_user([]() -> std::string {
                std::thread thread([] { ::pause(); });
                thread.detach();
                enter_r(gather_host_facts(), {});
                return "entered";
              }),
              HasSubstr("this process has 2 threads and must have one"));
}

// ---- joining ----

TEST_F(UserNamespace, JoinsRThroughAProcessInIt) {
  const test::Child monitor = in_r();
  EXPECT_EQ(enter_with(sys::identify(monitor.pid())), entered(Entered::joined) + monitor.answer());
}

TEST_F(UserNamespace, InsideAJoinedRTheProcessIsRootToo) {
  const test::Child monitor = in_r();
  const sys::ProcessId id = sys::identify(monitor.pid());
  EXPECT_EQ(as_user([&] {
              enter_r(gather_host_facts(), {id});
              if (::unshare(CLONE_NEWNET) < 0) throw_errno("unsharing");
              return concat(::getuid(), ' ', ::getgid(), ' ', own_maps());
            }),
            "0 0 " + planned_maps());
}

TEST_F(UserNamespace, PassesOverCandidatesThatAreGone) {
  test::Child dead = in_r();
  const sys::ProcessId gone = sys::identify(dead.pid());
  dead.end();
  const test::Child monitor = in_r();
  const sys::ProcessId living = sys::identify(monitor.pid());
  EXPECT_EQ(as_user([&] {
              const Entered how = enter_r(gather_host_facts(), {{0, 0}, gone, living});
              return entered(how) + own_namespace();
            }),
            entered(Entered::joined) + monitor.answer());
}

TEST_F(UserNamespace, DoesNotJoinAProcessThatOnlyHasThePid) {
  const test::Child monitor = in_r();
  sys::ProcessId reused = sys::identify(monitor.pid());
  --reused.start_time;
  EXPECT_THAT(enter_with(reused),
              AllOf(StartsWith(entered(Entered::created)), Not(EndsWith(monitor.answer()))));
}

TEST_F(UserNamespace, DoesNotJoinANamespaceWithAnotherMap) {
  const test::Child stranger(
      [this] {
        test::become(user_);
        unshare_as_root();
        return own_namespace();
      },
      test::Child::After::stays);
  EXPECT_THAT(enter_with(sys::identify(stranger.pid())), StartsWith(entered(Entered::created)));
}

// Puts a child of R into a namespace nested in it with the same ids, as a container's init is.
void enter_nested(const IdMaps& maps) {
  sys::Pipe go = sys::make_pipe();
  const pid_t self = ::getpid();
  const pid_t mapper = sys::fork_child([&] {
    char byte;
    if (::read(go.read.get(), &byte, 1) != 1) return 1;
    write_proc(concat("/proc/", self, "/uid_map"), render_id_map(maps.uids));
    write_proc(concat("/proc/", self, "/gid_map"), render_id_map(maps.gids));
    return 0;
  });
  if (::unshare(CLONE_NEWUSER) < 0) throw_errno("unsharing");
  sys::write_all(go.write.get(), "g", "the pipe");
  if (sys::wait_child(mapper).code != 0) throw Error("the nested map was refused");
}

TEST_F(UserNamespace, DoesNotMistakeAContainersPrivateNamespaceForR) {
  const IdMaps nested{plan_nested_identity(facts_.r_maps.uids), plan_nested_identity(facts_.r_maps.gids)};
  const test::Child container(
      [&] {
        test::become(user_);
        enter_r(gather_host_facts(), {});
        enter_nested(nested);
        return own_namespace();
      },
      test::Child::After::stays);
  ASSERT_THAT(container.answer(), StartsWith("user:"));
  // Seen from here it has the map of R.
  const std::string seen = sys::read_file(AT_FDCWD, concat("/proc/", container.pid(), "/uid_map"));
  ASSERT_EQ(parse_id_map(seen), facts_.r_maps.uids);
  EXPECT_THAT(enter_with(sys::identify(container.pid())),
              AllOf(StartsWith(entered(Entered::created)), Not(EndsWith(container.answer()))));
}

TEST_F(UserNamespace, DoesNotJoinTheNamespaceItIsIn) {
  EXPECT_THAT(enter_with(sys::identify(::getpid())), StartsWith(entered(Entered::created)));
}

TEST_F(UserNamespace, DoesNotJoinANamespaceOfAnotherOwner) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root";
  // Root makes a namespace that looks like R.
  const test::Child impostor(
      [this] {
        enter_nested(facts_.r_maps);
        return own_namespace();
      },
      test::Child::After::stays);
  ASSERT_THAT(impostor.answer(), StartsWith("user:"));
  EXPECT_THAT(enter_with(sys::identify(impostor.pid())),
              AllOf(StartsWith(entered(Entered::created)), Not(EndsWith(impostor.answer()))));
}

// ---- the kernel takes the planned nested maps ----

TEST_F(UserNamespace, TheKernelTakesTheNestedIdentity) {
  EXPECT_EQ(
      as_user([this] {
        enter_r(gather_host_facts(), {});
        enter_nested({plan_nested_identity(facts_.r_maps.uids), plan_nested_identity(facts_.r_maps.gids)});
        return std::to_string(::getuid());
      }),
      "0");
}

TEST_F(UserNamespace, TheKernelRefusesANestedExtentAcrossTwoOfR) {
  const auto ids = static_cast<std::uint32_t>(count_ids(facts_.r_maps.uids));
  EXPECT_THAT(as_user([&]() -> std::string {
                enter_r(gather_host_facts(), {});
                ::close(STDERR_FILENO);  // the mapper complains there
                enter_nested({{{0, 0, ids}}, {{0, 0, ids}}});
                return "taken";
              }),
              StartsWith("threw: the nested map was refused"));
}

TEST_F(UserNamespace, TheKernelTakesKeepId) {
  for (const std::uint32_t id : {1u, 1000u, 200000u}) {
    EXPECT_EQ(as_user([&] {
                enter_r(gather_host_facts(), {});
                enter_nested({plan_keep_id(facts_.r_maps.uids, id), plan_keep_id(facts_.r_maps.gids, id)});
                return std::to_string(::getuid());
              }),
              std::to_string(id));
  }
}

// ---- a single id ----

TEST_F(UserNamespace, WithoutRangesRHasASingleId) {
  EXPECT_EQ(as_user([this] {
              HostFacts host = gather_host_facts();
              host.r_maps = {plan_r_map(user_.uid, {}), plan_r_map(user_.gid, {})};
              const Entered how = enter_r(host, {});
              return concat(entered(how), ::getuid(), ::getgid(), ' ', own_maps());
            }),
            concat(entered(Entered::single_id), "00 0 ", user_.uid, " 1\n0 ", user_.gid, " 1\n"));
}

TEST_F(UserNamespace, UnderNoNewPrivsRHasASingleIdAndTheReasonIsTold) {
  const std::string answer = as_user([] {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const HostFacts host = gather_host_facts();
    const std::string reason = explain_single_id(host);
    return entered(enter_r(host, {})) + reason;
  });
  EXPECT_THAT(answer, AllOf(StartsWith(entered(Entered::single_id)), HasSubstr("no_new_privs")));
}

TEST_F(UserNamespace, AUserWithoutALineIsToldWhichLineToAdd) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root";
  const test::TestUser unknown{"nobody-at-all", 54321, 54321, "/"};
  const test::Child child([&] {
    ::setgroups(0, nullptr);
    ::setresgid(unknown.gid, unknown.gid, unknown.gid);
    ::setresuid(unknown.uid, unknown.uid, unknown.uid);
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    const HostFacts host = gather_host_facts();
    const std::string reason = explain_single_id(host);
    return concat(host.user_name, ' ', entered(enter_r(host, {})), reason);
  });
  EXPECT_THAT(child.answer(),
              AllOf(StartsWith("54321 " + entered(Entered::single_id)),
                    HasSubstr("/etc/subuid and /etc/subgid have no line for 54321"), EndsWith(":65536")));
  // The line to add lies after the ids of everybody else.
  const std::string before = "add: 54321:";
  const std::size_t at = child.answer().find(before);
  ASSERT_NE(at, std::string::npos);
  const IdExtent& last = facts_.r_maps.uids.back();
  EXPECT_GE(std::stoul(child.answer().substr(at + before.size())), last.outside + last.count);
}

TEST_F(UserNamespace, NothingIsToldWhereThereAreRanges) {
  EXPECT_EQ(as_user([] { return explain_single_id(gather_host_facts()); }), "");
}

// ---- refusals ----

TEST_F(UserNamespace, AForbiddenNamespaceNamesTheLimit) {
  EXPECT_THAT(as_user([]() -> std::string {
                unshare_as_root();
                write_proc("/proc/sys/user/max_user_namespaces", "0");
                drop_capability(CAP_SYS_ADMIN);  // else this namespace would serve as R
                enter_r(gather_host_facts(), {});
                return "entered";
              }),
              AllOf(StartsWith("threw: creating a user namespace: no space left on device"),
                    HasSubstr("hint: user.max_user_namespaces is 0")));
}

TEST_F(UserNamespace, AnIdNobodyGrantedIsRefusedInTheWordsOfNewuidmap) {
  EXPECT_THAT(as_user([]() -> std::string {
                HostFacts host = gather_host_facts();
                host.r_maps.uids.push_back({4000000, 3000000000, 1});
                enter_r(host, {});
                return "entered";
              }),
              AllOf(StartsWith("threw: mapping the ids of the user namespace: "),
                    HasSubstr("newuidmap refused the ids of /etc/subuid: "), HasSubstr("not allowed"),
                    HasSubstr("hint: ")));
}

TEST_F(UserNamespace, ARefusedRangeNamesItsLine) {
  // Someone shortened the line after the plan was made.
  EXPECT_THAT(
      as_user([]() -> std::string {
        HostFacts host = gather_host_facts();
        host.r_maps.gids.back().count += 1;
        enter_r(host, {});
        return "entered";
      }),
      AllOf(HasSubstr("newgidmap refused /etc/subgid line "), HasSubstr(concat('"', user_.name, ':'))));
}

TEST_F(UserNamespace, AHelperThatCannotBeRunIsNamed) {
  EXPECT_THAT(as_user([]() -> std::string {
                HostFacts host = gather_host_facts();
                host.newuidmap = "/nowhere/newuidmap";
                enter_r(host, {});
                return "entered";
              }),
              StartsWith("threw: mapping the ids of the user namespace: running /nowhere/newuidmap: "
                         "no such file or directory"));
}

TEST_F(UserNamespace, AHelperWithoutPrivilegeIsExplained) {
  EXPECT_THAT(as_user([]() -> std::string {
                HostFacts host = gather_host_facts();
                ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);  // after the facts were gathered
                enter_r(host, {});
                return "entered";
              }),
              AllOf(HasSubstr("newuidmap"), HasSubstr("ermitted"), HasSubstr("hint: "),
                    HasSubstr("could not gain privilege")));
}

TEST(ExplainForbidden, SaysNothingAboutAnErrnoWithOtherReasons) {
  EXPECT_EQ(explain_forbidden_user_namespace(ENOMEM), "");
  EXPECT_NE(explain_forbidden_user_namespace(EPERM), "");
  EXPECT_THAT(explain_forbidden_user_namespace(EINVAL), HasSubstr("CONFIG_USER_NS"));
}

}  // namespace
}  // namespace knarr::rootless
