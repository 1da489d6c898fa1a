// SPDX-License-Identifier: Apache-2.0
#include "engine/init/users.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace knarr::engine::init {
namespace {

constexpr std::uint32_t max_id = 0xfffffffe;  // 2^32-1 means "no change" to the kernel

// Takes the text up to the next separator off the front of `rest`; false when nothing was left to take.
bool take_field(Text& rest, char separator, Text& field) {
  if (rest.data == nullptr) return false;
  const void* found = std::memchr(rest.data, separator, rest.size);
  if (found == nullptr) {
    field = rest;
    rest = {};
    return true;
  }
  const char* end = static_cast<const char*>(found);
  field = {rest.data, static_cast<std::size_t>(end - rest.data)};
  rest = {end + 1, rest.size - field.size - 1};
  return true;
}

bool copy_text(Text text, char* target, std::size_t size) {
  if (text.size >= size) return false;
  std::memcpy(target, text.data, text.size);
  target[text.size] = '\0';
  return true;
}

bool add_group(Groups& groups, gid_t gid) {
  if (groups.count == max_groups) return false;
  groups.ids[groups.count++] = gid;
  return true;
}

bool add_required_group(Groups& groups, gid_t gid) {
  groups.required[groups.required_count++] = gid;
  return add_group(groups, gid);
}

void sort_groups(Groups& groups) {
  std::sort(groups.ids, groups.ids + groups.count);
  groups.count = static_cast<std::uint32_t>(std::unique(groups.ids, groups.ids + groups.count) - groups.ids);
}

// The names still to be found in /etc/group.
struct Wanted {
  Text name;
  bool is_number = false;
  bool found = false;
  std::uint32_t gid = 0;
};

int want(Text text, Wanted& wanted) {
  wanted.name = text;
  const int error = parse_id(text, wanted.gid);
  wanted.is_number = wanted.found = error == 0;
  return error == ENOENT ? 0 : error;
}

int want_extra(Span<const char*> extra, Wanted* wanted, std::uint32_t& which) {
  for (std::uint32_t i = 0; i < extra.size; ++i) {
    which = i + 1;
    const Text text = text_of(extra[i]);
    if (text.size == 0) return EINVAL;
    if (const int error = want(text, wanted[i])) return error;
  }
  return 0;
}

}  // namespace

Text text_of(const char* string) {
  return {string, std::strlen(string)};
}

bool operator==(const Text& left, const Text& right) {
  return left.size == right.size && (left.size == 0 || std::memcmp(left.data, right.data, left.size) == 0);
}

bool LineReader::fill() {
  if (begin_ > 0) {
    std::memmove(buffer_, buffer_ + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  const long got =
      source_.read == nullptr ? 0 : source_.read(source_.state, buffer_ + end_, max_line + 1 - end_);
  if (got < 0) {
    error_ = errno;
    return false;
  }
  at_end_ = got == 0;
  end_ += static_cast<std::size_t>(got);
  total_ += static_cast<std::size_t>(got);
  if (total_ > max_file) error_ = EFBIG;
  return error_ == 0;
}

bool LineReader::next(Text& line) {
  std::size_t searched = 0;
  while (error_ == 0) {
    const std::size_t held = end_ - begin_;
    const char* start = buffer_ + begin_;
    const void* newline = std::memchr(start + searched, '\n', held - searched);
    if (newline != nullptr) {
      line = {start, static_cast<std::size_t>(static_cast<const char*>(newline) - start)};
      begin_ += line.size + 1;
      return true;
    }
    if (at_end_) {
      line = {start, held};
      begin_ = end_;
      return held > 0;
    }
    searched = held;
    if (held > max_line) {
      error_ = E2BIG;
    } else {
      fill();
    }
  }
  return false;
}

int parse_id(Text text, std::uint32_t& id) {
  if (text.size == 0) return ENOENT;
  for (std::size_t i = 0; i < text.size; ++i) {
    if (text.data[i] < '0' || text.data[i] > '9') return ENOENT;
  }
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < text.size; ++i) {
    value = value * 10 + static_cast<std::uint64_t>(text.data[i] - '0');
    if (value > max_id) return ERANGE;
  }
  id = static_cast<std::uint32_t>(value);
  return 0;
}

UserSpec parse_user_spec(const char* spec) {
  Text rest = text_of(spec == nullptr ? "" : spec);
  UserSpec parsed;
  take_field(rest, ':', parsed.user);
  if (rest.data != nullptr) parsed.group = rest;
  return parsed;
}

bool parse_passwd_line(Text line, PasswdEntry& entry) {
  Text password, uid, gid, comment;
  if (!take_field(line, ':', entry.name) || !take_field(line, ':', password) || !take_field(line, ':', uid) ||
      !take_field(line, ':', gid) || entry.name.size == 0 || entry.name.data[0] == '#')
    return false;
  if (parse_id(uid, entry.uid) != 0 || parse_id(gid, entry.gid) != 0) return false;
  entry.home = {};
  if (take_field(line, ':', comment)) take_field(line, ':', entry.home);
  return true;
}

bool parse_group_line(Text line, GroupEntry& entry) {
  Text password, gid;
  if (!take_field(line, ':', entry.name) || !take_field(line, ':', password) || !take_field(line, ':', gid) ||
      entry.name.size == 0 || entry.name.data[0] == '#')
    return false;
  entry.members = {};
  take_field(line, ':', entry.members);
  return parse_id(gid, entry.gid) == 0;
}

bool is_member(Text members, Text name) {
  if (name.size == 0) return false;
  Text member;
  while (take_field(members, ',', member)) {
    if (member == name) return true;
  }
  return false;
}

int find_user(const UserSpec& spec, LineReader& passwd, Identity& identity) {
  std::uint32_t uid = 0;
  const int error = spec.user.size == 0 ? 0 : parse_id(spec.user, uid);
  if (error == ERANGE) return error;
  const bool by_name = error == ENOENT;
  Text line;
  PasswdEntry entry;
  while (passwd.next(line)) {
    if (!parse_passwd_line(line, entry)) continue;
    if (by_name ? !(entry.name == spec.user) : entry.uid != uid) continue;
    identity.uid = entry.uid;
    identity.gid = entry.gid;
    if (!copy_text(entry.name, identity.name, sizeof identity.name)) return ENAMETOOLONG;
    // Not a directory anybody could be in; the fallback below it is as good as for a user without an entry.
    if (entry.home.size > 0) copy_text(entry.home, identity.home, sizeof identity.home);
    return 0;
  }
  if (passwd.error() != 0) return passwd.error();
  if (by_name) return ENOENT;
  identity.uid = uid;
  identity.gid = 0;
  return 0;
}

int find_groups(const GroupRequest& request, LineReader& group, Identity& identity, Groups& groups,
                std::uint32_t& which) {
  static Wanted extra[max_extra_groups];
  groups.count = groups.required_count = 0;
  which = 0;
  Wanted primary;
  const bool has_primary = request.spec.group.size > 0;
  if (has_primary) {
    if (const int error = want(request.spec.group, primary)) return error;
  }
  if (request.extra.size > max_extra_groups) return E2BIG;
  std::fill_n(extra, request.extra.size, Wanted{});
  if (const int error = want_extra(request.extra, extra, which)) return error;

  which = 0;
  Text line;
  GroupEntry entry;
  const Text user = text_of(identity.name);
  while (group.next(line)) {
    if (!parse_group_line(line, entry)) continue;
    if (has_primary && !primary.found && entry.name == primary.name) {
      primary.found = true;
      primary.gid = entry.gid;
    }
    if (!has_primary && is_member(entry.members, user) && !add_group(groups, entry.gid)) return E2BIG;
    for (std::uint32_t i = 0; i < request.extra.size; ++i) {
      if (extra[i].found || !(extra[i].name == entry.name)) continue;
      extra[i].found = true;
      extra[i].gid = entry.gid;
    }
  }
  if (group.error() != 0) return group.error();

  if (has_primary && !primary.found) return ENOENT;
  if (has_primary) identity.gid = primary.gid;
  if (!add_required_group(groups, identity.gid)) return E2BIG;
  for (std::uint32_t i = 0; i < request.extra.size; ++i) {
    which = i + 1;
    if (!extra[i].found) return ENOENT;
    if (!add_required_group(groups, extra[i].gid)) return E2BIG;
  }
  which = 0;
  sort_groups(groups);
  return 0;
}

}  // namespace knarr::engine::init
