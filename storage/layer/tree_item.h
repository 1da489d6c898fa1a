// SPDX-License-Identifier: Apache-2.0
// Makes one file, link or node of a layer's tree in a directory that is open already. Nothing here walks a
// path or follows a link. The caller's umask must be 0.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rootless/sys/unique_fd.h"
#include "storage/layer/displaced.h"
#include "storage/layer/tar_reader.h"

namespace knarr::storage {

// What this process may do to a tree, by the user namespace it is in.
struct TreePolicy {
  // Only there are device nodes possible.
  bool in_initial_namespace = true;
  // Only one id is mapped: every file belongs to it, and the owner the image wants is noted in an attribute
  // that fuse-overlayfs understands.
  bool single_id = false;
};
TreePolicy policy_of_this_process();

// A piece of content and what keeps its memory alive.
struct Piece {
  std::string_view bytes;
  std::shared_ptr<const void> owner;
};

// Everything of an entry that becomes attributes of an inode.
struct Attributes {
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::timespec mtime{};
  std::vector<TarXattr> xattrs;  // allowed ones only
};
Attributes take_attributes(TarEntry& entry);

// The owner and the mode an image wants where TreePolicy::single_id kept it from having them.
struct OwnerNote {
  std::uint32_t uid = 0, gid = 0, mode = 0;
};
std::optional<OwnerNote> read_owner_note(int fd);

// Attributes an image may set: user.* that are no engine's, and security.capability. Others could turn a
// file into something else for overlay, or need rights we do not have.
bool is_allowed_xattr(std::string_view name);

// A name in an open directory, and who takes what has it already.
struct Spot {
  int dir_fd;
  const std::string& name;
  const std::string& directory;  // the path of the directory from the root of the tree
  Displaced& displaced;
};

// A new file in place of whatever has the name. Write, then finish.
class NewFile {
 public:
  NewFile(const Spot& spot, std::uint32_t mode);
  // The next stored bytes: they go on where the last ended, or into the next extents of a sparse file.
  void write(std::string_view bytes);
  void set_extents(std::vector<TarExtent> extents, std::uint64_t size);
  // Owner, attributes, set-id bits and time, in the order in which one does not undo the other.
  void finish(const Attributes& attributes, const TreePolicy& policy);

 private:
  void write_extents(std::string_view bytes);

  sys::UniqueFd fd_;
  bool is_sparse_ = false;
  std::vector<TarExtent> extents_;  // what is left of them
  std::size_t next_extent_ = 0;
  std::uint64_t size_ = 0;
};

// The others, also in place of what has the name.
void make_symlink(const Spot& spot, const std::string& target, const Attributes& attributes,
                  const TreePolicy& policy);
void make_node(const Spot& spot, std::uint32_t type, std::uint64_t device, const Attributes& attributes,
               const TreePolicy& policy);
void make_hard_link(int target_dir_fd, const std::string& target, const Spot& spot);
// A whiteout as overlay wants it: a character device 0:0. When this layer itself has the name, that hides the
// lower one just as well and stays.
void make_whiteout(int dir_fd, const std::string& name);
bool is_whiteout(int dir_fd, const std::string& name);

// Owner, permission bits and xattrs of an open directory (not O_PATH); set-id bits and times wait for the
// end, because what is made inside would inherit the one and change the other.
void set_directory_attributes(int directory_fd, const Attributes& attributes, const TreePolicy& policy);
// Hides what lower layers have in this directory.
void mark_opaque(int directory_fd);

}  // namespace knarr::storage
