// SPDX-License-Identifier: Apache-2.0
// Copying directory trees inside R: volumes filled from images, root file systems without overlay, images for
// another id map.
#pragma once

#include <sys/types.h>

#include <functional>
#include <set>
#include <string>

namespace knarr::storage {

struct TreeCopyOptions {
  // The source is a layer: its whiteouts delete from the target, opaque directories empty it, and neither is
  // copied.
  bool apply_whiteouts = false;
  // An existing file gives way to a copy, directories are merged. Without it an existing file is an error.
  bool replace_existing = false;
  // With replace_existing: a directory gives way to a file and a file to a directory.
  bool replace_other_kinds = false;
  // Names at the top of the tree that are left out.
  std::set<std::string> leave_out = {};
  bool keep_set_ids = true;  // set-user-ID and set-group-ID bits
  // The owner of a copy; absent: that of the original.
  std::function<uid_t(uid_t)> map_uid;
  std::function<gid_t(gid_t)> map_gid;
};

// Copies what is in the directory source_fd into the directory target_fd: regular files (sharing extents
// where the file system can), directories, links, FIFOs, hard links within the tree, owners, modes, times and
// xattrs (but overlay's own). Links are copied, never followed. Sockets and devices are left out: a user
// namespace cannot make devices. The target directory itself gets the source's attributes.
void copy_tree(int source_fd, int target_fd, const TreeCopyOptions& options);

// The same for one entry of a directory, whatever it is, under a new name. A directory is merged into an
// existing one.
void copy_entry(int source_directory_fd, const std::string& name, int target_directory_fd,
                const std::string& new_name, const TreeCopyOptions& options);

}  // namespace knarr::storage
