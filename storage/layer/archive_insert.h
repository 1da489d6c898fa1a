// SPDX-License-Identifier: Apache-2.0
// A tar into a tree that is in use: others may change it meanwhile, and what is there stays.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "storage/layer/layer.h"

namespace knarr::storage {

struct ArchiveInsertOptions {
  bool replace_other_kinds = false;  // let files and directories replace each other; else a Conflict
  // The owner of what an id of the archive owns; absent: the same id.
  std::function<std::uint32_t(std::uint32_t)> map_uid = {}, map_gid = {};
};

// Unpacks a tar, compressed or not, into the directory `directory` of the tree root_fd. Every name is looked
// up as a process with that root would see it (sys::find_in_root), so links lead where they lead in there and
// never out. Existing directories are merged, existing files replaced. Entry "." changes the directory
// itself. Names that mean whiteouts in a layer are ordinary names here. Returns lines about what was left
// out.
//
// Confines the calling thread (confine.h): it is the last that this thread does but for telling the result.
// Throws InvalidArgument when the bytes are no tar.
std::vector<std::string> insert_archive(ByteSource source, int root_fd, const std::string& directory,
                                        const ArchiveInsertOptions& options);

}  // namespace knarr::storage
