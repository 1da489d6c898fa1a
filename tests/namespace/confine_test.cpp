// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/confine.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/landlock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "tests/namespace/store_place.h"

namespace knarr::storage {
namespace {

class Confine : public InEveryNamespace {};

INSTANTIATE_TEST_SUITE_P(, Confine, testing::Values(As::root, As::user, As::single_id), name_of);

std::string outcome(long result) {
  return result >= 0 ? "ok" : errno_words(errno);
}

// What `act` answers in a confined thread, where "outside" is an open directory beside the tree.
std::string confined(const Place& place, const std::function<std::string(int outside_fd)>& act) {
  const sys::UniqueFd host = sys::open_directory(AT_FDCWD, place.path());
  const sys::UniqueFd outside = sys::open_directory(host.get(), "outside");
  sys::make_directory(host.get(), "store/trash/tree", 0755);
  const sys::UniqueFd tree = sys::open_directory(host.get(), "store/trash/tree");
  std::string answer;
  std::thread([&] {
    confine_thread(tree.get());
    answer = act(outside.get());
  }).join();
  return answer;
}

bool has_landlock() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 2;
}

TEST_P(Confine, TheTreeIsTheRoot) {
  EXPECT_EQ(in_child([](const Place& place) {
              const std::string escape = confined(place, [](int) {
                ::mkdir("/made-at-the-root", 0777);
                return "escape: " + outcome(::open("../../../../../../etc/passwd", O_RDONLY));
              });
              return escape +
                     (sys::stat_at(place.store().fd(), "trash/tree/made-at-the-root") ? ", made inside" : "");
            }),
            "escape: no such file or directory, made inside");
}

TEST_P(Confine, FilesMayBeMadeAndLinkedInside) {
  EXPECT_EQ(in_child([](const Place& place) {
              return confined(place, [](int) {
                std::string results;
                results += outcome(::mkdir("a", 0777)) + " ";
                results += outcome(::mkdir("b", 0777)) + " ";
                const sys::UniqueFd file(::open("a/f", O_WRONLY | O_CREAT | O_EXCL, 0666));
                results += outcome(file.get()) + " ";
                results += outcome(::ftruncate(file.get(), 10)) + " ";
                results += outcome(::link("a/f", "b/g")) + " ";
                results += outcome(::symlink("x", "b/l")) + " ";
                results += outcome(::mknod("b/w", S_IFCHR, 0)) + " ";
                results += outcome(::mkfifo("b/p", 0666)) + " ";
                results += outcome(::unlink("a/f"));
                struct stat info;
                if (::stat("b/g", &info) == 0)
                  results += concat(' ', static_cast<unsigned>(info.st_mode & 0777));
                return results;
              });
            }),
            "ok ok ok ok ok ok ok ok ok " + std::to_string(0666));
}

TEST_P(Confine, AnOpenDirectoryOutsideIsOfNoUse) {
  if (!has_landlock()) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(in_child([](const Place& place) {
              const std::string results_outside = confined(place, [](int outside) {
                std::string results;
                results += outcome(::openat(outside, "f", O_WRONLY | O_CREAT, 0666)) + ", ";
                results += outcome(::mkdirat(outside, "d", 0777)) + ", ";
                results += outcome(::openat(outside, "../sentinel", O_RDONLY)) + ", ";
                results += outcome(::unlinkat(outside, "../sentinel", 0));
                return results;
              });
              return results_outside + place.damage();
            }),
            "permission denied, permission denied, permission denied, permission denied");
}

TEST_P(Confine, NoProgramsSocketsOrMounts) {
  EXPECT_EQ(
      in_child([](const Place& place) {
        return confined(place, [](int) {
          std::string results;
          char* const arguments[] = {nullptr};
          results += outcome(::execve("/bin/true", arguments, arguments)) + ", ";
          results += outcome(::socket(AF_UNIX, SOCK_STREAM, 0)) + ", ";
          results += outcome(::syscall(SYS_unshare, 0)) + ", ";
          results += outcome(::syscall(SYS_mount, "none", "/", "tmpfs", 0, nullptr));
          return results;
        });
      }),
      "operation not permitted, operation not permitted, operation not permitted, operation not permitted");
}

TEST_P(Confine, OtherThreadsAreNot) {
  EXPECT_EQ(in_child([](const Place& place) {
              ::umask(022);
              confined(place, [](int) { return std::string(); });
              const sys::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
              const sys::UniqueFd file(::open(place.path().c_str(), O_RDONLY));
              return concat(socket ? "socket " : "", file ? "file " : "", static_cast<unsigned>(::umask(0)));
            }),
            "socket file " + std::to_string(022));
}

}  // namespace
}  // namespace knarr::storage
