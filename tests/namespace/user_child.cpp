// SPDX-License-Identifier: Apache-2.0
#include "tests/namespace/user_child.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "rootless/id_map.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::test {
namespace {

bool has_ranges(const char* path, const TestUser& user) {
  const auto file = sys::read_file_if_exists(AT_FDCWD, path);
  return file && !rootless::parse_subid(*file, user.name, user.uid).empty();
}

std::string answer_of(const std::function<std::string()>& body) {
  try {
    return body();
  } catch (const Error& error) {
    return concat("threw: ", error.what(), "\nhint: ", error.hint());
  }
}

}  // namespace

std::optional<TestUser> find_test_user() {
  const char* wanted = std::getenv("KNARR_TEST_USER");
  const passwd* entry = ::getuid() != 0 ? ::getpwuid(::getuid()) : ::getpwnam(wanted ? wanted : "knarr-test");
  if (!entry) return std::nullopt;
  TestUser user{entry->pw_name, entry->pw_uid, entry->pw_gid, entry->pw_dir};
  if (!has_ranges("/etc/subuid", user) || !has_ranges("/etc/subgid", user)) return std::nullopt;
  return user;
}

void become(const TestUser& user) {
  if (::getuid() == 0) {
    if (::initgroups(user.name.c_str(), user.gid) < 0) throw_errno("setting the groups of ", user.name);
    if (::setresgid(user.gid, user.gid, user.gid) < 0) throw_errno("becoming the group of ", user.name);
    if (::setresuid(user.uid, user.uid, user.uid) < 0) throw_errno("becoming ", user.name);
    // Changing ids made /proc/self root's, as a program the user started would not see it.
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  }
  ::setenv("HOME", user.home.c_str(), 1);
  for (const char* name : {"XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME"}) ::unsetenv(name);
}

Child::Child(const std::function<std::string()>& body, After after) {
  sys::Pipe report = sys::make_pipe();
  pid_ = sys::fork_child([&] {
    report.read.reset();
    hold_.write.reset();
    sys::write_all(report.write.get(), answer_of(body), "the report");
    report.write.reset();
    char byte;
    return after == After::exits ? 0 : static_cast<int>(::read(hold_.read.get(), &byte, 1));
  });
  report.write.reset();
  answer_ = sys::read_all(report.read.get(), "the report");
  if (after == After::exits) end();
}

void Child::end() {
  hold_.write.reset();
  if (pid_ > 0) sys::wait_child(std::exchange(pid_, -1));
}

std::string as_user(const TestUser& user, const std::function<std::string()>& body) {
  return Child([&] {
           become(user);
           return body();
         })
      .answer();
}

}  // namespace knarr::test
