// SPDX-License-Identifier: Apache-2.0
// layers/<diffid>/tar.zst: all that the tar of a layer holds and its tree does not, so that tree and file
// together give the tar again, byte for byte.
//
// Plain, it is "knarrtar", a version byte and records (numbers are LEB128):
//   1 raw      size, bytes                 headers, padding, what did not become a file
//   2 content  path, size, checksum        the bytes of a file of the tree
//   3 sparse   path, count, count * (gap, size), checksum        those of these pieces of it
//   4 place    path, path                  where the entry whose header came last is, and the target of a
//   hard
//                                          link: given when it is not where its name says, through links
//   0 end      size of the whole tar
// A path is size and bytes, canonical below the root of the tree; a checksum is XXH64, eight bytes, little
// endian.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/content/decompress.h"
#include "storage/layer/layer.h"
#include "storage/layer/tar_reader.h"

struct ZSTD_CCtx_s;

namespace knarr::storage {

// Bytes of the tar that lie in a file of the tree.
struct SplitContent {
  std::string path;
  std::vector<TarExtent> extents;  // ascending, apart, none empty
  std::uint64_t checksum = 0;      // XXH64 of these bytes, one extent after the other

  std::uint64_t size() const;
};

// Where an entry is in the tree.
struct SplitPlace {
  std::string path;
  std::string link_target;  // of a hard link
};

class SplitWriter : public TarTap {
 public:
  explicit SplitWriter(int fd);  // borrowed, empty
  ~SplitWriter() override;
  void pass(std::string_view raw) override;
  void add(const SplitContent& content);
  void add_place(const std::string& path, const std::string& link_target);
  void finish();

 private:
  void flush_raw();
  void append_number(std::uint64_t number);
  void append_path(std::string_view path);
  void append_checksum(std::uint64_t checksum);
  void write_out(bool is_last);

  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  int fd_;
  std::unique_ptr<ZSTD_CCtx_s, Free> context_;
  std::string raw_;      // the raw record at hand
  std::string records_;  // whole ones that are not compressed yet
  std::string output_;
  std::uint64_t total_ = 0;  // bytes of the tar
};

// Throws InvalidArgument for what SplitWriter cannot have written.
class SplitReader {
 public:
  explicit SplitReader(ByteSource compressed);

  enum class Kind { raw, content, place, end };
  // Moves to the next record, over what is left of a raw one.
  Kind next();
  std::string_view read_raw();  // the next piece of a raw record, empty at its end
  bool is_raw_over() const { return raw_left_ == 0; }
  const SplitContent& content() const { return content_; }
  const SplitPlace& place() const { return place_; }

 private:
  bool load();
  unsigned char take_byte();
  std::string take_bytes(std::size_t size);
  std::uint64_t take_number();
  std::uint64_t take_checksum();
  std::string take_path();
  void read_content(bool is_sparse);
  void check_end();

  Decompressor decompressor_;
  std::string buffer_;
  std::string_view input_;  // what is left of it
  std::uint64_t raw_left_ = 0;
  std::uint64_t total_ = 0;
  bool at_end_ = false;
  SplitContent content_;
  SplitPlace place_;
};

}  // namespace knarr::storage
