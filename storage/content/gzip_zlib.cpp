// SPDX-License-Identifier: Apache-2.0
// gzip by zlib, for machines ISA-L is not built for.
#include <zlib.h>

#include <algorithm>
#include <string>

#include "rootless/sys/error.h"
#include "storage/content/compress.h"
#include "storage/content/decompress.h"

namespace knarr::storage {
namespace {

class ZlibGzipCodec : public Codec {
 public:
  ZlibGzipCodec() {
    constexpr int gzip_only = 16;
    if (inflateInit2(&stream_, MAX_WBITS + gzip_only) != Z_OK) throw Error("out of memory for gzip");
  }
  ~ZlibGzipCodec() override { inflateEnd(&stream_); }

  void decode(std::string_view& input, Output& output, bool) override {
    if (is_complete_ && !start_next_member(input)) return;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = static_cast<uInt>(input.size());
    stream_.next_out = reinterpret_cast<Bytef*>(output.data);
    stream_.avail_out = static_cast<uInt>(output.size);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    // Z_BUF_ERROR: no progress was possible; whoever calls sees that by the sizes.
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      throw InvalidArgument(concat("corrupt gzip stream: error ", result));
    }
    is_complete_ = result == Z_STREAM_END;
    input.remove_prefix(input.size() - stream_.avail_in);
    output = {reinterpret_cast<char*>(stream_.next_out), stream_.avail_out};
  }

  bool is_complete() const override { return is_complete_; }

 private:
  // Members may follow one another; zeros after the last one are padding of tapes.
  bool start_next_member(std::string_view& input) {
    if (!input.empty() && input[0] == '\0') is_padding_ = true;
    if (is_padding_) input.remove_prefix(std::min(input.find_first_not_of('\0'), input.size()));
    if (input.empty()) return false;
    if (is_padding_ || input[0] != '\x1f') throw InvalidArgument("corrupt gzip stream: bytes after its end");
    inflateReset(&stream_);
    is_complete_ = false;
    return true;
  }

  z_stream stream_{};
  bool is_complete_ = false;
  bool is_padding_ = false;
};

}  // namespace

std::unique_ptr<Compressor> make_gzip_compressor(ByteSink sink) {
  return make_gzip_compressor(std::move(sink), Z_BEST_SPEED);
}

std::unique_ptr<Codec> make_gzip_codec() {
  return std::make_unique<ZlibGzipCodec>();
}

}  // namespace knarr::storage
