// SPDX-License-Identifier: Apache-2.0
#include "storage/content/hash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rootless/sys/error.h"

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

}  // namespace
}  // namespace knarr::storage
