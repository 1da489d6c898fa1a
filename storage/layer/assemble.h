// SPDX-License-Identifier: Apache-2.0
// The tar of a layer, made again from its tree and tar.zst. Run inside R: only there can all files be read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "rootless/sys/error.h"
#include "rootless/sys/unique_fd.h"
#include "storage/content/checksum.h"
#include "storage/layer/layer.h"
#include "storage/layer/tar_reader.h"
#include "storage/layer/tar_split.h"
#include "storage/layer/tree_files.h"

namespace knarr::storage {

// The tree is not what its tar has made it: the message says which file.
class DamagedLayer : public Error {
 public:
  using Error::Error;
};

// The bytes of the tar, or only its headers: what a tar reader skips is not read from the tree. Throws
// DamagedLayer for a file that is missing, shorter or other than it was.
class AssembledTar : public ChunkSource {
 public:
  // Descriptors of the tree and of the split, borrowed.
  AssembledTar(int tree_fd, int split_fd);
  std::string_view next_chunk() override;
  std::uint64_t skip(std::uint64_t size) override;
  // Asked for when a tar reader has just read the headers of an entry, up to `position` of the tar: where it
  // is, when that is not where its name says.
  std::optional<SplitPlace> take_place(std::uint64_t position);

 private:
  bool open_record();  // the next one when none is open; false at the end
  std::string_view read_file();
  void close_file();

  SplitReader split_;
  std::optional<SplitPlace> place_;
  std::uint64_t given_ = 0;  // bytes of the tar
  TreeFiles files_;
  std::string buffer_;
  bool in_raw_ = false;
  bool in_file_ = false;
  bool is_checked_ = false;  // all of the file's bytes went into checksum_ so far
  sys::UniqueFd file_;
  std::size_t extent_ = 0;    // of the file at hand
  std::uint64_t offset_ = 0;  // inside of it
  Checksum checksum_;
};

// Whether the layer's tar can be made again: layers that older versions unpacked have no tar.zst, nor have
// the few whose tar writes over itself too often.
bool is_exact(const Store& store, const Digest& diff_id);

// Whether the tree and the split of a layer that is not published yet give the tar of this digest.
bool has_assembled_digest(int layer_fd, const Digest& diff_id);

// The tar as it was; the source throws DamagedLayer rather than end with bytes of another digest. Throws
// Unsupported with a hint when the layer is not exact.
ByteSource layer_tar(const Store& store, const Digest& diff_id);

struct LayerVerdict {
  std::string damage;    // the first difference, in words; empty: none
  bool is_exact = true;  // false: without a tar.zst only the sum of the sizes could be compared
};
// Reads all of the layer: content against the digest of the tar, then attributes. Throws NotFound when there
// is no such layer.
LayerVerdict verify_layer(const Store& store, const Digest& diff_id);
// Only what the headers say of each file: type, mode, owner, size, time, target of a link, attributes.
LayerVerdict verify_layer_attributes(const Store& store, const Digest& diff_id);

}  // namespace knarr::storage
