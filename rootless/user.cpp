// SPDX-License-Identifier: Apache-2.0
#include "rootless/user.h"

#include <fcntl.h>

#include <array>
#include <charconv>

#include "rootless/name_service.h"
#include "rootless/sys/file.h"

namespace knarr::rootless {
namespace {

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

// name:password:uid:gid:comment:home:shell
std::optional<User> parse_entry(std::string_view line, uid_t wanted) {
  std::array<std::string_view, 7> fields;
  std::size_t count = 0;
  for (std::size_t start = 0; count < fields.size(); ++count) {
    const std::size_t colon = line.find(':', start);
    fields[count] = line.substr(start, colon - start);
    if (colon == std::string_view::npos) break;
    start = colon + 1;
  }
  uid_t uid = 0;
  User user;
  if (count < 5 || fields[0].empty() || !parse_number(fields[2], uid) || uid != wanted) return std::nullopt;
  if (!parse_number(fields[3], user.gid)) return std::nullopt;
  user.name = fields[0];
  user.home = fields[5];
  return user;
}

}  // namespace

std::optional<User> parse_passwd(std::string_view file, uid_t uid) {
  while (!file.empty()) {
    const std::size_t end = file.find('\n');
    if (std::optional<User> user = parse_entry(file.substr(0, end), uid)) return user;
    file = end == std::string_view::npos ? std::string_view{} : file.substr(end + 1);
  }
  return std::nullopt;
}

std::optional<User> find_user(uid_t uid) {
  if (const auto file = sys::read_file_if_exists(AT_FDCWD, "/etc/passwd")) {
    if (std::optional<User> user = parse_passwd(*file, uid)) return user;
  }
  return parse_passwd(ask_name_service({"/usr/bin/getent", "passwd", std::to_string(uid)}), uid);
}

}  // namespace knarr::rootless
