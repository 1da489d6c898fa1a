// SPDX-License-Identifier: Apache-2.0
#include "engine/copy.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "engine/copy_place.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/tree_copy.h"

namespace knarr::engine {

namespace {

bool is_directory(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
}

// A device, a pipe or a socket of the host is somebody's: a file does not take its place.
void require_replaceable(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) < 0) throw_errno("looking at ", path);
  if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode))
    throw Conflict(concat("cannot copy a file onto \"", path, "\": it is neither a file nor a directory"));
}

storage::TreeCopyOptions ownership(const CopyPlace& destination, const CopyOptions& options) {
  storage::TreeCopyOptions copy{.replace_existing = true,
                                .replace_other_kinds = options.replace_other_kinds,
                                .map_uid = {},
                                .map_gid = {}};
  if (destination.on_host() || options.give_to_user) {
    // Root in R is the user: their own files on the host.
    copy.map_uid = [owner = destination.owner()](uid_t) { return owner.uid; };
    copy.map_gid = [owner = destination.owner()](gid_t) { return owner.gid; };
  }
  // A set-uid program of the container's would run as the user, for everybody who can reach it.
  copy.keep_set_ids = !destination.on_host();
  return copy;
}

void copy_directory(const CopyPlace& from, const CopySource& source, const CopyPlace& destination,
                    storage::TreeCopyOptions options) {
  constexpr int directory = O_RDONLY | O_DIRECTORY;
  const sys::UniqueFd tree = from.open(source.path, directory);
  if (is_root_directory(from, tree.get())) options.leave_out = kernel_directories();
  if (const sys::UniqueFd existing = destination.find(destination.text(), O_PATH)) {
    if (!is_directory(existing.get()))
      throw Conflict(concat("cannot copy a directory onto file \"", destination.text(), "\""));
    const sys::UniqueFd into = destination.open(destination.text(), directory);
    if (names_content(from.text())) return storage::copy_tree(tree.get(), into.get(), options);
    const SplitPath split = split_path(source.path);
    const sys::UniqueFd parent = from.open(split.parent, directory);
    return storage::copy_entry(parent.get(), split.name, into.get(), source.name, options);
  }
  const SplitPath target = split_path(destination.text());
  const sys::UniqueFd parent = destination.open(target.parent, directory);
  if (::mkdirat(parent.get(), target.name.c_str(), 0755) < 0)
    throw_errno("making directory ", destination.text());
  const sys::UniqueFd made = sys::open_at(parent.get(), target.name, directory | O_NOFOLLOW);
  storage::copy_tree(tree.get(), made.get(), options);
}

void copy_single(const CopyPlace& from, const CopySource& source, const CopyPlace& destination,
                 const storage::TreeCopyOptions& options) {
  const SplitPath split = split_path(source.path);
  const sys::UniqueFd parent = from.open(split.parent, O_RDONLY | O_DIRECTORY);
  const sys::UniqueFd existing = destination.find(destination.text(), O_PATH);
  if (existing && is_directory(existing.get())) {
    const sys::UniqueFd into = destination.open(destination.text(), O_RDONLY | O_DIRECTORY);
    return storage::copy_entry(parent.get(), split.name, into.get(), source.name, options);
  }
  if (existing && destination.on_host()) require_replaceable(existing.get(), destination.text());
  if (destination.text().ends_with('/'))
    throw NotFound(concat("destination directory \"", destination.text(), "\" does not exist"));
  // In a container the file behind a link is written; on the host the link makes room for the copy.
  const SplitPath target = split_path(
      destination.on_host() ? destination.text() : destination.follow_last_link(destination.text()));
  const sys::UniqueFd into = destination.open(target.parent, O_RDONLY | O_DIRECTORY);
  storage::copy_entry(parent.get(), split.name, into.get(), target.name, options);
}

}  // namespace

void copy(const Engine& engine, const CopyEnd& source, const CopyEnd& destination,
          const CopyOptions& options) {
  const auto locks = lock_resting(engine, {source, destination});
  enter_copying(engine);
  const CopyPlace from(engine, source);
  const CopyPlace to(engine, destination);
  const sys::UniqueFd what = from.open(from.text(), O_PATH);
  const storage::TreeCopyOptions owners = ownership(to, options);
  if (is_directory(what.get())) {
    copy_directory(from, find_source(from), to, owners);
  } else {
    copy_single(from, find_source(from), to, owners);
  }
}

}  // namespace knarr::engine
