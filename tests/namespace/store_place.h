// SPDX-License-Identifier: Apache-2.0
// Tests of the store that run as root, in a user's namespace R and in one with a single id.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <string>

#include "rootless/host.h"
#include "rootless/sys/error.h"
#include "rootless/user_namespace.h"
#include "storage/content/hash.h"
#include "storage/layer/layer.h"
#include "storage/store.h"
#include "tests/namespace/user_child.h"
#include "tests/support/temporary_directory.h"

namespace knarr::storage {

enum class As { root, user, single_id };

inline void enter_single_id_namespace() {
  const std::string uid = std::to_string(::getuid()), gid = std::to_string(::getgid());
  if (::unshare(CLONE_NEWUSER) < 0) throw_errno("entering a user namespace");
  const auto write_file = [](const char* path, const std::string& text) {
    sys::write_all(sys::open_at(AT_FDCWD, path, O_WRONLY).get(), text, path);
  };
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", "0 " + uid + " 1");
  write_file("/proc/self/gid_map", "0 " + gid + " 1");
}

inline ByteSource source_of(const std::string& bytes) {
  return [bytes, position = std::size_t{0}](char* buffer, std::size_t size) mutable {
    const std::size_t given = std::min(size, bytes.size() - position);
    bytes.copy(buffer, given, position);
    position += given;
    return given;
  };
}

inline UnpackRequest request_for(const std::string& tar) {
  return {digest_of(tar), digest_of(tar), source_of(tar)};
}

// A store with something beside it that no layer may touch.
class Place {
 public:
  Place() : store_(Store::open(host_.path("store"))) {
    sys::create_file(host_.fd(), "sentinel", "safe", 0644, sys::Durability::none);
    sys::make_directory(host_.fd(), "outside", 0755);
  }
  const Store& store() const { return store_; }
  const std::string& path() const { return host_.path(); }
  // "" unless something beside the store has changed or garbage is left.
  std::string damage() const {
    std::string found;
    if (sys::read_file_if_exists(host_.fd(), "sentinel") != "safe")
      found += "\nDAMAGE: the sentinel has changed";
    if (!sys::list_directory(host_.fd(), "outside").empty()) found += "\nDAMAGE: files lie outside";
    if (sys::list_directory(host_.fd(), ".").size() != 3)
      found += "\nDAMAGE: names have appeared beside the store";
    if (!sys::list_directory(store_.fd(), "staging").empty()) found += "\nDAMAGE: staging is not empty";
    return found;
  }

 private:
  test::TemporaryDirectory host_;
  Store store_;
};

class InEveryNamespace : public testing::TestWithParam<As> {
 protected:
  void SetUp() override {
    if (GetParam() == As::root && ::getuid() != 0) GTEST_SKIP() << "needs root";
    user_ = test::find_test_user();
    if (GetParam() != As::root && !user_)
      GTEST_SKIP() << "no user with subordinate ids: useradd -m knarr-test";
  }

  // What `body` returns, run as the parameter says.
  std::string in_child(const std::function<std::string(const Place&)>& body) const {
    return test::Child([&] {
             if (GetParam() != As::root) test::become(*user_);
             if (GetParam() == As::user) rootless::enter_r(rootless::gather_host_facts(), {});
             if (GetParam() == As::single_id) enter_single_id_namespace();
             const Place place;
             return body(place);
           })
        .answer();
  }

  bool is_root() const { return GetParam() == As::root; }
  bool is_single() const { return GetParam() == As::single_id; }

 private:
  std::optional<test::TestUser> user_;
};

inline std::string name_of(const testing::TestParamInfo<As>& as) {
  return as.param == As::root ? "AsRoot" : as.param == As::user ? "AsUser" : "AsSingleId";
}

}  // namespace knarr::storage
