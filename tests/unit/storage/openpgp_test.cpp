// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/openpgp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/storage/error_text.h"

namespace knarr::storage {
namespace {

using ::testing::HasSubstr;

const std::string begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n";
const std::string end = "-----END PGP PUBLIC KEY BLOCK-----\n";

TEST(OpenPgpKeys, BareOnesStayAsTheyAre) {
  const std::string packets("\x99\x01\0x", 4);
  EXPECT_EQ(read_openpgp_keys(packets), packets);
}

TEST(OpenPgpKeys, ArmorIsTakenOff) {
  EXPECT_EQ(read_openpgp_keys(begin + "\na2V5\nLW9uZQ==\n=abcd\n" + end), "key-one");
}

TEST(OpenPgpKeys, ArmorHasHeadersAndTextAroundIt) {
  const std::string block = begin + "Version: x\r\nComment: y\r\n\r\na2V5\r\n=abcd\r\n" + end;
  EXPECT_EQ(read_openpgp_keys("The keys:\n" + block + "and\n" + block), "keykey");
}

TEST(OpenPgpKeys, TornArmorIsRefused) {
  EXPECT_THAT(error_text<InvalidArgument>([] { read_openpgp_keys(begin + "\na2V5\n"); }),
              HasSubstr("no end"));
  EXPECT_THAT(error_text<InvalidArgument>([] { read_openpgp_keys(begin + "\n!\n" + end); }),
              HasSubstr("no base64"));
}

const std::string good =
    "[GNUPG:] PLAINTEXT 62 1577836800 \n[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 66B3 A <a@b>\n"
    "gpgv: Good signature from \"A\"\n[GNUPG:] VALIDSIG 297A 2026-11-27 1 0 4 0 1 10 00 297A\n";

std::string with(std::string word, const std::string& other) {
  std::string text = good;
  const std::size_t at = text.find(word);
  return text.replace(at, word.size(), other);
}

TEST(GpgvStatus, OneGoodSignatureIsAccepted) {
  EXPECT_EQ(why_not_signed(good), "");
}

TEST(GpgvStatus, NothingElseIs) {
  EXPECT_EQ(why_not_signed(""), "it has no signature");
  EXPECT_EQ(why_not_signed("[GNUPG:] PLAINTEXT 62 0 \n"), "it has no signature");
  EXPECT_EQ(why_not_signed("[GNUPG:] NODATA 4\n"), "it is no OpenPGP message");
  EXPECT_EQ(why_not_signed(with("GOODSIG", "BADSIG")), "it does not fit what it signs");
  EXPECT_EQ(why_not_signed(with("GOODSIG", "ERRSIG")), "it is not by a key of the policy");
  EXPECT_EQ(why_not_signed(with("GOODSIG", "EXPSIG")), "it has expired");
  EXPECT_EQ(why_not_signed(with("GOODSIG", "EXPKEYSIG")), "its key has expired");
  EXPECT_EQ(why_not_signed(with("GOODSIG", "REVKEYSIG")), "its key was revoked");
  EXPECT_NE(why_not_signed(with("VALIDSIG", "OTHERSIG")), "");
}

TEST(GpgvStatus, OneOfTwoIsNotEnough) {
  EXPECT_EQ(why_not_signed(good + with("GOODSIG", "BADSIG")), "it does not fit what it signs");
  EXPECT_EQ(why_not_signed(good + good), "it is not one content with one signature");
  EXPECT_EQ(why_not_signed("[GNUPG:] PLAINTEXT 62 0 \n" + good), "it is not one content with one signature");
}

TEST(GpgvStatus, WordsOfOtherLinesCountForNothing) {
  EXPECT_EQ(why_not_signed("gpgv: [GNUPG:] GOODSIG\nx[GNUPG:] NEWSIG\n"), "it has no signature");
}

}  // namespace
}  // namespace knarr::storage
