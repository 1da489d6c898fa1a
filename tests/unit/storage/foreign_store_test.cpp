// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>

#include "storage/foreign/containers_storage.h"
#include "storage/foreign/linked_tree.h"
#include "storage/foreign/recorded_files.h"
#include "storage/foreign/storage_conf.h"
#include "tests/unit/storage/error_text.h"
#include "tests/unit/storage/temporary_store.h"

namespace knarr::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

// ---- storage.conf ----

TEST(StorageConf, TakesTheKeysOfItsTablesAndNoOthers) {
  const StorageConf conf = parse_storage_conf(R"(
# a comment = "x"
graphroot = "/no"
[storage]
driver = "overlay"   # not read
graphroot = "/var/lib/containers/storage"
rootless_storage_path = '$HOME/store'
size = 1_000
[storage.options]
additionalimagestores = [ "/usr/share/images", # one
  '/second',
]
[storage.options.overlay]
graphroot = "/no"
mountopt = "nodev"
[[storage.options.list]]
additionalimagestores = [ "/no" ]
)",
                                              "storage.conf");
  EXPECT_EQ(conf.graph_root, "/var/lib/containers/storage");
  EXPECT_EQ(conf.rootless_storage_path, "$HOME/store");
  EXPECT_THAT(conf.additional_image_stores, ElementsAre("/usr/share/images", "/second"));
}

TEST(StorageConf, KnowsTheOtherSpellingsOfTheSame) {
  const StorageConf conf = parse_storage_conf(
      "storage.graphroot = \"\"\"\n/a\\u0062\\\n   c\"\"\"\n\"storage\".options . "
      "additionalimagestores=['/x']\r\n"
      "storage.imagestore = '''/i'''",
      "storage.conf");
  EXPECT_EQ(conf.graph_root, "/abc");
  EXPECT_EQ(conf.image_store, "/i");
  EXPECT_THAT(conf.additional_image_stores, ElementsAre("/x"));
  EXPECT_THAT(parse_storage_conf(
                  "storage = { options = { additionalimagestores = [\"/y\"] }, graphroot = \"/z\" }", "f")
                  .additional_image_stores,
              ElementsAre("/y"));
}

TEST(StorageConf, NamesTheLineOfWhatIsNoToml) {
  const auto error = [](std::string_view toml) {
    return error_text<InvalidArgument>([&] { parse_storage_conf(toml, "f"); });
  };
  EXPECT_EQ(error("[storage\n"), "f:1: expected ']'");
  EXPECT_EQ(error("[storage]\ngraphroot = \"/a\n"), "f:2: a string is not closed");
  EXPECT_EQ(error("a = \"\\q\""), "f:1: unknown escape in a string");
  EXPECT_EQ(error("a = \n"), "f:1: expected a value");
  EXPECT_EQ(error("a = [1, 2"), "f:1: expected ','");
  EXPECT_EQ(error("a = \"x\" b"), "f:1: unexpected text after the value");
  EXPECT_EQ(error("a = " + std::string(100, '[')), "f:1: values are nested too deeply");
  EXPECT_THAT(error("[storage.options]\nadditionalimagestores=['x']"), HasSubstr("is not an absolute path"));
}

// ---- the tables ----

std::string hex(char digit) {
  return std::string(64, digit);
}

TEST(ForeignLayers, AreTakenWithTheReasonNotToUseThem) {
  std::vector<std::string> damage;
  const auto layers = parse_foreign_layers(R"([{"id":")" + hex('a') + R"(","diff-digest":"sha256:)" +
                                               hex('b') + R"(","diff-size":7},)" + R"({"id":")" + hex('c') +
                                               R"(","parent":")" + hex('a') + R"(","diff-digest":"sha256:)" +
                                               hex('d') + R"(","flags":{"incomplete":true}}])",
                                           damage);
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers.at(hex('a')).diff_id.hex, hex('b'));
  EXPECT_EQ(layers.at(hex('a')).tar_bytes, 7u);
  EXPECT_EQ(layers.at(hex('a')).refusal, "");
  EXPECT_EQ(layers.at(hex('c')).parent, hex('a'));
  EXPECT_EQ(layers.at(hex('c')).refusal, "it was never completed");
  EXPECT_THAT(damage, IsEmpty());
}

TEST(ForeignLayers, AsWhatTheyCame) {
  std::vector<std::string> damage;
  const auto shipped = [&](const std::string& members) {
    return parse_foreign_layers(concat(R"([{"id":")", hex('a'), '"', members, "}]"), damage)
        .at(hex('a'))
        .shipped;
  };
  const std::string digest = R"(,"compressed-diff-digest":"sha256:)" + hex('b') + '"';
  EXPECT_EQ(shipped(digest + R"(,"compressed-size":5,"compression":2)"),
            (ShippedBlob{{"sha256", hex('b')}, 5, Compression::gzip, {}}));
  EXPECT_EQ(shipped(digest + R"(,"compressed-size":5,"compression":4)")->compression, Compression::zstd);
  EXPECT_EQ(shipped(digest + R"(,"compressed-size":5,"compression":9)"), std::nullopt);
  EXPECT_EQ(shipped(digest), std::nullopt);
  EXPECT_EQ(shipped(R"(,"compressed-size":5,"compression":2)"), std::nullopt);
}

TEST(ForeignLayers, WhatIsNoIdNeverBecomesAPath) {
  for (const std::string& id :
       {std::string("../../etc"), std::string(), hex('A'), hex('a') + "/", std::string("l")}) {
    std::vector<std::string> damage;
    EXPECT_THAT(parse_foreign_layers(concat(R"([{"id":")", id, R"("}])"), damage), IsEmpty()) << id;
    EXPECT_EQ(damage.size(), 1u) << id;
  }
}

TEST(ForeignImages, OneBadEntryDoesNotHideTheOthers) {
  std::vector<std::string> damage;
  const auto images = parse_foreign_images(
      R"([{"id":5},{"id":")" + hex('a') + R"(","layer":")" + hex('b') + R"(","names":["x/y:1"]},7])", damage);
  ASSERT_EQ(images.size(), 1u);
  EXPECT_THAT(images[0].names, ElementsAre("x/y:1"));
  EXPECT_THAT(damage, ElementsAre("images.json[0].id: expected a string, found number",
                                  HasSubstr("images.json[2]: expected an object")));
}

// ---- tar-split ----

RecordedFiles recorded(std::initializer_list<std::string_view> lines) {
  RecordedFiles files;
  for (const std::string_view line : lines) add_recorded_line(files, line);
  return files;
}

TEST(RecordedFiles, AreTheFilesWithContentByTheirLastEntry) {
  const RecordedFiles files =
      recorded({R"({"type":2,"payload":"AAAA","position":0})",
                R"({"type":1,"name":"./etc/","payload":null,"position":1})",
                R"({"type":1,"name":"./etc/hosts","size":9,"payload":"x","position":3})",
                R"({"type":1,"name":"a","size":5})", R"({"type":1,"name":"a","size":3})",
                R"({"type":1,"name":"now-a-link","size":5})", R"({"type":1,"name":"now-a-link"})",
                R"({"type":1,"name":"d/gone","size":5})", R"({"type":1,"name":"d/.wh.gone"})",
                R"({"type":1,"name":"d/.wh..wh..opq"})", R"({"type":1,"name_raw":"/2E=","size":1})"});
  EXPECT_THAT(files.sizes, UnorderedElementsAre(Pair("etc/hosts", 9), Pair("a", 3), Pair("\xff\x61", 1)));
  EXPECT_FALSE(files.has_root);
  EXPECT_TRUE(recorded({R"({"type":1,"name":"./"})"}).has_root);
}

TEST(RecordedFiles, AreRefusedWhenTheyMakeNoSense) {
  EXPECT_THROW(recorded({R"({"type":1,"name":"../../etc/passwd","size":1})"}), InvalidArgument);
  EXPECT_THROW(recorded({R"({"type":1,"name":"a","size":-1})"}), InvalidArgument);
  EXPECT_THROW(recorded({"{"}), InvalidArgument);
  EXPECT_THROW(recorded({"[]"}), InvalidArgument);
}

TEST(RecordedFiles, AreReadOverTheEdgesOfReads) {
  const std::string text = "{\"type\":2,\"payload\":\"" + std::string(700'000, 'A') +
                           "\"}\n{\"type\":1,\"name\":\"a\",\"size\":4}";
  std::size_t at = 0;
  const RecordedFiles files = read_recorded_files([&](char* buffer, std::size_t size) {
    const std::size_t part = std::min({size, text.size() - at, std::size_t{1000}});
    std::copy_n(text.data() + at, part, buffer);
    at += part;
    return part;
  });
  EXPECT_THAT(files.sizes, UnorderedElementsAre(Pair("a", 4)));
}

// ---- trees ----

class LinkedTreeTest : public ::testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::string source_ = directory_.path() + "/source", target_ = directory_.path() + "/target";

  void SetUp() override {
    sys::make_directory(AT_FDCWD, source_, 0755);
    sys::make_directory(AT_FDCWD, target_, 0755);
  }
  void write(const std::string& path, std::string_view content) const {
    sys::create_file(AT_FDCWD, source_ + "/" + path, content, 0640, sys::Durability::none);
  }
  LinkedTree link(unsigned threads = 3, TreeUse use = TreeUse::link) const {
    return link_tree(sys::open_directory(AT_FDCWD, source_).get(),
                     sys::open_directory(AT_FDCWD, target_).get(), use, threads);
  }
};

TEST_F(LinkedTreeTest, FilesAreTheSameAndDirectoriesAreLikeTheirs) {
  sys::make_directory(AT_FDCWD, source_ + "/a", 0700);
  sys::make_directory(AT_FDCWD, source_ + "/a/b", 01755);
  write("a/b/file", "12345");
  write("top", "1");
  ASSERT_EQ(::symlink("../etc", (source_ + "/a/link").c_str()), 0);
  const timespec times[2] = {{1, 0}, {2, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (source_ + "/a").c_str(), times, 0), 0);

  const LinkedTree tree = link();

  EXPECT_EQ(tree.entries, 5u);
  EXPECT_EQ(tree.tree_bytes, 6u);
  EXPECT_EQ(tree.copied, 0u);
  EXPECT_THAT(tree.files, UnorderedElementsAre(Pair("a/b/file", 5), Pair("top", 1)));
  const auto inode = [](const std::string& path) { return sys::stat_at(AT_FDCWD, path)->st_ino; };
  EXPECT_EQ(inode(source_ + "/a/b/file"), inode(target_ + "/a/b/file"));
  EXPECT_EQ(sys::stat_at(AT_FDCWD, target_ + "/a/b")->st_mode & 07777, 01755u);
  EXPECT_EQ(sys::stat_at(AT_FDCWD, target_ + "/a")->st_mtim.tv_sec, 2);
  EXPECT_EQ(sys::read_link(AT_FDCWD, target_ + "/a/link"), "../etc");
}

TEST_F(LinkedTreeTest, ManyDirectoriesAreAllDone) {
  for (int i = 0; i < 200; ++i) {
    const std::string name = "d" + std::to_string(i);
    sys::make_directories(AT_FDCWD, source_ + "/" + name + "/e", 0755);
    write(name + "/e/f", "x");
  }
  EXPECT_EQ(link(4).files.size(), 200u);
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(sys::stat_at(AT_FDCWD, concat(target_, "/d", i, "/e/f"))) << i;
}

TEST_F(LinkedTreeTest, WhiteoutsOfAMountProgramAreRefusedByName) {
  sys::make_directory(AT_FDCWD, source_ + "/d", 0755);
  write("d/.wh.gone", "");
  EXPECT_THAT(error_text<Unsupported>([&] { link(); }), HasSubstr("/d/.wh.gone: it is a whiteout as a file"));
  EXPECT_THAT(error_text<Unsupported>([&] { link(1, TreeUse::check); }), HasSubstr("/d/.wh.gone"));
}

TEST_F(LinkedTreeTest, OpaqueMarksStayAndAttributesOfOverlayOnFilesAreRefused) {
  sys::make_directory(AT_FDCWD, source_ + "/d", 0755);
  if (::setxattr((source_ + "/d").c_str(), "user.overlay.opaque", "y", 1, 0) != 0)
    GTEST_SKIP() << "no user attributes on the file system of temporary directories";
  write("d/f", "");
  link();
  char value = 0;
  EXPECT_EQ(::getxattr((target_ + "/d").c_str(), "user.overlay.opaque", &value, 1), 1);
  EXPECT_EQ(value, 'y');
  ASSERT_EQ(::setxattr((source_ + "/d/f").c_str(), "user.overlay.redirect", "/x", 2, 0), 0);
  EXPECT_THAT(error_text<Unsupported>([&] { link(1, TreeUse::check); }),
              HasSubstr("/d/f: it has the attribute user.overlay.redirect"));
}

}  // namespace
}  // namespace knarr::storage
