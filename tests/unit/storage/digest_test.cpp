// SPDX-License-Identifier: Apache-2.0
#include "storage/digest.h"

#include <gtest/gtest.h>

namespace knarr::storage {
namespace {

TEST(ParseDigest, KnowsTwoAlgorithmsWithTheirLengths) {
  const std::string hex64(64, '0');
  EXPECT_EQ(parse_digest("sha256:" + hex64), (Digest{"sha256", hex64}));
  EXPECT_EQ(parse_digest("sha512:" + hex64 + hex64), (Digest{"sha512", hex64 + hex64}));
  EXPECT_EQ(render(Digest{"sha256", hex64}), "sha256:" + hex64);
}

TEST(ParseDigest, RefusesEverythingElse) {
  const std::string hex64(64, '0');
  for (const std::string& text :
       {std::string(), std::string("sha256"), std::string("sha256:"), ":" + hex64, hex64,
        "sha256:" + hex64 + "0", "sha256:" + hex64.substr(1), "sha512:" + hex64, "md5:" + hex64,
        "SHA256:" + hex64, "sha256:" + std::string(64, 'A'), "sha256:../" + hex64.substr(3),
        "sha256:" + hex64.substr(1) + "\n", "sha256:" + hex64.substr(1) + std::string(1, '\0')}) {
    EXPECT_EQ(parse_digest(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace knarr::storage
