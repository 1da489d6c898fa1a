// SPDX-License-Identifier: Apache-2.0
// Users and groups of a container: the text of its /etc/passwd and /etc/group (passwd(5), group(5)), written
// by whoever made the image. Nothing is allocated, every length is bounded, and nothing here touches the
// kernel: bytes come from a function, so tests and fuzzers feed the same code.
//
// Errors are errno values: ENOENT nobody by that name, ERANGE a number outside 0..2^32-2, EINVAL a malformed
// argument, E2BIG a line of more than 64 KiB or more than 65536 groups, EFBIG a file of more than 16 MiB,
// ENAMETOOLONG a name that no system allows; else that of the read.
#pragma once

#include <climits>
#include <cstddef>
#include <cstdint>

#include "engine/init/plan.h"

namespace knarr::engine::init {

constexpr std::size_t max_line = 64u << 10;
constexpr std::size_t max_file = 16u << 20;
constexpr std::uint32_t max_groups = 65536;  // NGROUPS_MAX
constexpr std::size_t max_name = 256;        // LOGIN_NAME_MAX

struct Text {
  const char* data = nullptr;
  std::size_t size = 0;
};
Text text_of(const char* string);
bool operator==(const Text& left, const Text& right);

// Bytes of a file, as read(2) gives them: 0 at the end, -1 and errno on failure.
struct ByteSource {
  long (*read)(void* state, char* buffer, std::size_t size) = nullptr;  // null: an empty file
  void* state = nullptr;
};

// Splits a source into lines without their newlines, through a buffer of the caller's.
class LineReader {
 public:
  struct Buffer {
    char bytes[max_line + 1];
  };
  LineReader(ByteSource source, Buffer& buffer) : source_(source), buffer_(buffer.bytes) {}

  // False at the end and on failure; the line is valid until the next call.
  bool next(Text& line);
  int error() const { return error_; }  // 0 at the end of the file

 private:
  bool fill();

  ByteSource source_;
  char* buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::size_t total_ = 0;
  bool at_end_ = false;
  int error_ = 0;
};

// A string of digits is a number and never a name: 0, or ERANGE when no id is that big. ENOENT: not a number.
int parse_id(Text text, std::uint32_t& id);

// "user", "user:group", ":group"; either one a name or a number. "user:" is "user", nothing is user 0.
struct UserSpec {
  Text user;
  Text group;  // size 0: that of the user
};
UserSpec parse_user_spec(const char* spec);  // nullptr: user 0

struct PasswdEntry {
  Text name;
  std::uint32_t uid = 0, gid = 0;
  Text home;
};
struct GroupEntry {
  Text name;
  std::uint32_t gid = 0;
  Text members;  // "a,b,c"
};
// False for lines that are no entry: empty, comments, too few fields, ids that are no numbers.
bool parse_passwd_line(Text line, PasswdEntry& entry);
bool parse_group_line(Text line, GroupEntry& entry);
bool is_member(Text members, Text name);

constexpr std::uint32_t max_extra_groups = 1024;  // --group-add

struct Groups {
  gid_t ids[max_groups];
  std::uint32_t count = 0;
  // Of these, those that the user asked for: the gid and the extra ones. The others are the image's wish.
  gid_t required[max_extra_groups + 1];
  std::uint32_t required_count = 0;
};

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  char home[PATH_MAX] = "/";
  char name[max_name] = "";  // as in passwd; empty: no entry
};

// Fills uid, gid (that of the passwd entry, else 0), home and name.
int find_user(const UserSpec& spec, LineReader& passwd, Identity& identity);

struct GroupRequest {
  UserSpec spec;
  Span<const char*> extra;  // names or numbers
};
// Settles identity.gid and gathers the supplementary groups, sorted, each once: the gid itself; those that
// list identity.name as a member, unless the spec names a group; and the extra ones. On failure `which` is 0
// for the spec's group, 1.. for an extra one.
int find_groups(const GroupRequest& request, LineReader& group, Identity& identity, Groups& groups,
                std::uint32_t& which);

}  // namespace knarr::engine::init
