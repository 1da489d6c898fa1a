// SPDX-License-Identifier: Apache-2.0
#include "storage/content/decompress.h"

#include <bzlib.h>
#include <lzma.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t input_size = 256u << 10;
constexpr int zstd_window_log = 27;  // what `zstd -d` accepts without being told otherwise
constexpr std::uint64_t xz_memory = 128u << 20;
// No file system tree shrinks a thousandfold; below the first limit even that does no harm.
constexpr std::uint64_t growth_checked_from = 16ull << 30;
constexpr std::uint64_t max_growth = 1000;

[[noreturn]] void fail_corrupt(std::string_view format, std::string_view detail) {
  throw InvalidArgument(concat("corrupt ", format, " stream: ", detail));
}

class ZstdCodec : public Codec {
 public:
  ZstdCodec() : stream_(ZSTD_createDStream()) {
    if (!stream_) throw Error("out of memory for zstd");
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, zstd_window_log);
  }

  void decode(std::string_view& input, Output& output, bool) override {
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    ZSTD_outBuffer out{output.data, output.size, 0};
    const std::size_t left = ZSTD_decompressStream(stream_.get(), &out, &in);
    if (ZSTD_isError(left)) fail_corrupt("zstd", ZSTD_getErrorName(left));
    // With nothing consumed, a positive answer after the end of a frame only asks for the next one's header.
    if (in.pos > 0 || out.pos > 0) is_complete_ = left == 0;
    input.remove_prefix(in.pos);
    output = {output.data + out.pos, output.size - out.pos};
  }
  bool is_complete() const override { return is_complete_; }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  std::unique_ptr<ZSTD_DStream, Free> stream_;
  bool is_complete_ = false;
};

class BzipCodec : public Codec {
 public:
  BzipCodec() { start(); }
  ~BzipCodec() override { BZ2_bzDecompressEnd(&stream_); }

  void decode(std::string_view& input, Output& output, bool) override {
    if (input.empty() && is_complete_) return;
    if (is_complete_) {
      BZ2_bzDecompressEnd(&stream_);
      start();
    }
    stream_.next_in = const_cast<char*>(input.data());
    stream_.avail_in = static_cast<unsigned>(input.size());
    stream_.next_out = output.data;
    stream_.avail_out = static_cast<unsigned>(output.size);
    const int result = BZ2_bzDecompress(&stream_);
    if (result != BZ_OK && result != BZ_STREAM_END) fail_corrupt("bzip2", concat("error ", result));
    is_complete_ = result == BZ_STREAM_END;
    input.remove_prefix(input.size() - stream_.avail_in);
    output = {stream_.next_out, stream_.avail_out};
  }
  bool is_complete() const override { return is_complete_; }

 private:
  void start() {
    stream_ = {};
    if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) throw Error("out of memory for bzip2");
    is_complete_ = false;
  }
  bz_stream stream_{};
  bool is_complete_ = false;
};

class XzCodec : public Codec {
 public:
  XzCodec() {
    if (lzma_stream_decoder(&stream_, xz_memory, LZMA_CONCATENATED) != LZMA_OK)
      throw Error("out of memory for xz");
  }
  ~XzCodec() override { lzma_end(&stream_); }

  void decode(std::string_view& input, Output& output, bool last) override {
    if (is_complete_) {
      if (!input.empty()) fail_corrupt("xz", "bytes after its end");
      return;
    }
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(input.data());
    stream_.avail_in = input.size();
    stream_.next_out = reinterpret_cast<std::uint8_t*>(output.data);
    stream_.avail_out = output.size;
    const lzma_ret result = lzma_code(&stream_, last ? LZMA_FINISH : LZMA_RUN);
    if (result == LZMA_MEMLIMIT_ERROR) fail_corrupt("xz", "it needs more than 128 MiB of memory");
    // LZMA_BUF_ERROR: no progress was possible; whoever calls sees that by the sizes.
    if (result != LZMA_OK && result != LZMA_STREAM_END && result != LZMA_BUF_ERROR) {
      fail_corrupt("xz", concat("error ", static_cast<int>(result)));
    }
    is_complete_ = result == LZMA_STREAM_END;
    input.remove_prefix(input.size() - stream_.avail_in);
    output = {reinterpret_cast<char*>(stream_.next_out), stream_.avail_out};
  }
  bool is_complete() const override { return is_complete_; }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool is_complete_ = false;
};

}  // namespace

Compression detect_compression(std::string_view first_bytes) {
  if (first_bytes.starts_with("\x1f\x8b\x08"sv)) return Compression::gzip;
  if (first_bytes.starts_with("\x28\xb5\x2f\xfd"sv)) return Compression::zstd;
  if (first_bytes.starts_with("\xfd\x37zXZ\0"sv)) return Compression::xz;
  const bool has_level = first_bytes.size() > 3 && first_bytes[3] >= '1' && first_bytes[3] <= '9';
  if (first_bytes.starts_with("BZh"sv) && has_level) return Compression::bzip2;
  return Compression::none;
}

std::string_view compression_name(Compression compression) {
  constexpr std::string_view names[] = {"plain", "gzip", "zstd", "bzip2", "xz"};
  return names[static_cast<int>(compression)];
}

std::unique_ptr<Codec> make_codec(Compression compression) {
  switch (compression) {
    case Compression::gzip:
      return make_gzip_codec();
    case Compression::zstd:
      return std::make_unique<ZstdCodec>();
    case Compression::bzip2:
      return std::make_unique<BzipCodec>();
    case Compression::xz:
      return std::make_unique<XzCodec>();
    case Compression::none:
      break;
  }
  return nullptr;
}

Decompressor::Decompressor(ByteSource source) : source_(std::move(source)), buffer_(input_size, '\0') {
  // A source may give its bytes one by one, so go on until the magic is whole.
  std::size_t filled = 0;
  while (filled < 6 && !at_end_) {
    const std::size_t got = source_(buffer_.data() + filled, buffer_.size() - filled);
    at_end_ = got == 0;
    filled += got;
  }
  taken_ = filled;
  input_ = std::string_view(buffer_).substr(0, filled);
  compression_ = detect_compression(input_);
  codec_ = make_codec(compression_);
}

void Decompressor::refill() {
  if (!input_.empty() || at_end_) return;
  const std::size_t got = source_(buffer_.data(), buffer_.size());
  at_end_ = got == 0;
  taken_ += got;
  input_ = std::string_view(buffer_).substr(0, got);
}

std::size_t Decompressor::read(char* buffer, std::size_t size) {
  if (!codec_) return read_plain(buffer, size);
  Codec::Output output{buffer, size};
  while (output.size > 0) {
    refill();
    const std::size_t room = output.size;
    const std::size_t waiting = input_.size();
    codec_->decode(input_, output, at_end_);
    const bool progress = output.size < room || input_.size() < waiting;
    if (progress) continue;
    if (!input_.empty()) fail_corrupt(compression_name(compression_), "it does not go on");
    if (at_end_ && !codec_->is_complete()) fail_corrupt(compression_name(compression_), "it ends too early");
    if (at_end_) break;
  }
  given_ += size - output.size;
  check_growth();
  return size - output.size;
}

std::size_t Decompressor::read_plain(char* buffer, std::size_t size) {
  std::size_t filled = std::min(size, input_.size());
  std::memcpy(buffer, input_.data(), filled);
  input_.remove_prefix(filled);
  while (filled < size && !at_end_) {
    const std::size_t got = source_(buffer + filled, size - filled);
    at_end_ = got == 0;
    filled += got;
  }
  return filled;
}

void Decompressor::check_growth() const {
  if (given_ > growth_checked_from && given_ / max_growth > taken_) {
    throw InvalidArgument(concat("the ", compression_name(compression_), " stream grows more than ",
                                 max_growth, " times: ", taken_, " bytes have become ", given_));
  }
}

}  // namespace knarr::storage
