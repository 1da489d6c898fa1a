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

// From /etc/passwd, else by getent(1), which asks the other sources of nsswitch.conf (systemd, sss, ..).
std::optional<User> find_user(uid_t uid);

}  // namespace knarr::rootless
