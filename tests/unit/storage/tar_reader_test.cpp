// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/tar_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rootless/sys/error.h"
#include "tests/support/tar_builder.h"

namespace knarr::storage {
namespace {

using test::TarBuilder;
using test::TarItem;
using testing::ElementsAre;
using testing::HasSubstr;

// Hands out `bytes` in pieces of one size, each in memory of its own that dies with the next call.
class Pieces : public ChunkSource {
 public:
  Pieces(std::string bytes, std::size_t size) : bytes_(std::move(bytes)), size_(size) {}
  std::string_view next_chunk() override {
    current_ = bytes_.substr(std::min(position_, bytes_.size()), size_);
    position_ += current_.size();
    return current_;
  }

 private:
  std::string bytes_;
  std::string current_;
  std::size_t size_;
  std::size_t position_ = 0;
};

struct Read {
  TarEntry entry;
  std::string content;
};

std::vector<Read> read_tar(const std::string& bytes, std::size_t piece = 1 << 20,
                           const TarLimits& limits = {}) {
  Pieces source(bytes, piece);
  TarReader reader(source, limits);
  std::vector<Read> all;
  for (TarEntry entry; reader.next(entry);) {
    std::string content;
    for (std::string_view part; !(part = reader.read_content()).empty();) content += part;
    all.push_back({entry, content});
  }
  return all;
}

Read read_one(const std::string& bytes) {
  const std::vector<Read> all = read_tar(bytes);
  EXPECT_EQ(all.size(), 1u);
  return all.at(0);
}

std::string error_of(const std::string& bytes, const TarLimits& limits = {}) {
  try {
    read_tar(bytes, 1 << 20, limits);
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

TEST(TarReader, ReadsTheFieldsOfAUstarHeader) {
  const Read read = read_one(TarBuilder()
                                 .add({.path = "name",
                                       .content = "hello",
                                       .mode = 04755,
                                       .uid = 12,
                                       .gid = 34,
                                       .mtime = 1700000000,
                                       .prefix = "some/where"})
                                 .finish());
  EXPECT_EQ(read.entry.path, "some/where/name");
  EXPECT_EQ(read.entry.type, TarType::file);
  EXPECT_EQ(read.entry.mode, 04755u);
  EXPECT_EQ(read.entry.uid, 12u);
  EXPECT_EQ(read.entry.gid, 34u);
  EXPECT_EQ(read.entry.mtime.tv_sec, 1700000000);
  EXPECT_EQ(read.content, "hello");
}

TEST(TarReader, KnowsEveryTypeOfEntry) {
  const auto all = read_tar(TarBuilder()
                                .directory("d/")
                                .hard_link("h", "d/f")
                                .symlink("s", "target")
                                .add({.type = '3', .path = "c", .major = 1, .minor = 3})
                                .add({.type = '4', .path = "b", .major = 8, .minor = 1})
                                .add({.type = '6', .path = "p"})
                                .add({.type = '7', .path = "contiguous"})
                                .add({.type = '\0', .path = "old/"})
                                .finish());
  ASSERT_EQ(all.size(), 8u);
  EXPECT_EQ(all[0].entry.type, TarType::directory);
  EXPECT_EQ(all[1].entry.type, TarType::hard_link);
  EXPECT_EQ(all[1].entry.link, "d/f");
  EXPECT_EQ(all[2].entry.type, TarType::symlink);
  EXPECT_EQ(all[2].entry.link, "target");
  EXPECT_EQ(all[3].entry.type, TarType::character_device);
  EXPECT_EQ(all[3].entry.device_minor, 3u);
  EXPECT_EQ(all[4].entry.type, TarType::block_device);
  EXPECT_EQ(all[4].entry.device_major, 8u);
  EXPECT_EQ(all[5].entry.type, TarType::fifo);
  EXPECT_EQ(all[6].entry.type, TarType::file);
  EXPECT_EQ(all[7].entry.type, TarType::directory);
}

TEST(TarReader, GivesTheSameEntriesHoweverTheBytesAreCut) {
  const std::string archive = TarBuilder()
                                  .pax({{"path", "long/" + std::string(200, 'n')}, {"mtime", "5.25"}})
                                  .file("short", std::string(3000, 'x'))
                                  .directory("d")
                                  .file("d/f", std::string(700, 'y'))
                                  .finish();
  for (const std::size_t piece : {1u, 7u, 511u, 512u, 513u, 4096u}) {
    const auto all = read_tar(archive, piece);
    ASSERT_EQ(all.size(), 3u) << piece;
    EXPECT_EQ(all[0].entry.path, "long/" + std::string(200, 'n'));
    EXPECT_EQ(all[0].content, std::string(3000, 'x'));
    EXPECT_EQ(all[2].content, std::string(700, 'y'));
  }
}

TEST(TarReader, LeavesOutContentNobodyAskedFor) {
  Pieces source(TarBuilder().file("a", std::string(5000, 'a')).file("b", "b").finish(), 100);
  TarReader reader(source);
  TarEntry entry;
  ASSERT_TRUE(reader.next(entry));
  ASSERT_TRUE(reader.next(entry));
  EXPECT_EQ(entry.path, "b");
  EXPECT_EQ(reader.read_content(), "b");
}

// ---- numbers ----

TEST(TarNumber, ReadsOctalAndBase256) {
  EXPECT_EQ(parse_tar_number(std::string_view("0000755\0", 8), "x"), 0755);
  EXPECT_EQ(parse_tar_number("   755 ", "x"), 0755);
  EXPECT_EQ(parse_tar_number(std::string_view("\0\0\0\0", 4), "x"), 0);
  EXPECT_EQ(parse_tar_number(test::base256(1LL << 40, 12), "x"), 1LL << 40);
  EXPECT_EQ(parse_tar_number(test::base256(-7, 12), "x"), -7);
  EXPECT_EQ(parse_tar_number(test::base256(3'000'000'000, 8), "x"), 3'000'000'000);
}

TEST(TarNumber, RefusesWhatDoesNotFit) {
  EXPECT_THROW(parse_tar_number("0000098", "x"), InvalidArgument);
  EXPECT_THROW(parse_tar_number("-1", "x"), InvalidArgument);
  EXPECT_THROW(parse_tar_number("\x80\x01" + std::string(10, '\0'), "x"), InvalidArgument);
  EXPECT_THROW(parse_tar_number("\x80" + std::string(3, '\0') + "\xff" + std::string(7, '\0'), "x"),
               InvalidArgument);
}

TEST(TarReader, RefusesANegativeSize) {
  std::string block = test::header_block({.path = "f"});
  test::put(block, 124, test::base256(-512, 12));
  EXPECT_THAT(error_of(test::with_checksum(block)), HasSubstr("negative size"));
}

TEST(TarReader, ReadsTimesBefore1970) {
  EXPECT_EQ(read_one(TarBuilder().add({.path = "f", .mtime = -5}).finish()).entry.mtime.tv_sec, -5);
}

TEST(TarReader, RefusesAnOwnerThatChownWouldIgnore) {
  EXPECT_THAT(error_of(TarBuilder().pax({{"uid", "4294967295"}}).file("f", "").finish()),
              HasSubstr("\"f\": uid 4294967295 is not possible"));
}

// ---- extended headers ----

TEST(TarReader, AppliesPaxRecordsToOneEntryOnly) {
  const auto all = read_tar(TarBuilder()
                                .pax({{"path", "new"},
                                      {"linkpath", "unused"},
                                      {"uid", "100000"},
                                      {"gid", "7"},
                                      {"mtime", "12.5"},
                                      {"SCHILY.xattr.user.note", std::string("a\0b", 3)},
                                      {"comment", "ignored"}})
                                .file("old", "x")
                                .file("next", "y")
                                .finish());
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].entry.path, "new");
  EXPECT_EQ(all[0].entry.uid, 100000u);
  EXPECT_EQ(all[0].entry.gid, 7u);
  EXPECT_EQ(all[0].entry.mtime.tv_sec, 12);
  EXPECT_EQ(all[0].entry.mtime.tv_nsec, 500'000'000);
  EXPECT_THAT(all[0].entry.xattrs, ElementsAre(TarXattr{"user.note", std::string("a\0b", 3)}));
  EXPECT_EQ(all[1].entry.path, "next");
  EXPECT_EQ(all[1].entry.uid, 0u);
  EXPECT_TRUE(all[1].entry.xattrs.empty());
}

TEST(TarReader, PaxSizeOverridesTheHeader) {
  const std::string archive =
      TarBuilder().pax({{"size", "600"}}).raw(test::header_block({.path = "f", .size = 0})).without_end() +
      test::pad_to_block(std::string(600, 'z')) + TarBuilder().file("after", "").finish();
  const auto all = read_tar(archive);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].content, std::string(600, 'z'));
  EXPECT_EQ(all[1].entry.path, "after");
}

TEST(TarReader, ReadsNegativePaxTimes) {
  const Read read = read_one(TarBuilder().pax({{"mtime", "-1.25"}}).file("f", "").finish());
  EXPECT_EQ(read.entry.mtime.tv_sec, -2);
  EXPECT_EQ(read.entry.mtime.tv_nsec, 750'000'000);
}

TEST(TarReader, TakesAnEmptyPaxValueAsTakenBack) {
  EXPECT_EQ(read_one(TarBuilder().pax({{"path", "x"}, {"path", ""}}).file("f", "").finish()).entry.path, "f");
}

TEST(TarReader, AppliesGlobalOwnersAndTimesToAllEntries) {
  const auto all = read_tar(TarBuilder()
                                .pax({{"uid", "9"}, {"mtime", "77"}}, 'g')
                                .file("a", "")
                                .pax({{"uid", "10"}})
                                .file("b", "")
                                .finish());
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].entry.uid, 9u);
  EXPECT_EQ(all[0].entry.mtime.tv_sec, 77);
  EXPECT_EQ(all[1].entry.uid, 10u);
}

TEST(TarReader, RefusesGlobalNamesAndSizes) {
  EXPECT_THAT(error_of(TarBuilder().pax({{"path", "everything"}}, 'g').file("a", "").finish()),
              HasSubstr("global PAX header"));
  EXPECT_THAT(error_of(TarBuilder().pax({{"size", "1"}}, 'g').file("a", "").finish()),
              HasSubstr("global PAX header"));
}

TEST(TarReader, RefusesMalformedPaxHeaders) {
  const auto error_with = [](const std::string& text) {
    return error_of(TarBuilder().add({.type = 'x', .path = "p", .content = text}).file("f", "").finish());
  };
  EXPECT_THAT(error_with("99 path=x\n"), HasSubstr("malformed PAX"));
  EXPECT_THAT(error_with("0 path=x\n"), HasSubstr("malformed PAX"));
  EXPECT_THAT(error_with("9 path=xx"), HasSubstr("malformed PAX"));
  EXPECT_THAT(error_with("path=x\n"), HasSubstr("malformed PAX"));
  EXPECT_THAT(error_with("6 =xx\n"), HasSubstr("malformed PAX"));
  EXPECT_THAT(error_with(std::string("11 path=a\0\n", 11)), HasSubstr("\"path\""));
  EXPECT_THAT(error_with(test::pax_record("size", "12x")), HasSubstr("\"size\""));
  EXPECT_THAT(error_with(test::pax_record("size", "9223372036854775808")), HasSubstr("\"size\""));
  EXPECT_THAT(error_with(test::pax_record("mtime", "1.2.3")), HasSubstr("\"mtime\""));
}

TEST(TarReader, RefusesAPaxHeaderOfAGigabyteBeforeReadingIt) {
  EXPECT_THAT(error_of(test::header_block({.type = 'x', .path = "p", .size = 1 << 30})),
              HasSubstr("longer than the 1048576 allowed"));
}

TEST(TarReader, ReadsGnuLongNamesAndLinks) {
  const std::string name = std::string(150, 'a') + "/" + std::string(150, 'b');
  const Read read =
      read_one(TarBuilder()
                   .gnu_long('K', "target/" + name)
                   .gnu_long('L', name)
                   .add({.type = '2', .path = name.substr(0, 99), .link = "cut", .magic = "ustar  "})
                   .finish());
  EXPECT_EQ(read.entry.path, name);
  EXPECT_EQ(read.entry.link, "target/" + name);
}

TEST(TarReader, DoesNotTakeGnuFieldsForAPrefix) {
  EXPECT_EQ(
      read_one(TarBuilder().add({.path = "f", .prefix = "0123", .magic = "ustar  "}).finish()).entry.path,
      "f");
}

TEST(TarReader, PassesOverVolumeLabels) {
  EXPECT_EQ(read_one(TarBuilder().add({.type = 'V', .path = "label"}).file("f", "").finish()).entry.path,
            "f");
}

// ---- sparse files ----

const std::vector<TarExtent> two_pieces = {{1000, 5}, {5000, 3}};
const std::string piece_content = "helloyou";

TEST(TarSparse, ReadsPaxFormat00) {
  const Read read = read_one(TarBuilder()
                                 .pax({{"GNU.sparse.size", "9000"},
                                       {"GNU.sparse.numblocks", "2"},
                                       {"GNU.sparse.offset", "1000"},
                                       {"GNU.sparse.numbytes", "5"},
                                       {"GNU.sparse.offset", "5000"},
                                       {"GNU.sparse.numbytes", "3"}})
                                 .file("f", piece_content)
                                 .finish());
  EXPECT_EQ(read.entry.extents, two_pieces);
  EXPECT_EQ(read.entry.size, 9000u);
  EXPECT_EQ(read.entry.stored_size, 8u);
  EXPECT_EQ(read.content, piece_content);
}

TEST(TarSparse, ReadsPaxFormat01) {
  const Read read = read_one(TarBuilder()
                                 .pax({{"GNU.sparse.size", "9000"},
                                       {"GNU.sparse.numblocks", "2"},
                                       {"GNU.sparse.name", "real"},
                                       {"GNU.sparse.map", "1000,5,5000,3"}})
                                 .file("GNUSparseFile.1/real", piece_content)
                                 .finish());
  EXPECT_EQ(read.entry.path, "real");
  EXPECT_EQ(read.entry.extents, two_pieces);
  EXPECT_EQ(read.content, piece_content);
}

TEST(TarSparse, ReadsPaxFormat10) {
  const Read read =
      read_one(TarBuilder()
                   .pax({{"GNU.sparse.major", "1"},
                         {"GNU.sparse.minor", "0"},
                         {"GNU.sparse.name", "real"},
                         {"GNU.sparse.realsize", "9000"}})
                   .file("GNUSparseFile.1/real", test::pad_to_block("2\n1000\n5\n5000\n3\n") + piece_content)
                   .finish());
  EXPECT_EQ(read.entry.path, "real");
  EXPECT_EQ(read.entry.size, 9000u);
  EXPECT_EQ(read.entry.extents, two_pieces);
  EXPECT_EQ(read.content, piece_content);
}

// pieces: how many of one byte each at 0, 10, 20, ...
std::string old_sparse(std::size_t pieces) {
  const auto entry = [](std::size_t i) { return test::octal(i * 10, 12) + test::octal(1, 12); };
  std::string block = test::header_block(
      {.type = 'S', .path = "f", .size = static_cast<long long>(pieces), .magic = "ustar  "});
  std::size_t done = 0;
  for (; done < pieces && done < 4; ++done) test::put(block, 386 + 24 * done, entry(done));
  block[482] = pieces > 4 ? '\1' : '\0';
  test::put(block, 483, test::octal(pieces * 10, 12));
  std::string archive = test::with_checksum(block);
  while (done < pieces) {
    std::string extension(512, '\0');
    for (std::size_t i = 0; i < 21 && done < pieces; ++i, ++done) test::put(extension, 24 * i, entry(done));
    extension[504] = done < pieces ? '\1' : '\0';
    archive += extension;
  }
  return archive + test::pad_to_block(std::string(pieces, 'x')) + std::string(1024, '\0');
}

TEST(TarSparse, ReadsTheOldGnuFormat) {
  for (const std::size_t pieces : {1u, 4u, 5u, 25u, 60u}) {
    const Read read = read_one(old_sparse(pieces));
    EXPECT_EQ(read.entry.extents.size(), pieces);
    EXPECT_EQ(read.entry.extents.back(), (TarExtent{(pieces - 1) * 10, 1}));
    EXPECT_EQ(read.entry.size, pieces * 10);
    EXPECT_EQ(read.content, std::string(pieces, 'x'));
  }
}

TEST(TarSparse, RefusesMapsThatLie) {
  const auto error_with = [](const std::string& map) {
    return error_of(
        TarBuilder().pax({{"GNU.sparse.size", "100"}, {"GNU.sparse.map", map}}).file("f", "12345").finish());
  };
  EXPECT_THAT(error_with("0,3,2,2"), HasSubstr("overlap"));
  EXPECT_THAT(error_with("98,5"), HasSubstr("outside"));
  EXPECT_THAT(error_with("9223372036854775807,5"), HasSubstr("outside"));
  EXPECT_THAT(error_with("0,4"), HasSubstr("add up"));
  EXPECT_THAT(error_with("0,5,7"), HasSubstr("malformed"));
  EXPECT_THAT(error_with("-1,5"), HasSubstr("malformed"));
}

TEST(TarSparse, RefusesMoreSparsePiecesThanAllowed) {
  const TarLimits limits{.extents = 20};
  EXPECT_THAT(error_of(old_sparse(21), limits), HasSubstr("more than 20 pieces"));
  EXPECT_THAT(error_of(TarBuilder()
                           .pax({{"GNU.sparse.major", "1"}, {"GNU.sparse.realsize", "9000"}})
                           .file("f", test::pad_to_block("100000000\n"))
                           .finish(),
                       limits),
              HasSubstr("more than 20 pieces"));
  std::string map = "0,0";
  for (int i = 0; i < 20; ++i) map += ",0,0";
  EXPECT_THAT(
      error_of(TarBuilder().pax({{"GNU.sparse.size", "1"}, {"GNU.sparse.map", map}}).file("f", "").finish(),
               limits),
      HasSubstr("more than 20 pieces"));
}

TEST(TarSparse, RefusesASparseMapThatNeverEnds) {
  EXPECT_THAT(error_of(TarBuilder()
                           .pax({{"GNU.sparse.major", "1"}, {"GNU.sparse.realsize", "9000"}})
                           .file("f", test::pad_to_block("3\n1\n"))
                           .finish()),
              HasSubstr("malformed sparse map"));
}

// ---- broken archives ----

TEST(TarReader, RefusesAWrongChecksum) {
  std::string archive = TarBuilder().file("f", "x").finish();
  archive[0] = 'g';
  EXPECT_THAT(error_of(archive), HasSubstr("tar header at byte 0: wrong header checksum"));
}

TEST(TarReader, SaysWhereAnArchiveIsCutShort) {
  const std::string archive = TarBuilder().file("a", "").file("the/file", std::string(2000, 'x')).finish();
  EXPECT_THAT(error_of(archive.substr(0, 512 + 300)), HasSubstr("tar header at byte 512: the archive ends"));
  EXPECT_THAT(error_of(archive.substr(0, 1024 + 700)),
              HasSubstr("tar entry \"the/file\": the archive ends 1300 bytes before the end of its content"));
  EXPECT_THAT(error_of(archive.substr(0, 1024 + 2010)),
              HasSubstr("tar entry \"the/file\": the archive ends"));
}

TEST(TarReader, TakesAnArchiveWithoutItsEndMark) {
  EXPECT_EQ(read_tar(TarBuilder().file("f", "x").without_end()).size(), 1u);
  EXPECT_EQ(read_tar("").size(), 0u);
}

TEST(TarReader, RefusesAHeaderAfterASingleZeroBlock) {
  EXPECT_THAT(error_of(TarBuilder().raw(std::string(512, '\0')).file("f", "x").finish()),
              HasSubstr("after the end of the archive"));
}

TEST(TarReader, RefusesEntriesWithoutNameOrTarget) {
  EXPECT_THAT(error_of(TarBuilder().file("", "x").finish()), HasSubstr("without a name"));
  EXPECT_THAT(error_of(TarBuilder().symlink("s", "").finish()), HasSubstr("without a target"));
}

TEST(TarReader, RefusesUnknownTypes) {
  EXPECT_THAT(error_of(TarBuilder().add({.type = 'Q', .path = "f"}).finish()), HasSubstr("entry type \"Q\""));
}

TEST(TarReader, StopsAtItsLimitOfHeaders) {
  TarBuilder tar;
  for (int i = 0; i < 50; ++i) tar.pax({{"comment", "x"}});
  EXPECT_THAT(error_of(tar.file("f", "").finish(), {.headers = 50}), HasSubstr("more than 50 headers"));
}

TEST(QuoteName, ShowsControlCharacters) {
  EXPECT_EQ(quote_name("a\n\"b\x1b"), "\"a\\x0a\\\"b\\x1b\"");
  EXPECT_EQ(quote_name(std::string(1000, 'a')).size(), 305u);
}

}  // namespace
}  // namespace knarr::storage
