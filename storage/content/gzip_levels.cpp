// SPDX-License-Identifier: Apache-2.0
// gzip by zlib, at any of its levels.
#include <zlib.h>

#include <string>

#include "rootless/sys/error.h"
#include "storage/content/compress.h"

namespace knarr::storage {
namespace {

class ZlibGzipCompressor : public Compressor {
 public:
  ZlibGzipCompressor(ByteSink sink, int level) : sink_(std::move(sink)), output_(128u << 10, '\0') {
    constexpr int with_gzip_header = 16, memory_level = 8;
    if (deflateInit2(&stream_, level, Z_DEFLATED, MAX_WBITS + with_gzip_header, memory_level,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
      throw Error("out of memory for gzip");
    }
  }
  ~ZlibGzipCompressor() override { deflateEnd(&stream_); }

  void write(std::string_view bytes) override {
    // Its counters have 32 bits.
    constexpr std::size_t most = 1u << 30;
    for (; bytes.size() > most; bytes.remove_prefix(most)) compress(bytes.substr(0, most), Z_NO_FLUSH);
    compress(bytes, Z_NO_FLUSH);
  }
  void finish() override { compress({}, Z_FINISH); }

 private:
  void compress(std::string_view bytes, int flush) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(output_.data());
      stream_.avail_out = static_cast<uInt>(output_.size());
      deflate(&stream_, flush);  // Z_BUF_ERROR only says that there was nothing to do
      const std::size_t made = output_.size() - stream_.avail_out;
      if (made > 0) sink_(std::string_view(output_).substr(0, made));
    } while (stream_.avail_out == 0);
  }

  ByteSink sink_;
  z_stream stream_{};
  std::string output_;
};

}  // namespace

std::unique_ptr<Compressor> make_gzip_compressor(ByteSink sink, int level) {
  return std::make_unique<ZlibGzipCompressor>(std::move(sink), level);
}

}  // namespace knarr::storage
