// SPDX-License-Identifier: Apache-2.0
#include "storage/content/compress.h"

#include <zstd.h>

#include <string>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

class PlainCompressor : public Compressor {
 public:
  explicit PlainCompressor(ByteSink sink) : sink_(std::move(sink)) {}
  void write(std::string_view bytes) override { sink_(bytes); }
  void finish() override {}

 private:
  ByteSink sink_;
};

class ZstdCompressor : public Compressor {
 public:
  ZstdCompressor(ByteSink sink, int level)
      : sink_(std::move(sink)), context_(ZSTD_createCCtx()), output_(ZSTD_CStreamOutSize(), '\0') {
    if (!context_) throw Error("out of memory for zstd");
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
  }
  void write(std::string_view bytes) override { compress(bytes, ZSTD_e_continue); }
  void finish() override { compress({}, ZSTD_e_end); }

 private:
  void compress(std::string_view bytes, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (std::size_t left = 1; in.pos < in.size || (directive == ZSTD_e_end && left > 0);) {
      ZSTD_outBuffer out{output_.data(), output_.size(), 0};
      left = ZSTD_compressStream2(context_.get(), &out, &in, directive);
      if (ZSTD_isError(left)) throw Error(concat("compressing with zstd: ", ZSTD_getErrorName(left)));
      if (out.pos > 0) sink_(std::string_view(output_).substr(0, out.pos));
    }
  }

  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  ByteSink sink_;
  std::unique_ptr<ZSTD_CCtx, Free> context_;
  std::string output_;
};

}  // namespace

std::unique_ptr<Compressor> make_compressor(Compression compression, ByteSink sink,
                                            std::optional<int> level) {
  constexpr int usual_zstd_level = 3;
  if (level) check_compression_level(compression, *level);
  switch (compression) {
    case Compression::none:
      return std::make_unique<PlainCompressor>(std::move(sink));
    case Compression::gzip:
      return level ? make_gzip_compressor(std::move(sink), *level) : make_gzip_compressor(std::move(sink));
    case Compression::zstd:
      return std::make_unique<ZstdCompressor>(std::move(sink), level.value_or(usual_zstd_level));
    case Compression::bzip2:
    case Compression::xz:
      break;
  }
  throw Unsupported(concat("compressing with ", compression_name(compression)));
}

void check_compression_level(Compression compression, int level) {
  const int highest = compression == Compression::zstd ? ZSTD_maxCLevel() : 9;
  if (level >= 1 && level <= highest) return;
  throw InvalidArgument(concat("compression level ", level, ": those of ", compression_name(compression),
                               " are 1 to ", highest));
}

}  // namespace knarr::storage
