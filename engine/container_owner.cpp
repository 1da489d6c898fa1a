// SPDX-License-Identifier: Apache-2.0
#include "engine/container_owner.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "engine/init/users.h"
#include "engine/request/namespaces.h"
#include "engine/spec/parts.h"
#include "rootless/sys/error.h"
#include "rootless/sys/in_root.h"

namespace knarr::engine {

namespace {

long read_bytes(void* state, char* buffer, std::size_t size) {
  for (;;) {
    const ssize_t got = ::read(static_cast<sys::UniqueFd*>(state)->get(), buffer, size);
    if (got >= 0 || errno != EINTR) return got;
  }
}

// An image without the file has nobody in it. O_NONBLOCK: it may be a FIFO that nobody ever writes to.
sys::UniqueFd open_database(int root_fd, const char* path) {
  sys::UniqueFd file = sys::find_in_root(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat status {};
  if (file && (::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode)))
    throw InvalidArgument(concat(path, " of the container is no regular file"));
  return file;
}

init::ByteSource source_of(sys::UniqueFd& file) {
  if (!file) return {};
  return {read_bytes, &file};
}

// Too big for a stack.
struct Room {
  init::LineReader::Buffer buffer;
  init::Identity identity;
  init::Groups groups;
};

[[noreturn]] void throw_unknown(const std::string& user, int error) {
  throw InvalidArgument(
      concat("the container's user \"", user,
             "\": ", error == ENOENT ? "not in its /etc/passwd or /etc/group" : errno_words(error)));
}

std::uint32_t map_id(const rootless::IdMap& map, std::uint32_t id, const char* kind) {
  if (const auto outside = rootless::map_to_outside(map, id)) return *outside;
  throw InvalidArgument(concat("the container's ", kind, " ", id, " is not mapped in its user namespace"));
}

}  // namespace

rootless::IdMaps container_maps(const Engine& engine, const ContainerConfig& config) {
  using Kind = UserNamespaceMode::Kind;
  const UserNamespaceMode mode = parse_user_namespace_mode(config.namespaces.user);
  if (mode.kind == Kind::container) return container_maps(engine, engine.load_config(mode.argument));
  return plan_id_maps(config, engine.host());
}

std::function<std::uint32_t(std::uint32_t)> seen_through(const rootless::IdMap& map) {
  static constexpr std::uint32_t nobody = 65534;
  return [inside = rootless::swap_sides(map)](std::uint32_t id) {
    return rootless::map_to_outside(inside, id).value_or(nobody);
  };
}

Owner container_owner(const Engine& engine, const ContainerConfig& config, int root_fd) {
  const auto room = std::make_unique<Room>();
  const init::UserSpec spec = init::parse_user_spec(config.user.empty() ? nullptr : config.user.c_str());
  sys::UniqueFd passwd = open_database(root_fd, "/etc/passwd");
  init::LineReader users(source_of(passwd), room->buffer);
  if (const int error = init::find_user(spec, users, room->identity)) throw_unknown(config.user, error);
  sys::UniqueFd group = open_database(root_fd, "/etc/group");
  init::LineReader groups(source_of(group), room->buffer);
  std::uint32_t which = 0;
  if (const int error = init::find_groups({spec, {}}, groups, room->identity, room->groups, which))
    throw_unknown(config.user, error);
  const rootless::IdMaps maps = container_maps(engine, config);
  return {map_id(maps.uids, room->identity.uid, "uid"), map_id(maps.gids, room->identity.gid, "gid")};
}

}  // namespace knarr::engine
