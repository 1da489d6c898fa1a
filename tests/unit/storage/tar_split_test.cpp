// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/tar_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zstd.h>

#include "rootless/sys/error.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/storage/error_text.h"

namespace knarr::storage {
namespace {

using testing::HasSubstr;

ByteSource bytes_of(const std::string& bytes) {
  return [bytes, position = std::size_t{0}](char* buffer, std::size_t size) mutable {
    const std::size_t given = bytes.copy(buffer, std::min<std::size_t>(size, 7), position);
    position += given;
    return given;
  };
}

// The file a writer makes when it is told these things.
std::string written(const std::function<void(SplitWriter&)>& tell) {
  const test::TemporaryDirectory directory;
  const sys::UniqueFd file = sys::open_at(directory.fd(), "split", O_RDWR | O_CREAT, 0600);
  SplitWriter writer(file.get());
  tell(writer);
  writer.finish();
  return sys::read_file(directory.fd(), "split");
}

// All records as text; equal kinds that follow one another are one.
std::string read_records(const std::string& file) {
  SplitReader reader(bytes_of(file));
  std::string text, raw;
  const auto flush = [&] {
    if (!raw.empty()) text += "raw " + (raw.size() > 40 ? std::to_string(raw.size()) + " bytes" : raw) + "\n";
    raw.clear();
  };
  for (;;) {
    switch (reader.next()) {
      case SplitReader::Kind::raw:
        for (std::string_view piece; !(piece = reader.read_raw()).empty();) raw += piece;
        continue;
      case SplitReader::Kind::content:
        flush();
        text += concat("content ", reader.content().path);
        for (const TarExtent& extent : reader.content().extents)
          text += concat(' ', extent.offset, '+', extent.size);
        text += concat(' ', reader.content().checksum, '\n');
        continue;
      case SplitReader::Kind::place:
        flush();
        text += concat("place ", reader.place().path, " -> ", reader.place().link_target, '\n');
        continue;
      case SplitReader::Kind::end:
        flush();
        return text;
    }
  }
}

std::string compressed(const std::string& plain) {
  std::string file(ZSTD_compressBound(plain.size()), '\0');
  file.resize(ZSTD_compress(file.data(), file.size(), plain.data(), plain.size(), 1));
  return file;
}

std::string refusal(const std::string& records) {
  try {
    read_records(compressed("knarrtar\x01" + records));
  } catch (const InvalidArgument& error) {
    return error.message();
  }
  return {};
}

using namespace std::string_literals;

TEST(TarSplit, GivesBackWhatWasWritten) {
  const std::string file = written([](SplitWriter& writer) {
    writer.pass("header of a");
    writer.add({"dir/a", {{0, 5}}, 0xfedcba9876543210});
    writer.pass("padding");
    writer.add_place("real/b", "");
    writer.add_place("real/c", "real/d");
    writer.pass(" and a header");
    writer.add({"b", {{0, 2}, {5'000'000'000, 3}}, 1});
    writer.add({"\xff\n", {{7, 1}}, 2});
    writer.pass("the end");
  });
  EXPECT_EQ(read_records(file),
            "raw header of a\n"
            "content dir/a 0+5 18364758544493064720\n"
            "raw padding\n"
            "place real/b -> \n"
            "place real/c -> real/d\n"
            "raw  and a header\n"
            "content b 0+2 5000000000+3 1\n"
            "content \xff\n 7+1 2\n"
            "raw the end\n");
}

TEST(TarSplit, AnEmptyTarIsOne) {
  EXPECT_EQ(read_records(written([](SplitWriter&) {})), "");
}

TEST(TarSplit, LongRawBytesKeepTheirOrder) {
  const std::string file = written([](SplitWriter& writer) {
    for (int i = 0; i < 1000; ++i) writer.pass(std::string(1000, static_cast<char>(i)));
  });
  EXPECT_EQ(read_records(file), "raw 1000000 bytes\n");
  EXPECT_LT(file.size(), 10'000u);
}

TEST(TarSplit, SkipsWhatIsNotReadOfARawRecord) {
  const std::string file = written([](SplitWriter& writer) {
    writer.pass(std::string(300'000, 'x'));
    writer.add({"a", {{0, 5}}, 1});
  });
  SplitReader reader(bytes_of(file));
  while (reader.next() != SplitReader::Kind::content) {
  }
  EXPECT_EQ(reader.content().path, "a");
  EXPECT_EQ(reader.next(), SplitReader::Kind::end);
  EXPECT_EQ(reader.next(), SplitReader::Kind::end);
}

TEST(TarSplit, RefusesWhatNoWriterMakes) {
  EXPECT_EQ(refusal("\0\0"s), "");
  EXPECT_THAT(refusal(""), HasSubstr("it ends too early"));
  EXPECT_THAT(refusal("\0\x01"s), HasSubstr("do not add up"));
  EXPECT_THAT(refusal("\0\0x"s), HasSubstr("bytes after its end"));
  EXPECT_THAT(refusal("\x07"s), HasSubstr("unknown kind"));
  EXPECT_THAT(refusal("\x01\0"s), HasSubstr("no possible size"));
  EXPECT_THAT(refusal("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s), HasSubstr("too large"));
  EXPECT_THAT(refusal("\x01\x05"
                      "abc"s),
              HasSubstr("it ends too early"));
  EXPECT_THAT(refusal("\x02\xff\xff\xff\x7f"s), HasSubstr("too long"));
  EXPECT_THAT(refusal("\x03\x01"
                      "a\x00"s),
              HasSubstr("no possible count"));
  EXPECT_THAT(refusal("\x02\x01"
                      "a\x00"s),
              HasSubstr("an impossible size"));
  EXPECT_THAT(refusal("\x03\x01"
                      "a\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01"s),
              HasSubstr("an impossible size"));
}

TEST(TarSplit, RefusesNamesThatLeadElsewhere) {
  const std::vector<std::string> names = {"/a", "a/",  "a//b", "../a",  "a/../b",
                                          ".",  "a/.", "..",   "a\0b"s, std::string(256, 'x')};
  for (const std::string& name : names) {
    std::string records = "\x02"s;
    records += static_cast<char>(name.size() % 128 + (name.size() > 127 ? 128 : 0));
    if (name.size() > 127) records += static_cast<char>(name.size() / 128);
    EXPECT_THAT(refusal(records + name + "\x01"s + std::string(8, '\0')), HasSubstr("not canonical")) << name;
  }
}

TEST(TarSplit, NamesANewerVersion) {
  EXPECT_THAT(error_text<Unsupported>([] { read_records(compressed("knarrtar\x02")); }),
              HasSubstr("version 2"));
  EXPECT_THAT(error_text<InvalidArgument>([] { read_records(compressed("something else")); }),
              HasSubstr("does not begin like one"));
}

}  // namespace
}  // namespace knarr::storage
