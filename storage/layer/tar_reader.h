// SPDX-License-Identifier: Apache-2.0
// Reads a tar archive (tar(5): v7, ustar, PAX, GNU with long names and sparse files) as a stream: bytes in,
// entries out. It touches neither files nor names: what an entry means for a tree is decided elsewhere.
// Where programs disagree about an archive it does what Go's archive/tar does, because that is what wrote and
// read nearly every image; global PAX headers are the exception (see the source).
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/layer/tar_header.h"
#include "storage/layer/tar_pax.h"

namespace knarr::storage {

// Where the bytes come from.
class ChunkSource {
 public:
  virtual ~ChunkSource() = default;
  // The next bytes, empty at the end. They stay where they are until the next call (or as long as the source
  // says).
  virtual std::string_view next_chunk() = 0;
  // Passes over up to `size` of the bytes that next_chunk() would return next; says how many.
  virtual std::uint64_t skip(std::uint64_t size) {
    static_cast<void>(size);
    return 0;
  }
};

// Hears of the bytes that are no content of a file: all but those read_content() gives out, in order.
class TarTap {
 public:
  virtual ~TarTap() = default;
  virtual void pass(std::string_view raw) = 0;
};

enum class TarType { file, hard_link, symlink, character_device, block_device, directory, fifo };

struct TarEntry {
  TarType type = TarType::file;
  std::string path;  // as in the archive; never holds a NUL
  std::string link;  // target of a hard link or symlink
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::timespec mtime{};
  std::uint64_t size = 0;         // of the file
  std::uint64_t stored_size = 0;  // bytes of content in the archive; less than size in a sparse file
  std::uint64_t content_offset = 0;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  bool is_sparse = false;
  std::vector<TarExtent> extents;  // of a sparse file: ascending, apart, inside `size`, together stored_size
  std::vector<TarXattr> xattrs;
};

struct TarLimits {
  std::uint64_t headers = 16u << 20;       // blocks that describe, not entries: extended headers count too
  std::size_t extended_header = 1u << 20;  // bytes of one PAX header or GNU long name
  std::size_t extents = 128u << 10;        // pieces of one sparse file
  std::size_t path = 4095;                 // bytes of a name or link target
};

class TarReader {
 public:
  explicit TarReader(ChunkSource& source, const TarLimits& limits = {}, TarTap* tap = nullptr)
      : source_(source), limits_(limits), tap_(tap) {}

  // Moves to the next entry, over what is left of the content of this one. False at the end of the archive.
  // Throws InvalidArgument that names the entry and the place, also when the archive is cut short.
  bool next(TarEntry& entry);

  // The next piece of the entry's content, empty at its end. It lies in the source's current chunk.
  std::string_view read_content();

  // After the end: passes over what follows (padding, by some writers a lot of it).
  void drain();

  std::uint64_t position() const { return position_; }  // bytes of the archive read so far

 private:
  struct Extended;  // what the headers before an entry's own one said

  bool load();  // whether there are bytes in chunk_
  std::string_view take(std::uint64_t limit);
  std::string_view take_raw(std::uint64_t limit);
  std::optional<std::string_view> read_block();  // nullopt at the end; valid until the next read
  std::string_view need_block(std::string_view what);
  std::string read_extended(const TarHeader& header, std::string_view what);
  void skip_rest_of_entry();
  void skip(std::uint64_t size);
  void count_header();
  void read_extended_headers(std::string_view& block, TarHeader& header, Extended& extended);
  void apply_global(std::string_view text);
  void fill_entry(TarEntry& entry, const TarHeader& header, Extended& extended);
  void read_old_sparse_map(TarEntry& entry, std::string_view block);
  void read_sparse_map_before_content(TarEntry& entry);
  void add_old_extents(TarEntry& entry, std::string_view fields);
  void check_extents(const TarEntry& entry) const;
  [[noreturn]] void fail_truncated(std::string_view what) const;

  ChunkSource& source_;
  TarLimits limits_;
  TarTap* tap_;
  std::string_view chunk_;
  char block_[tar_block_size] = {};
  std::uint64_t position_ = 0;
  std::uint64_t headers_ = 0;
  std::uint64_t content_left_ = 0;  // of the current entry
  std::uint64_t padding_ = 0;       // after it, to the next block
  std::string name_;                // of the current entry, for errors
  PaxRecords global_;
};

}  // namespace knarr::storage
