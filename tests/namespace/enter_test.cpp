// SPDX-License-Identifier: Apache-2.0
#include "netns/enter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "rootless/sys/error.h"
#include "tests/namespace/network_lab.h"

namespace knarr::netns {
namespace {

using ::testing::StartsWith;

std::string identity(int fd) {
  struct stat status;
  return ::fstat(fd, &status) == 0 ? concat(status.st_dev, ' ', status.st_ino) : errno_words(errno);
}

TEST(EnterNetns, RunsThereAndLeavesTheCallerWhereItIs) {
  EXPECT_EQ(test::in_new_network([]() -> std::string {
              const sys::UniqueFd made = make_network_namespace();
              const std::string before = identity(open_own_network_namespace().get());
              std::string there;
              in_network_namespace(made.get(), [&] { there = identity(open_own_network_namespace().get()); });
              if (there != identity(made.get())) return "the act ran elsewhere";
              if (identity(open_own_network_namespace().get()) != before) return "the caller moved";
              return before == there ? "no new namespace" : "";
            }),
            "");
}

TEST(EnterNetns, GivesWhatIsThrownThereToTheCaller) {
  EXPECT_EQ(test::in_new_network([]() -> std::string {
              const sys::UniqueFd made = make_network_namespace();
              try {
                in_network_namespace(made.get(), [] { throw SysError(EBUSY, concat("with ", 1, " word")); });
              } catch (const SysError& error) {
                return error.what();
              }
              return "nothing thrown";
            }),
            "with 1 word: device or resource busy");
}

TEST(EnterNetns, NamesANamespaceThatCannotBeEntered) {
  EXPECT_THAT(test::in_new_network([]() -> std::string {
                in_network_namespace(0, [] {});
                return "";
              }),
              StartsWith("threw: entering a network namespace: "));
}

TEST(EnterNetns, LeavesNoTraceInTheCaller) {
  EXPECT_EQ(test::in_new_network([]() -> std::string {
              const sys::UniqueFd made = make_network_namespace();
              sigset_t child_signal, pending, mask_before, mask_after;
              ::sigemptyset(&child_signal);
              ::sigaddset(&child_signal, SIGCHLD);
              ::sigprocmask(SIG_BLOCK, &child_signal, nullptr);
              ::sigprocmask(SIG_SETMASK, nullptr, &mask_before);
              ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
              in_network_namespace(made.get(), [] {});
              ::sigpending(&pending);
              if (::sigismember(&pending, SIGCHLD) == 1) return "SIGCHLD";
              ::sigprocmask(SIG_SETMASK, nullptr, &mask_after);
              if (::sigismember(&mask_after, SIGTERM) != ::sigismember(&mask_before, SIGTERM)) return "mask";
              if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1) return "no longer dumpable";
              return ::waitpid(-1, nullptr, WNOHANG | __WALL) == -1 && errno == ECHILD ? ""
                                                                                       : "a child is left";
            }),
            "");
}

TEST(EnterNetns, ASocketStaysInTheNamespaceItWasOpenedIn) {
  EXPECT_EQ(test::in_new_network([]() -> std::string {
              test::Lab lab;
              test::TestNetwork network("web", {"10.88.0.1/24"});
              lab.set_up(network);
              const sys::UniqueFd there = open_socket_in(lab.engine_fd.get(), AF_INET, SOCK_DGRAM, 0);
              constexpr char name[] = "web";
              if (::setsockopt(there.get(), SOL_SOCKET, SO_BINDTODEVICE, name, sizeof name) < 0)
                return errno_words(errno);
              return ::if_nametoindex("web") == 0 ? "" : "the caller sees the bridge, too";
            }),
            "");
}

}  // namespace
}  // namespace knarr::netns
