// SPDX-License-Identifier: Apache-2.0
// Compresses a stream. The same bytes and library give the same stream: it holds no time and no name.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "storage/content/decompress.h"
#include "storage/layer/layer.h"

namespace knarr::storage {

class Compressor {
 public:
  virtual ~Compressor() = default;
  virtual void write(std::string_view bytes) = 0;
  virtual void finish() = 0;  // once; what is compressed is all with the sink then
};

// gzip (at its fastest) or zstd (at level 3), or at the level given; nothing else. `none` passes the bytes
// on.
std::unique_ptr<Compressor> make_compressor(Compression compression, ByteSink sink,
                                            std::optional<int> level = {});
std::unique_ptr<Compressor> make_gzip_compressor(ByteSink sink);
std::unique_ptr<Compressor> make_gzip_compressor(ByteSink sink, int level);

// Throws InvalidArgument unless there is such a level: 1 to 9 for gzip, 1 to 22 for zstd.
void check_compression_level(Compression compression, int level);

// What a source gives, compressed as it is read.
ByteSource compress_source(ByteSource plain, Compression compression, std::optional<int> level = {});

}  // namespace knarr::storage
