// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/tree_item.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::storage {
namespace {

constexpr ino_t initial_user_namespace = 0xEFFFFFFDu;  // PROC_USER_INIT_INO, the same on every kernel
constexpr std::uint32_t set_id_bits = 06000;

// How many ids a map of /proc/self/{uid,gid}_map holds.
std::uint64_t mapped_ids(const std::string& file) {
  const std::string map = sys::read_file(AT_FDCWD, file, 1u << 20);
  std::uint64_t total = 0;
  const char* line = map.c_str();
  unsigned inside = 0, outside = 0, count = 0;
  int length = 0;
  while (std::sscanf(line, "%u %u %u%n", &inside, &outside, &count, &length) == 3) {
    total += count;
    line += length;
  }
  return total;
}

[[noreturn]] void fail_owner(int code, const Attributes& attributes) {
  if (code != EINVAL) throw_sys_error(code, concat("giving it to ", attributes.uid, ':', attributes.gid));
  Error error(
      concat("its owner ", attributes.uid, ':', attributes.gid, " is not mapped in this user namespace"));
  error.set_hint(
      "grant your user more subordinate ids in /etc/subuid and /etc/subgid (usermod --add-subuids, "
      "--add-subgids)");
  throw error;
}

bool is_root(const Attributes& attributes) {
  return attributes.uid == 0 && attributes.gid == 0;
}

// Tries `make` again after clearing what has the name. A directory is never in the way: the caller knows all
// directories of the tree.
template <typename Make>
int make_anew(const Spot& spot, Make&& make) {
  int result = make();
  if (result >= 0 || errno != EEXIST) return result;
  spot.displaced.clear(spot.dir_fd, spot.name, spot.directory);
  return make();
}

void set_xattrs(int fd, const std::vector<TarXattr>& xattrs) {
  for (const TarXattr& xattr : xattrs) {
    if (::fsetxattr(fd, xattr.name.c_str(), xattr.value.data(), xattr.value.size(), 0) == 0) continue;
    // The file system has none, or a capability makes no sense in this namespace: the file works without.
    if (errno == ENOTSUP || errno == EPERM) continue;
    throw_errno("setting its attribute ", xattr.name);
  }
}

constexpr const char* owner_note = "user.containers.override_stat";

// The owner of an inode that cannot be changed, for fuse-overlayfs: "uid:gid:mode".
void note_owner(int fd, const Attributes& attributes) {
  char text[64];
  const int length =
      std::snprintf(text, sizeof text, "%u:%u:0%o", attributes.uid, attributes.gid, attributes.mode);
  if (::fsetxattr(fd, owner_note, text, static_cast<std::size_t>(length), 0) < 0 && errno != ENOTSUP) {
    throw_errno("noting its owner");
  }
}

void set_owner(int fd, const Attributes& attributes, const TreePolicy& policy) {
  if (is_root(attributes)) return;
  if (policy.single_id) return note_owner(fd, attributes);
  if (::fchown(fd, attributes.uid, attributes.gid) < 0) fail_owner(errno, attributes);
}

// Links and nodes: they have no descriptor and cannot carry a note.
void set_owner_at(const Spot& spot, const Attributes& attributes, const TreePolicy& policy) {
  if (is_root(attributes) || policy.single_id) return;
  if (::fchownat(spot.dir_fd, spot.name.c_str(), attributes.uid, attributes.gid, AT_SYMLINK_NOFOLLOW) < 0) {
    fail_owner(errno, attributes);
  }
}

void set_time_at(const Spot& spot, const Attributes& attributes) {
  const std::timespec times[2] = {attributes.mtime, attributes.mtime};
  if (::utimensat(spot.dir_fd, spot.name.c_str(), times, AT_SYMLINK_NOFOLLOW) < 0)
    throw_errno("setting its time");
}

}  // namespace

TreePolicy policy_of_this_process() {
  const auto own = sys::stat_at(AT_FDCWD, "/proc/self/ns/user");
  TreePolicy policy;
  policy.in_initial_namespace = own && own->st_ino == initial_user_namespace;
  policy.single_id = mapped_ids("/proc/self/uid_map") == 1 && mapped_ids("/proc/self/gid_map") == 1;
  return policy;
}

std::optional<OwnerNote> read_owner_note(int fd) {
  char text[64] = {};
  if (::fgetxattr(fd, owner_note, text, sizeof text - 1) <= 0) return std::nullopt;
  OwnerNote note;
  if (std::sscanf(text, "%u:%u:%o", &note.uid, &note.gid, &note.mode) != 3) return std::nullopt;
  return note;
}

bool is_allowed_xattr(std::string_view name) {
  if (name == "security.capability") return true;
  if (!name.starts_with("user.")) return false;
  return !name.starts_with("user.overlay.") && !name.starts_with("user.fuseoverlayfs.") &&
         !name.starts_with("user.containers.");
}

Attributes take_attributes(TarEntry& entry) {
  std::erase_if(entry.xattrs, [](const TarXattr& xattr) { return !is_allowed_xattr(xattr.name); });
  return {entry.mode, entry.uid, entry.gid, entry.mtime, std::move(entry.xattrs)};
}

// ---- files ----

NewFile::NewFile(const Spot& spot, std::uint32_t mode) {
  constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  fd_.reset(make_anew(spot, [&] { return ::openat(spot.dir_fd, spot.name.c_str(), flags, mode & 0777); }));
  if (!fd_) throw_errno("creating it");
}

void NewFile::set_extents(std::vector<TarExtent> extents, std::uint64_t size) {
  is_sparse_ = true;
  extents_ = std::move(extents);
  size_ = size;
}

void NewFile::write(std::string_view bytes) {
  if (is_sparse_) return write_extents(bytes);
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno("writing it");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void NewFile::write_extents(std::string_view bytes) {
  while (!bytes.empty()) {
    if (next_extent_ == extents_.size())
      throw InvalidArgument("more content than its sparse map has room for");
    TarExtent& extent = extents_[next_extent_];
    const std::size_t part = std::min<std::uint64_t>(bytes.size(), extent.size);
    const ssize_t written =
        part == 0 ? 0 : ::pwrite(fd_.get(), bytes.data(), part, static_cast<off_t>(extent.offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno("writing it");
    bytes.remove_prefix(static_cast<std::size_t>(written));
    extent.offset += static_cast<std::uint64_t>(written);
    extent.size -= static_cast<std::uint64_t>(written);
    if (extent.size == 0) ++next_extent_;
  }
}

void NewFile::finish(const Attributes& attributes, const TreePolicy& policy) {
  if (is_sparse_ && ::ftruncate(fd_.get(), static_cast<off_t>(size_)) < 0) throw_errno("setting its size");
  set_owner(fd_.get(), attributes, policy);
  set_xattrs(fd_.get(), attributes.xattrs);
  // write(2) and chown(2) both drop the set-id bits, in a user namespace even for root.
  if ((attributes.mode & ~0777u) != 0 && ::fchmod(fd_.get(), attributes.mode) < 0)
    throw_errno("setting its mode");
  const std::timespec times[2] = {attributes.mtime, attributes.mtime};
  if (::futimens(fd_.get(), times) < 0) throw_errno("setting its time");
}

// ---- links and nodes ----

void make_symlink(const Spot& spot, const std::string& target, const Attributes& attributes,
                  const TreePolicy& policy) {
  const auto make = [&] { return ::symlinkat(target.c_str(), spot.dir_fd, spot.name.c_str()); };
  if (make_anew(spot, make) < 0) throw_errno("creating the link");
  set_owner_at(spot, attributes, policy);
  set_time_at(spot, attributes);
}

void make_node(const Spot& spot, std::uint32_t type, std::uint64_t device, const Attributes& attributes,
               const TreePolicy& policy) {
  const mode_t mode = type | (attributes.mode & 0777);
  const auto make = [&] { return ::mknodat(spot.dir_fd, spot.name.c_str(), mode, device); };
  if (make_anew(spot, make) < 0) throw_errno("creating the node");
  set_owner_at(spot, attributes, policy);
  set_time_at(spot, attributes);
}

void make_hard_link(int target_dir_fd, const std::string& target, const Spot& spot) {
  // Flags 0: a symlink is linked itself, not followed.
  const auto make = [&] {
    return ::linkat(target_dir_fd, target.c_str(), spot.dir_fd, spot.name.c_str(), 0);
  };
  if (make_anew(spot, make) < 0) throw_errno("creating the hard link");
}

void make_whiteout(int dir_fd, const std::string& name) {
  if (::mknodat(dir_fd, name.c_str(), S_IFCHR, makedev(0, 0)) < 0 && errno != EEXIST) {
    throw_errno("creating the whiteout");
  }
}

bool is_whiteout(int dir_fd, const std::string& name) {
  const auto info = sys::stat_at(dir_fd, name, AT_SYMLINK_NOFOLLOW);
  return info && S_ISCHR(info->st_mode) && info->st_rdev == makedev(0, 0);
}

// ---- directories ----

void set_directory_attributes(int directory_fd, const Attributes& attributes, const TreePolicy& policy) {
  if (policy.single_id && !is_root(attributes)) {
    note_owner(directory_fd, attributes);
  } else if (!policy.single_id && ::fchown(directory_fd, attributes.uid, attributes.gid) < 0) {
    fail_owner(errno, attributes);
  }
  set_xattrs(directory_fd, attributes.xattrs);
  if (::fchmod(directory_fd, attributes.mode & ~set_id_bits) < 0) throw_errno("setting its mode");
}

void mark_opaque(int directory_fd) {
  // Root's overlays are mounted with userxattr as well: a layer means the same wherever it was unpacked.
  if (::fsetxattr(directory_fd, "user.overlay.opaque", "y", 1, 0) < 0)
    throw_errno("marking the directory opaque");
}

}  // namespace knarr::storage
