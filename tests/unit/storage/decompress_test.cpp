// SPDX-License-Identifier: Apache-2.0
#include "storage/content/decompress.h"

#include <bzlib.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <random>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

using testing::HasSubstr;

std::string gzip(const std::string& plain, int level = 6) {
  z_stream stream{};
  deflateInit2(&stream, level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, plain.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string zstd(const std::string& plain, int window_log = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  if (window_log != 0) {
    ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, 1);
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  }
  std::string packed(ZSTD_compressBound(plain.size()) + 64, '\0');
  ZSTD_inBuffer in{plain.data(), plain.size(), 0};
  ZSTD_outBuffer out{packed.data(), packed.size(), 0};
  // Two calls, so that the size is not known in front and the window is written as asked.
  ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush);
  EXPECT_EQ(ZSTD_compressStream2(context, &out, &in, ZSTD_e_end), 0u);
  packed.resize(out.pos);
  ZSTD_freeCCtx(context);
  return packed;
}

std::string bzip2(const std::string& plain) {
  unsigned size = static_cast<unsigned>(plain.size() + plain.size() / 50 + 1000);
  std::string packed(size, '\0');
  EXPECT_EQ(BZ2_bzBuffToBuffCompress(packed.data(), &size, const_cast<char*>(plain.data()),
                                     static_cast<unsigned>(plain.size()), 9, 0, 0),
            BZ_OK);
  packed.resize(size);
  return packed;
}

std::string xz(const std::string& plain) {
  std::string packed(lzma_stream_buffer_bound(plain.size()), '\0');
  std::size_t size = 0;
  EXPECT_EQ(lzma_easy_buffer_encode(3, LZMA_CHECK_CRC64, nullptr,
                                    reinterpret_cast<const std::uint8_t*>(plain.data()), plain.size(),
                                    reinterpret_cast<std::uint8_t*>(packed.data()), &size, packed.size()),
            LZMA_OK);
  packed.resize(size);
  return packed;
}

ByteSource source_of(const std::string& bytes, std::size_t piece) {
  return [bytes, piece, position = std::size_t{0}](char* buffer, std::size_t size) mutable {
    const std::size_t given = std::min({piece, size, bytes.size() - position});
    bytes.copy(buffer, given, position);
    position += given;
    return given;
  };
}

std::string decompress(const std::string& packed, std::size_t piece = 1 << 20, std::size_t room = 1 << 16) {
  Decompressor decompressor(source_of(packed, piece));
  std::string plain, buffer(room, '\0');
  while (const std::size_t got = decompressor.read(buffer.data(), buffer.size())) {
    plain.append(buffer, 0, got);
    if (got < room) break;
  }
  EXPECT_EQ(decompressor.read(buffer.data(), buffer.size()), 0u);
  return plain;
}

std::string error_of(const std::string& packed) {
  try {
    decompress(packed);
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

// Text with repetitions near and far, and a part that does not compress.
std::string sample(std::size_t size) {
  std::mt19937 random(42);
  std::string text;
  while (text.size() < size) {
    if (random() % 4 == 0) {
      for (int i = 0; i < 200; ++i) text += static_cast<char>(random());
    } else {
      text += "line " + std::to_string(random() % 1000) + " of the sample\n";
    }
  }
  text.resize(size);
  return text;
}

struct Format {
  const char* name;
  std::string (*pack)(const std::string&);
};
const Format formats[] = {{"gzip", [](const std::string& plain) { return gzip(plain); }},
                          {"zstd", [](const std::string& plain) { return zstd(plain); }},
                          {"bzip2", bzip2},
                          {"xz", xz}};

class EveryFormat : public testing::TestWithParam<Format> {};
INSTANTIATE_TEST_SUITE_P(Decompressor, EveryFormat, testing::ValuesIn(formats),
                         [](const auto& format) { return std::string(format.param.name); });

TEST_P(EveryFormat, IsToldByItsFirstBytes) {
  EXPECT_EQ(compression_name(detect_compression(GetParam().pack("x").substr(0, 6))), GetParam().name);
}

TEST_P(EveryFormat, ComesOutAsItWentIn) {
  for (const std::size_t size : {0u, 1u, 1000u, 65536u, 3000000u}) {
    EXPECT_EQ(decompress(GetParam().pack(sample(size))), sample(size)) << size;
  }
}

TEST_P(EveryFormat, DoesNotCareHowTheBytesAreCut) {
  const std::string plain = sample(20000);
  const std::string packed = GetParam().pack(plain);
  for (const std::size_t piece : {1u, 2u, 5u, 1000u}) {
    for (const std::size_t room : {1u, 3u, 512u, 100000u}) {
      EXPECT_EQ(decompress(packed, piece, room), plain) << piece << ' ' << room;
    }
  }
}

TEST_P(EveryFormat, MayBeSeveralStreamsOneAfterAnother) {
  std::string packed, plain;
  for (const std::size_t size : {10u, 0u, 50000u, 1u}) {
    packed += GetParam().pack(sample(size));
    plain += sample(size);
  }
  for (const std::size_t piece : {1u, 7u, 1u << 20}) EXPECT_EQ(decompress(packed, piece), plain) << piece;
}

TEST_P(EveryFormat, IsRefusedWhenCutShort) {
  const std::string packed = GetParam().pack(sample(10000));
  for (const std::size_t length : {std::size_t{8}, packed.size() / 2, packed.size() - 1}) {
    EXPECT_THAT(error_of(packed.substr(0, length)), HasSubstr("ends too early")) << length;
  }
}

TEST_P(EveryFormat, IsRefusedWhenDamaged) {
  std::string packed = GetParam().pack(sample(100000));
  for (std::size_t i = packed.size() / 2; i < packed.size() / 2 + 100; ++i) packed[i] = 'x';
  // zstd has no checksum by default: damage may also give other bytes, which the digests then find.
  try {
    EXPECT_NE(decompress(packed), sample(100000));
  } catch (const InvalidArgument& error) {
    EXPECT_THAT(error.message(), HasSubstr("corrupt"));
  }
}

TEST(Decompressor, GivesPlainBytesAsTheyAre) {
  EXPECT_EQ(decompress(""), "");
  EXPECT_EQ(decompress("BZ"), "BZ");
  EXPECT_EQ(decompress("plain bytes", 1, 4), "plain bytes");
}

TEST(Gzip, MayHaveZerosAfterItsEnd) {
  EXPECT_EQ(decompress(gzip("x") + std::string(1000, '\0')), "x");
  EXPECT_EQ(decompress(gzip("x") + std::string(1000, '\0'), 1), "x");
}

TEST(Gzip, MayHaveNothingElseAfterItsEnd) {
  EXPECT_THAT(error_of(gzip("x") + "junk"), HasSubstr("bytes after its end"));
  EXPECT_THAT(error_of(gzip("x") + std::string(3, '\0') + gzip("y")), HasSubstr("bytes after its end"));
}

TEST(Gzip, IsRefusedWithAWrongChecksum) {
  std::string packed = gzip(sample(1000));
  packed[packed.size() - 8] ^= 1;
  EXPECT_THAT(error_of(packed), HasSubstr("corrupt gzip stream"));
}

TEST(Zstd, MayWantAWindowOf128MiBButNoMore) {
  const std::string plain = sample(100000);
  EXPECT_EQ(decompress(zstd(plain, 27)), plain);
  EXPECT_THAT(error_of(zstd(plain, 28)), HasSubstr("corrupt zstd stream"));
}

TEST(Decompressor, RefusesAStreamThatGrowsOutOfAllProportion) {
  const std::string zeros(64 << 20, '\0');
  const std::string frame = zstd(zeros);
  ASSERT_GT(zeros.size() / frame.size(), 1000u);
  // 300 times 64 MiB from a source that repeats one frame.
  auto left = std::make_shared<int>(300);
  Decompressor decompressor([frame, left](char* buffer, std::size_t size) -> std::size_t {
    if ((*left)-- == 0) return 0;
    EXPECT_LE(frame.size(), size);
    frame.copy(buffer, frame.size());
    return frame.size();
  });
  std::string buffer(1 << 20, '\0');
  try {
    while (decompressor.read(buffer.data(), buffer.size()) > 0) {
    }
    FAIL() << "it was taken";
  } catch (const InvalidArgument& error) {
    EXPECT_THAT(error.message(), HasSubstr("grows more than 1000 times"));
  }
}

}  // namespace
}  // namespace knarr::storage
