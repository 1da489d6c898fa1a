// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/tree_archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/layer/entry_path.h"
#include "storage/layer/tree_item.h"

namespace knarr::storage {
namespace {

// nullopt: nothing that a tar can hold.
std::optional<TarType> type_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return TarType::file;
    case S_IFLNK:
      return TarType::symlink;
    case S_IFDIR:
      return TarType::directory;
    case S_IFIFO:
      return TarType::fifo;
    case S_IFCHR:
      return TarType::character_device;
    case S_IFBLK:
      return TarType::block_device;
    default:
      return std::nullopt;
  }
}

std::vector<TarXattr> read_xattrs(int fd) {
  std::vector<char> names(64 * 1024);
  std::vector<char> value(64 * 1024);
  std::vector<TarXattr> xattrs;
  const ssize_t size = ::flistxattr(fd, names.data(), names.size());
  for (const char* name = names.data(); size > 0 && name < names.data() + size;
       name += std::string_view(name).size() + 1) {
    if (!is_allowed_xattr(name)) continue;
    const ssize_t length = ::fgetxattr(fd, name, value.data(), value.size());
    if (length >= 0) xattrs.push_back({name, std::string(value.data(), static_cast<std::size_t>(length))});
  }
  return xattrs;
}

}  // namespace

void TreeArchiver::add_content(int directory_fd, const std::string& prefix) {
  std::vector<std::string> names = sys::list_directory(directory_fd, ".");
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (depth_ == 0 && options_.leave_out.contains(name)) continue;
    add(directory_fd, name, prefix + name);
  }
}

void TreeArchiver::add(int directory_fd, const std::string& name, const std::string& path) {
  add(directory_fd, name, path, Depth::all);
}

void TreeArchiver::add_alone(int directory_fd, const std::string& name, const std::string& path) {
  add(directory_fd, name, path, Depth::alone);
}

void TreeArchiver::add(int directory_fd, const std::string& name, const std::string& path, Depth depth) {
  const auto info = sys::stat_at(directory_fd, name, AT_SYMLINK_NOFOLLOW);
  if (!info) return;  // gone meanwhile
  const auto type = type_of(info->st_mode);
  if (!type) return notices_.push_back(concat("the socket ", path, " was left out"));
  TarEntry entry;
  entry.type = *type;
  entry.path = path;
  entry.mode = info->st_mode & 07777;
  entry.uid = options_.map_uid ? options_.map_uid(info->st_uid) : info->st_uid;
  entry.gid = options_.map_gid ? options_.map_gid(info->st_gid) : info->st_gid;
  entry.mtime = info->st_mtim;
  if (options_.newest && entry.mtime.tv_sec >= *options_.newest) entry.mtime = {*options_.newest, 0};
  entry.device_major = major(info->st_rdev);
  entry.device_minor = minor(info->st_rdev);
  if (*type == TarType::directory) return add_directory(directory_fd, name, std::move(entry), depth);
  if (info->st_nlink > 1) {
    const auto [known, is_new] = known_.try_emplace({info->st_dev, info->st_ino}, path);
    if (!is_new) {
      entry.type = TarType::hard_link;
      entry.link = known->second;
      return writer_.add(entry);
    }
  }
  if (*type == TarType::file) return add_file(directory_fd, name, std::move(entry));
  if (*type == TarType::symlink) entry.link = sys::read_link(directory_fd, name).value_or("");
  writer_.add(entry);
}

void TreeArchiver::add_directory(int parent_fd, const std::string& name, TarEntry entry, Depth depth) {
  if (depth_ == static_cast<int>(max_path_depth))
    throw Error(concat("archiving ", entry.path, ": more than ", max_path_depth, " directories deep"));
  const sys::UniqueFd directory = sys::open_at(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  read_attributes(directory.get(), entry);
  writer_.add(entry);
  if (depth == Depth::alone) return;
  ++depth_;
  add_content(directory.get(), entry.path + "/");
  --depth_;
}

void TreeArchiver::add_file(int parent_fd, const std::string& name, TarEntry entry) {
  // O_NONBLOCK: somebody may have put a FIFO in the file's place since it was looked at.
  const sys::UniqueFd file = sys::open_at(parent_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat info {};
  if (::fstat(file.get(), &info) < 0) throw_errno("reading ", entry.path);
  if (!S_ISREG(info.st_mode)) throw Conflict(concat(entry.path, " is being replaced"));
  entry.size = static_cast<std::uint64_t>(info.st_size);
  read_attributes(file.get(), entry);
  writer_.add(entry);
  copy_content(file.get(), entry.path);
}

void TreeArchiver::read_attributes(int fd, TarEntry& entry) const {
  entry.xattrs = read_xattrs(fd);
  const auto noted = options_.heed_owner_notes ? read_owner_note(fd) : std::nullopt;
  if (!noted) return;
  entry.uid = noted->uid;
  entry.gid = noted->gid;
  // The note has the set-id bits of a mode that nobody has changed since.
  constexpr std::uint32_t set_id_bits = 06000;
  if ((noted->mode & ~set_id_bits) == entry.mode) entry.mode = noted->mode;
}

void TreeArchiver::copy_content(int fd, const std::string& path) {
  std::vector<char> buffer(256 * 1024);
  while (writer_.content_left() > 0) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), writer_.content_left());
    const ssize_t got = ::read(fd, buffer.data(), wanted);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("reading ", path);
    if (got == 0) break;
    writer_.write({buffer.data(), static_cast<std::size_t>(got)});
  }
  if (writer_.content_left() == 0) return;
  notices_.push_back(concat(path, " became shorter while it was read and is filled up with zeros"));
  const std::string zeros(64 * 1024, '\0');
  while (writer_.content_left() > 0) writer_.write(std::string_view(zeros).substr(0, writer_.content_left()));
}

}  // namespace knarr::storage
