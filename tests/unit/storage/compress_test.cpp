// SPDX-License-Identifier: Apache-2.0
#include "storage/content/compress.h"

#include <gtest/gtest.h>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

std::string sample(std::size_t size) {
  std::string bytes;
  for (unsigned number = 1; bytes.size() < size; number = number * 1103515245 + 12345) {
    bytes += static_cast<char>(number >> 16);
    if (number % 5 == 0) bytes += "and something that repeats itself";
  }
  bytes.resize(size);
  return bytes;
}

std::string compressed(Compression compression, const std::string& plain, std::size_t piece) {
  std::string out;
  const auto compressor = make_compressor(compression, [&](std::string_view bytes) { out += bytes; });
  for (std::size_t i = 0; i < plain.size(); i += piece)
    compressor->write(std::string_view(plain).substr(i, piece));
  compressor->finish();
  return out;
}

std::string decompressed(const std::string& bytes) {
  Decompressor decompressor([&bytes, position = std::size_t{0}](char* buffer, std::size_t size) mutable {
    const std::size_t given = bytes.copy(buffer, size, position);
    position += given;
    return given;
  });
  std::string plain, buffer(100'000, '\0');
  while (const std::size_t got = decompressor.read(buffer.data(), buffer.size()))
    plain.append(buffer, 0, got);
  return plain;
}

TEST(Compress, GivesWhatTheDecompressorTakes) {
  for (const Compression compression : {Compression::gzip, Compression::zstd, Compression::none}) {
    for (const std::size_t size : {0, 1, 1000, 131'072, 3'000'000}) {
      const std::string plain = sample(size);
      const std::string bytes = compressed(compression, plain, 50'000);
      EXPECT_TRUE(decompressed(bytes) == plain) << compression_name(compression) << ' ' << size;
      if (size > 0) {
        EXPECT_EQ(detect_compression(bytes), compression);
      }
      if (size > 10'000 && compression != Compression::none) {
        EXPECT_LT(bytes.size(), size);
      }
    }
  }
}

TEST(Compress, TheSameBytesGiveTheSameStream) {
  const std::string plain = sample(500'000);
  for (const Compression compression : {Compression::gzip, Compression::zstd}) {
    EXPECT_TRUE(compressed(compression, plain, 4096) == compressed(compression, plain, 4096));
  }
}

TEST(Compress, LevelsAreHeeded) {
  const std::string plain = sample(500'000);
  const auto size_at = [&](Compression compression, int level) {
    std::string out;
    const auto compressor = make_compressor(
        compression, [&](std::string_view bytes) { out += bytes; }, level);
    compressor->write(plain);
    compressor->finish();
    EXPECT_TRUE(decompressed(out) == plain);
    return out.size();
  };
  EXPECT_LT(size_at(Compression::gzip, 9), size_at(Compression::gzip, 1));
  EXPECT_LT(size_at(Compression::zstd, 15), size_at(Compression::zstd, 1));
  EXPECT_THROW(size_at(Compression::gzip, 10), InvalidArgument);
  EXPECT_THROW(size_at(Compression::zstd, 0), InvalidArgument);
}

TEST(CompressedSource, GivesTheStreamOfTheCompressor) {
  const std::string plain = sample(700'000);
  for (const Compression compression : {Compression::none, Compression::gzip, Compression::zstd}) {
    const ByteSource source = compress_source(
        [&, position = std::size_t{0}](char* buffer, std::size_t room) mutable {
          const std::size_t got = plain.copy(buffer, std::min<std::size_t>(room, 10'000), position);
          position += got;
          return got;
        },
        compression);
    std::string out, buffer(777, '\0');
    while (const std::size_t got = source(buffer.data(), buffer.size())) out.append(buffer, 0, got);
    EXPECT_EQ(source(buffer.data(), buffer.size()), 0u);
    EXPECT_TRUE(decompressed(out) == plain) << compression_name(compression);
  }
}

TEST(Compress, RefusesWhatItOnlyReads) {
  EXPECT_THROW(make_compressor(Compression::xz, [](std::string_view) {}), Unsupported);
}

}  // namespace
}  // namespace knarr::storage
