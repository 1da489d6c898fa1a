// SPDX-License-Identifier: Apache-2.0
// Layers: trees shared read-only between images, each in layers/<diffid-hex>/diff.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/digest.h"
#include "storage/store.h"

namespace knarr::storage {

struct LayerMeta {
  Digest diff_id;
  std::uint64_t tar_bytes = 0;   // of the uncompressed tar
  std::uint64_t tree_bytes = 0;  // of the files in it
  std::uint64_t entries = 0;
  // Whether a syncfs has passed since the layer was written; with another boot_id and not durable it is
  // suspect.
  bool durable = false;
  std::string boot_id;
  // What could not be unpacked as the tar has it, in words.
  std::vector<std::string> notices;
};

// A source of the bytes of one layer as it is shipped (tar, or tar compressed by gzip, zstd, bzip2, xz: told
// by its first bytes). Reads up to `size` bytes, 0 at the end; throws Error.
using ByteSource = std::function<std::size_t(char* buffer, std::size_t size)>;
// The way out: takes all of the bytes or throws Error.
using ByteSink = std::function<void(std::string_view bytes)>;

struct UnpackRequest {
  std::optional<Digest> diff_id;  // what the uncompressed tar must hash to; nullopt: whatever it is (import)
  std::optional<Digest> blob_digest;  // what the shipped bytes must hash to
  ByteSource source;
  // Called once the tree is complete and right, before it gets its place: the moment to take the gc lock when
  // the source may be slow.
  std::function<void()> before_publish = {};
};

// When layers that were brought reach the disk.
enum class Settling : std::uint8_t {
  in_background,  // soon; until then a power cut makes them suspect
  now             // before the command returns
};

std::string layer_directory(const Digest& diff_id);  // below the root of the store: "layers/<hex>"

std::string current_boot_id();
// A layer of an earlier boot that never became durable may be torn, whatever its record says.
bool is_suspect(const LayerMeta& meta);
// Writes into the layer's record that it is on the disk; nothing when it has gone meanwhile.
void note_durable(const Store& store, LayerMeta meta);

class LayerStore {
 public:
  explicit LayerStore(const Store& store) : store_(store) {}

  // nullopt when it is not there, its record is torn or its tree is gone; what lies in its place then belongs
  // to remove_layer().
  std::optional<LayerMeta> find_layer(const Digest& diff_id) const;
  // Unpacks, verifies both digests, publishes by rename. Must run inside R. Another process that unpacks the
  // same diffID is waited for. Nothing is left behind on failure.
  LayerMeta unpack_layer(const UnpackRequest& request) const;
  std::string tree_path(const Digest& diff_id) const;  // absolute: .../layers/<hex>/diff
  void remove_layer(const Digest& diff_id) const;      // to trash/

 private:
  const Store& store_;
};

}  // namespace knarr::storage
