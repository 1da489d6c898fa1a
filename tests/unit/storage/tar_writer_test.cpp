// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/tar_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>

#include "rootless/sys/error.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/storage/error_text.h"

namespace knarr::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TarEntry entry_of(TarType type, const std::string& path) {
  TarEntry entry;
  entry.type = type;
  entry.path = path;
  entry.mode = 0644;
  entry.mtime = {1'000'000'000, 0};
  return entry;
}

std::string written(const std::vector<std::pair<TarEntry, std::string>>& entries) {
  std::string tar;
  TarWriter writer([&](std::string_view bytes) { tar += bytes; });
  for (const auto& [entry, content] : entries) {
    if (entry.type == TarType::file) {
      writer.add_file(entry, content);
    } else {
      writer.add(entry);
    }
  }
  writer.finish();
  return tar;
}

class Whole : public ChunkSource {
 public:
  explicit Whole(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string_view next_chunk() override {
    return std::exchange(is_given_, true) ? std::string_view() : bytes_;
  }

 private:
  std::string bytes_;
  bool is_given_ = false;
};

// What our reader finds in what the writer made of one entry.
TarEntry read_back(const TarEntry& entry, const std::string& content = {}) {
  Whole source(written({{entry, content}}));
  TarReader reader(source);
  TarEntry found;
  if (!reader.next(found)) throw Error("there is no entry");
  std::string read;
  for (std::string_view piece; !(piece = reader.read_content()).empty();) read += piece;
  if (read != content) throw Error("the content differs");
  TarEntry none;
  if (reader.next(none)) throw Error("there are two entries");
  return found;
}

std::size_t blocks_of(const TarEntry& entry) {
  return written({{entry, ""}}).size() / 512 - 2;
}

// What GNU tar says of an archive.
std::string listed_by_tar(const std::string& tar) {
  const test::TemporaryDirectory directory;
  sys::create_file(directory.fd(), "a.tar", tar, 0600, sys::Durability::none);
  const std::string command =
      "TZ=UTC tar --numeric-owner --full-time -tvf " + directory.path("a.tar") + " 2>&1";
  FILE* const pipe = ::popen(command.c_str(), "r");
  std::string text;
  char buffer[4096];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, got);
  if (::pclose(pipe) != 0) text += "tar failed";
  return text;
}

TEST(TarWriter, KeepsEveryKindOfEntry) {
  for (const TarType type : {TarType::file, TarType::hard_link, TarType::symlink, TarType::character_device,
                             TarType::block_device, TarType::directory, TarType::fifo}) {
    TarEntry entry = entry_of(type, "dir/name");
    entry.mode = 06755;
    entry.uid = 1000;
    entry.gid = 65534;
    if (type == TarType::hard_link || type == TarType::symlink) entry.link = "target";
    if (type == TarType::character_device || type == TarType::block_device) {
      entry.device_major = 259;
      entry.device_minor = 70'000;
    }
    const TarEntry found = read_back(entry, type == TarType::file ? "content" : "");
    EXPECT_EQ(found.type, type);
    EXPECT_EQ(found.path, type == TarType::directory ? "dir/name/" : "dir/name");
    EXPECT_EQ(found.link, entry.link);
    EXPECT_EQ(found.mode, 06755u);
    EXPECT_EQ(found.uid, 1000u);
    EXPECT_EQ(found.gid, 65534u);
    EXPECT_EQ(found.mtime.tv_sec, 1'000'000'000);
    EXPECT_EQ(found.device_major, entry.device_major);
    EXPECT_EQ(found.device_minor, entry.device_minor);
    EXPECT_EQ(blocks_of(entry), 1u) << "no extended header is needed";
  }
}

TEST(TarWriter, KeepsNamesOfAnyLength) {
  for (const std::size_t size : {1, 99, 100, 101, 155, 156, 255, 256, 257, 300, 4000}) {
    for (const std::size_t slash : {1, 50, 99, 100, 155, 156, 200}) {
      std::string path(size, 'n');
      if (slash + 1 < size) path[slash] = '/';
      EXPECT_EQ(read_back(entry_of(TarType::file, path)).path, path) << size << ' ' << slash;
    }
    TarEntry link = entry_of(TarType::symlink, "l");
    link.link = std::string(size, 't');
    EXPECT_EQ(read_back(link).link, link.link) << size;
  }
  EXPECT_EQ(blocks_of(entry_of(TarType::file, std::string(150, 'd') + "/" + std::string(90, 'f'))), 1u)
      << "the prefix field has room for it";
  EXPECT_EQ(read_back(entry_of(TarType::file, "\xff\n\t")).path, "\xff\n\t");
}

TEST(TarWriter, KeepsNumbersThatNoFieldHolds) {
  TarEntry entry = entry_of(TarType::file, "f");
  entry.uid = 4'000'000'000;
  entry.gid = 2'097'152;
  EXPECT_EQ(read_back(entry).uid, 4'000'000'000u);
  EXPECT_EQ(read_back(entry).gid, 2'097'152u);
  for (const std::timespec time : {std::timespec{-1, 0},
                                   {-5, 750'000'000},
                                   {0, 1},
                                   {1, 500'000'000},
                                   {8'589'934'591, 0},
                                   {8'589'934'592, 0},
                                   {-1, 999'999'999}}) {
    entry.mtime = time;
    const TarEntry found = read_back(entry);
    EXPECT_EQ(found.mtime.tv_sec, time.tv_sec);
    EXPECT_EQ(found.mtime.tv_nsec, time.tv_nsec);
  }
}

TEST(TarWriter, KeepsFilesLargerThanAFieldHolds) {
  std::string head;
  std::uint64_t total = 0;
  TarWriter writer([&](std::string_view bytes) {
    if (head.size() < 2048) head += bytes.substr(0, 2048 - head.size());
    total += bytes.size();
  });
  TarEntry entry = entry_of(TarType::file, "large");
  entry.size = 8'589'934'592 + 10;
  writer.add(entry);
  const std::string piece(1u << 20, '\0');
  for (std::uint64_t left = entry.size; left > 0;) {
    const std::uint64_t part = std::min<std::uint64_t>(left, piece.size());
    writer.write(std::string_view(piece).substr(0, part));
    left -= part;
  }
  writer.finish();
  EXPECT_THAT(head, HasSubstr("size=8589934602\n"));
  EXPECT_EQ(total, 3 * 512 + 8'589'934'592 + 512 + 1024);
}

TEST(TarWriter, KeepsAttributes) {
  TarEntry entry = entry_of(TarType::file, "f");
  entry.xattrs = {
      {"user.note", "a=b\nc"}, {"security.capability", std::string("\x01\0\xff", 3)}, {"user.empty", ""}};
  const TarEntry found = read_back(entry);
  EXPECT_EQ(found.xattrs, entry.xattrs);
}

TEST(TarWriter, PadsContentOfAnySize) {
  for (const std::size_t size : {0, 1, 511, 512, 513, 70'000}) {
    EXPECT_EQ(read_back(entry_of(TarType::file, "f"), std::string(size, 'x')).size, size);
  }
}

TEST(TarWriter, GnuTarReadsIt) {
  TarEntry file = entry_of(TarType::file, "dir/" + std::string(200, 'n'));
  file.mode = 04755;
  file.uid = 3'000'000;
  TarEntry link = entry_of(TarType::symlink, "link");
  link.link = "dir";
  TarEntry device = entry_of(TarType::character_device, "null");
  device.device_major = 1;
  device.device_minor = 3;
  const std::string text = listed_by_tar(
      written({{entry_of(TarType::directory, "dir"), ""}, {file, "content"}, {link, ""}, {device, ""}}));
  EXPECT_EQ(text,
            "drw-r--r-- 0/0               0 2001-09-09 01:46:40 dir/\n"
            "-rwsr-xr-x 3000000/0         7 2001-09-09 01:46:40 dir/" +
                std::string(200, 'n') +
                "\n"
                "lrw-r--r-- 0/0               0 2001-09-09 01:46:40 link -> dir\n"
                "crw-r--r-- 0/0             1,3 2001-09-09 01:46:40 null\n");
}

TEST(TarWriter, RefusesWhatATarCannotHold) {
  const auto refusal = [](const TarEntry& entry) {
    return error_text<InvalidArgument>([&] { written({{entry, ""}}); });
  };
  EXPECT_THAT(refusal(entry_of(TarType::file, "")), HasSubstr("it has no name"));
  EXPECT_THAT(refusal(entry_of(TarType::file, std::string("a\0b", 3))), HasSubstr("holds a NUL"));
  TarEntry device = entry_of(TarType::block_device, "d");
  device.device_minor = 1u << 24;
  EXPECT_THAT(refusal(device), HasSubstr("device number does not fit"));
  TarEntry attribute = entry_of(TarType::file, "f");
  attribute.xattrs = {{"user.a=b", "c"}};
  EXPECT_THAT(refusal(attribute), HasSubstr("cannot be named in a tar"));
}

TEST(TarWriter, ContentMustBeAsLongAsAnnounced) {
  TarWriter writer([](std::string_view) {});
  TarEntry entry = entry_of(TarType::file, "f");
  entry.size = 5;
  writer.add(entry);
  EXPECT_THAT(error_text<InvalidArgument>([&] { writer.write("123456"); }), HasSubstr("more content"));
  writer.write("123");
  EXPECT_THAT(error_text<InvalidArgument>([&] { writer.finish(); }), HasSubstr("ends 2 bytes early"));
}

}  // namespace
}  // namespace knarr::storage
