// SPDX-License-Identifier: Apache-2.0
// Children of a test that live as an ordinary user or in namespaces of their own. What they find comes back
// as text, so that expectations stand in the test.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "rootless/sys/process.h"

namespace knarr::test {

struct TestUser {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;
};

// Whom rootless tests run as: the caller unless that is root, else $KNARR_TEST_USER (by default knarr-test),
// which must have ranges in /etc/subuid and /etc/subgid. nullopt when there is no such user.
std::optional<TestUser> find_test_user();

// Makes this process that user for good: ids, groups, HOME; no XDG variables.
void become(const TestUser& user);

// A forked child. It answers with what `body` returns, or with "threw: MESSAGE\nhint: HINT".
class Child {
 public:
  enum class After { exits, stays };  // stays: lives on until the Child object is destroyed
  explicit Child(const std::function<std::string()>& body, After after = After::exits);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { end(); }

  const std::string& answer() const { return answer_; }
  pid_t pid() const { return pid_; }
  void end();

 private:
  pid_t pid_ = -1;
  sys::Pipe hold_ = sys::make_pipe();
  std::string answer_;
};

// The answer of a child that runs `body` as the user.
std::string as_user(const TestUser& user, const std::function<std::string()>& body);

}  // namespace knarr::test
