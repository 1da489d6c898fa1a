// SPDX-License-Identifier: Apache-2.0
// Looking up users of the host.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace knarr::rootless {

struct User {
  std::string name;
  gid_t gid = 0;
  std::string home;
  bool operator==(const User&) const = default;
};

// The first entry of a passwd(5) file with this uid.
std::optional<User> parse_passwd(std::string_view file, uid_t uid);

// From /etc/passwd, else by getpwuid_r(3). The file comes first because the C library loads its name service
// modules (systemd, sss, ..) even for users who are in it, which costs more than a container's start.
std::optional<User> find_user(uid_t uid);

}  // namespace knarr::rootless
