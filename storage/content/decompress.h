// SPDX-License-Identifier: Apache-2.0
// Undoes gzip, zstd, bzip2 and xz while reading, in bounded memory. In-process on purpose: no program of an
// image or of the host's PATH ever decompresses for us.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "storage/layer/layer.h"

namespace knarr::storage {

enum class Compression { none, gzip, zstd, bzip2, xz };

// By the first bytes; six are enough. Everything unknown is `none`.
Compression detect_compression(std::string_view first_bytes);
std::string_view compression_name(Compression compression);

// One stream format. `decode` takes bytes off the front of `input` and puts bytes at the front of `output`,
// shrinking both by what it used.
class Codec {
 public:
  struct Output {
    char* data;
    std::size_t size;
  };
  virtual ~Codec() = default;
  // `last`: `input` holds the last bytes of the stream. Throws InvalidArgument for malformed input.
  virtual void decode(std::string_view& input, Output& output, bool last) = 0;
  // Whether a stream that has given all its output may end here.
  virtual bool is_complete() const = 0;
};

// Concatenated streams (gzip members, zstd frames, ...) are one, as their own programs have it. Zstd frames
// may want a window of 128 MiB at most, xz 128 MiB of memory.
std::unique_ptr<Codec> make_codec(Compression compression);
std::unique_ptr<Codec> make_gzip_codec();

// The plain bytes of a source that may be compressed.
class Decompressor {
 public:
  explicit Decompressor(ByteSource source);

  // Fills all of `buffer` unless the stream ends; 0 at its end. Throws InvalidArgument when the compressed
  // stream is malformed, cut short, or grows out of all proportion.
  std::size_t read(char* buffer, std::size_t size);

  Compression compression() const { return compression_; }

 private:
  void refill();
  std::size_t read_plain(char* buffer, std::size_t size);
  void check_growth() const;

  ByteSource source_;
  std::string buffer_;      // compressed bytes
  std::string_view input_;  // what is left of them
  bool at_end_ = false;     // of the source
  Compression compression_ = Compression::none;
  std::unique_ptr<Codec> codec_;
  std::uint64_t taken_ = 0;  // bytes from the source
  std::uint64_t given_ = 0;
};

}  // namespace knarr::storage
