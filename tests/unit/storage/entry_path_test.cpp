// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/entry_path.h"

#include <gtest/gtest.h>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

TEST(EntryPath, IsRelativeAndClean) {
  EXPECT_EQ(clean_entry_path("usr/bin/x"), "usr/bin/x");
  EXPECT_EQ(clean_entry_path("./usr//bin/./x/"), "usr/bin/x");
  EXPECT_EQ(clean_entry_path("/etc/passwd"), "etc/passwd");
  EXPECT_EQ(clean_entry_path("a/../b"), "b");
  EXPECT_EQ(clean_entry_path("a/b/../../c/d"), "c/d");
  for (const char* root : {"", ".", "./", "/", "a/.."}) EXPECT_EQ(clean_entry_path(root), "") << root;
}

TEST(EntryPath, NeverLeadsOut) {
  for (const char* path : {"..", "../x", "/..", "a/../../x", "./../x", "a/b/../../.."}) {
    EXPECT_THROW(clean_entry_path(path), InvalidArgument) << path;
  }
}

TEST(EntryPath, HasLimits) {
  EXPECT_NO_THROW(clean_entry_path(std::string(255, 'a')));
  EXPECT_THROW(clean_entry_path(std::string(256, 'a')), InvalidArgument);
  std::string deep;
  for (std::size_t i = 0; i < max_path_depth; ++i) deep += "d/";
  EXPECT_NO_THROW(clean_entry_path(deep));
  EXPECT_THROW(clean_entry_path(deep + "d"), InvalidArgument);
}

TEST(EntryPath, ComesApartAtTheLastSlash) {
  EXPECT_EQ(parent_of("a/b/c"), "a/b");
  EXPECT_EQ(leaf_of("a/b/c"), "c");
  EXPECT_EQ(parent_of("a"), "");
  EXPECT_EQ(leaf_of("a"), "a");
}

TEST(Whiteout, IsToldByTheName) {
  EXPECT_EQ(parse_whiteout("a/b").kind, Whiteout::none);
  EXPECT_EQ(parse_whiteout("a/.wh").kind, Whiteout::none);
  EXPECT_EQ(parse_whiteout("a/x.wh.y").kind, Whiteout::none);
  EXPECT_EQ(parse_whiteout("a/.wh.b").kind, Whiteout::name);
  EXPECT_EQ(parse_whiteout("a/.wh.b").hidden, "b");
  EXPECT_EQ(parse_whiteout(".wh..hidden").hidden, ".hidden");
  EXPECT_EQ(parse_whiteout("a/.wh..wh..opq").kind, Whiteout::opaque);
  EXPECT_EQ(parse_whiteout(".wh..wh.plnk").kind, Whiteout::reserved);
  EXPECT_EQ(parse_whiteout("a/.wh..wh.plnk/12.34").kind, Whiteout::reserved);
}

TEST(Whiteout, OfNothingOrOfTheDirectoryItselfIsRefused) {
  for (const char* path :
       {".wh.", "a/.wh.", "a/.wh..", "a/.wh...", ".wh.a/b", "x/.wh.a/b/c", ".wh..wh..opq/x"}) {
    EXPECT_THROW(parse_whiteout(path), InvalidArgument) << path;
  }
}

}  // namespace
}  // namespace knarr::storage
