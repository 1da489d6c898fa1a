// SPDX-License-Identifier: Apache-2.0
// What containers/storage noted of a layer's tar while it unpacked it (tar-split: JSON lines, gzip). It
// writes no layer to the disk before it calls it complete, so after a power cut files are missing or shorter
// than they were; here is what tells.
//
// The same notes hold every byte of the tar that is not in a file, so they could become the tar.zst of a
// layer of ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "storage/layer/layer.h"

namespace knarr::storage {

struct RecordedFiles {
  // Files with content, by clean path below the root of the tree.
  std::unordered_map<std::string, std::uint64_t> sizes;
  bool has_root = false;  // whether the tar has an entry for the root itself
};

// Takes one line in. Throws InvalidArgument.
void add_recorded_line(RecordedFiles& files, std::string_view line);

// `source`: the bytes of ID.tar-split.gz. Throws InvalidArgument.
RecordedFiles read_recorded_files(ByteSource source);

}  // namespace knarr::storage
