// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/change_archive.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/layer/produced_bytes.h"

namespace knarr::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A tar as its writer produces it.
class Produced : public ChunkSource {
 public:
  explicit Produced(std::function<void(const ByteSink&)> produce) : bytes_(std::move(produce)) {}
  std::string_view next_chunk() override { return {buffer_, bytes_.read(buffer_, sizeof buffer_)}; }

 private:
  ProducedBytes bytes_;
  char buffer_[4096];
};

class ChangeArchive : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/var/tmp/knarr-archive-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    top_ = pattern;
  }
  void TearDown() override { sys::remove_tree(AT_FDCWD, top_); }

  void write(const std::string& path, const std::string& content) {
    sys::make_directories(AT_FDCWD, (top_ + "/" + path).substr(0, top_.size() + 1 + path.rfind('/')), 0755);
    sys::create_file(AT_FDCWD, top_ + "/" + path, content, 0640, sys::Durability::none);
  }

  // "PATH: CONTENT" of files, "PATH = TARGET" of hard links, "PATH" of all else.
  std::vector<std::string> archive(const TreeStack& now, const TreeStack& before,
                                   std::optional<std::int64_t> newest = std::nullopt) {
    const std::vector<TreeChange> changes = find_changes(now, before);
    Produced source([&](const ByteSink& sink) {
      TarWriter writer(sink);
      notices_ = archive_changes(now, changes, newest, writer);
    });
    TarReader reader(source);
    std::vector<std::string> lines;
    entries_.clear();
    for (TarEntry entry; reader.next(entry); entries_.push_back(entry)) {
      std::string line = entry.path;
      if (entry.type == TarType::hard_link) line += " = " + entry.link;
      if (entry.type == TarType::file) {
        line += ": ";
        for (std::string_view piece; !(piece = reader.read_content()).empty();) line += piece;
      }
      lines.push_back(line);
    }
    return lines;
  }

  std::string top_;
  std::vector<std::string> notices_;
  std::vector<TarEntry> entries_;
};

TEST_F(ChangeArchive, HoldsWhatIsNewAndWhiteoutsForTheRest) {
  write("lower/etc/gone", "1");
  write("lower/etc/stays", "2");
  write("upper/etc/.wh.gone", "");
  write("upper/etc/new", "3");
  ASSERT_EQ(::link((top_ + "/upper/etc/new").c_str(), (top_ + "/upper/etc/other").c_str()), 0);
  const TreeLayer lower{.path = top_ + "/lower"};
  const TreeLayer upper{.path = top_ + "/upper", .has_named_whiteouts = true};
  EXPECT_THAT(archive({upper, lower}, {lower}),
              ElementsAre("etc/", "etc/.wh.gone: ", "etc/new: 3", "etc/other = etc/new"));
  EXPECT_THAT(notices_, IsEmpty());
}

TEST_F(ChangeArchive, OwnersAndTimesAreThoseAskedFor) {
  write("tree/file", "x");
  TreeLayer tree{.path = top_ + "/tree"};
  tree.map_uid = [](std::uint32_t) { return 7u; };
  tree.map_gid = [](std::uint32_t) { return 8u; };
  archive({tree}, {}, 1000);
  EXPECT_EQ(entries_[0].uid, 7u);
  EXPECT_EQ(entries_[0].gid, 8u);
  EXPECT_EQ(entries_[0].mtime.tv_sec, 1000);
  EXPECT_EQ(entries_[0].mtime.tv_nsec, 0);
  const std::timespec old[2] = {{5, 6}, {5, 6}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (top_ + "/tree/file").c_str(), old, 0), 0);
  archive({tree}, {}, 1000);
  EXPECT_EQ(entries_[0].mtime.tv_sec, 5);
  EXPECT_EQ(entries_[0].mtime.tv_nsec, 6);
}

TEST_F(ChangeArchive, NamesThatMeanSomethingInALayerAreLeftOutAndTold) {
  write("tree/.wh.file", "x");
  write("tree/file", "y");
  EXPECT_THAT(archive({{.path = top_ + "/tree"}}, {}), ElementsAre("file: y"));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("/.wh.file was left out")));
}

TEST_F(ChangeArchive, WhatGoesMeanwhileIsNotInIt) {
  write("tree/a/file", "x");
  write("tree/b", "y");
  const TreeStack now = {{.path = top_ + "/tree"}};
  const std::vector<TreeChange> changes = find_changes(now, {});
  sys::remove_tree(AT_FDCWD, top_ + "/tree/a");
  ASSERT_EQ(::symlink("/etc", (top_ + "/tree/a").c_str()), 0);
  std::string tar;
  TarWriter writer([&](std::string_view bytes) { tar += bytes; });
  archive_changes(now, changes, std::nullopt, writer);
  EXPECT_EQ(tar.find("a/file"), std::string::npos);
  EXPECT_NE(tar.find("b"), std::string::npos);
}

TEST(ProducedBytes, ComeInOrderHoweverMuchIsReadAtOnce) {
  std::string all;
  for (int i = 0; i < 200'000; ++i) all += std::to_string(i);
  ProducedBytes bytes([&](const ByteSink& sink) {
    for (std::size_t at = 0; at < all.size(); at += 777) sink(std::string_view(all).substr(at, 777));
  });
  std::string got;
  char buffer[10'007];
  while (const std::size_t size = bytes.read(buffer, sizeof buffer)) got.append(buffer, size);
  EXPECT_EQ(got, all);
  EXPECT_EQ(bytes.read(buffer, sizeof buffer), 0u);
}

TEST(ProducedBytes, TheWritersErrorIsTheReaders) {
  ProducedBytes bytes([](const ByteSink& sink) {
    sink("abc");
    throw Error("no more");
  });
  char buffer[10];
  EXPECT_THROW(bytes.read(buffer, sizeof buffer), Error);
}

TEST(ProducedBytes, AWriterThatNobodyReadsEnds) {
  const std::string much(1u << 20, 'x');
  ProducedBytes bytes([&](const ByteSink& sink) {
    for (int i = 0; i < 1000; ++i) sink(much);
  });
  char buffer[10];
  EXPECT_EQ(bytes.read(buffer, sizeof buffer), 10u);
}

}  // namespace
}  // namespace knarr::storage
