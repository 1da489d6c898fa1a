// SPDX-License-Identifier: Apache-2.0
#include "storage/content/hash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rootless/sys/error.h"
#include "storage/content/checksum.h"

namespace knarr::storage {
namespace {

TEST(Hasher, ComputesTheDigestsOfFips180) {
  EXPECT_EQ(render(digest_of("abc")),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(render(digest_of("abc", "sha512")),
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(Hasher, DoesNotCareHowTheBytesAreCut) {
  Hasher hasher;
  hasher.update("a");
  hasher.update("");
  hasher.update("bc");
  EXPECT_EQ(hasher.finish(), digest_of("abc"));
}

TEST(Hasher, RefusesOtherAlgorithms) {
  EXPECT_THROW(Hasher("md5"), Unsupported);
}

TEST(VerifyDigest, NamesBothDigests) {
  EXPECT_NO_THROW(verify_digest("abc", digest_of("abc"), "config"));
  try {
    verify_digest("abc", digest_of("abd"), "config");
    FAIL();
  } catch (const InvalidArgument& error) {
    EXPECT_EQ(error.message(),
              "config has digest " + render(digest_of("abc")) + ", not " + render(digest_of("abd")));
  }
}

std::uint64_t checksum_of(std::string_view bytes, std::size_t piece) {
  Checksum checksum;
  for (std::size_t i = 0; i < bytes.size(); i += piece) checksum.update(bytes.substr(i, piece));
  return checksum.value();
}

TEST(Checksum, IsXxh64) {
  EXPECT_EQ(checksum_of("", 1), 0xef46db3751d8e999u);
  EXPECT_EQ(checksum_of("a", 1), 0xd24ec4f1a98c6e5bu);
  EXPECT_EQ(checksum_of("abc", 3), 0x44bc2cf5ad770999u);
  EXPECT_EQ(checksum_of("Nobody inspects the spammish repetition", 100), 0xfbcea83c8a378bf1u);
}

TEST(Checksum, DoesNotCareHowTheBytesAreCut) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += static_cast<char>(i * 7);
  for (std::size_t size : {5u, 31u, 32u, 33u, 100u, 1000u}) {
    const std::string part = bytes.substr(0, size);
    for (std::size_t piece : {1u, 3u, 31u, 32u, 33u, 64u})
      EXPECT_EQ(checksum_of(part, piece), checksum_of(part, size)) << size << ' ' << piece;
  }
}

}  // namespace
}  // namespace knarr::storage
