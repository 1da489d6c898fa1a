// SPDX-License-Identifier: Apache-2.0
// An image with other owners, without its bytes. The kernel lets no user change the owners that a mount
// shows, so each inode has to exist once more; but an empty file whose xattrs name one of the image's layer
// trees is enough: overlay takes attributes from the one and content from the other (overlayfs.rst, "Metadata
// only copy up" and "Data-only lower layers").
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace knarr::storage {

struct CloneOptions {
  // The owner in the clone; absent: that of the original.
  std::function<uid_t(uid_t)> map_uid;
  std::function<gid_t(gid_t)> map_gid;
  // Whether the root user of whoever will mount the clone has power over files of these owners, whatever
  // their modes. Overlay opens the layers' files with that user's rights; absent: over all.
  std::function<bool(uid_t, gid_t)> mounter_rules;
  unsigned threads = 1;  // the caller's included
};

struct CloneSummary {
  std::uint64_t referring = 0;  // files whose content stays in the layers
  // Files whose content was copied: the mounter could not read the original, or the way to it is too long for
  // an xattr.
  std::uint64_t copied = 0;
};

// Makes one tree out of the trees of an image's layers (absolute paths, topmost first; nobody may change
// them) in the empty directory target_fd, which gets the attributes of the root. To be mounted as the one
// lower layer, with the same trees in the same order as data-only layers (RootfsPlan::data_lowers).
//
// A path leads to the file that was meant: where a layer shows through, no layer above it has that name.
// Whiteouts and opaque directories are applied; modes, times, xattrs, links, FIFOs and hard links within a
// layer are kept; sockets and devices are left out, a user namespace cannot make them. The caller's umask
// must be 0. Throws SysError and what the options throw.
CloneSummary clone_layers(const std::vector<std::string>& layers, int target_fd, const CloneOptions& options);

}  // namespace knarr::storage
