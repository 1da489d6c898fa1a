// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/download.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "storage/content/hash.h"
#include "storage/image/image_store.h"
#include "tests/support/temporary_directory.h"

namespace knarr::storage {
namespace {

class DownloadTest : public testing::Test {
 protected:
  std::string path() const { return "downloads/" + blob_.hex; }
  void make_old() const {
    const timespec times[] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
    ASSERT_EQ(::utimensat(store_.fd(), path().c_str(), times, 0), 0);
  }
  bool exists() const { return sys::stat_at(store_.fd(), path()).has_value(); }

  test::TemporaryDirectory directory_;
  Store store_ = Store::open(directory_.path("store"));
  Digest blob_ = digest_of("blob");
};

TEST_F(DownloadTest, WhatWasKeptIsThereForTheNextOne) {
  ASSERT_TRUE(Download::open(store_, blob_, 100)->append("first"));
  const auto again = Download::open(store_, blob_, 100);
  ASSERT_EQ(again->size(), 5u);
  char bytes[5];
  EXPECT_EQ(again->read(bytes, 5, 0), 5u);
  EXPECT_EQ(std::string_view(bytes, 5), "first");
}

TEST_F(DownloadTest, OneAtATime) {
  const auto held = Download::open(store_, blob_, 100);
  EXPECT_EQ(Download::open(store_, blob_, 100), nullptr);
}

TEST_F(DownloadTest, WhatIsTooLongIsNoBeginning) {
  Download::open(store_, blob_, 100)->append("longer");
  EXPECT_EQ(Download::open(store_, blob_, 3)->size(), 0u);
}

TEST_F(DownloadTest, OldOnesAreGarbageUnlessInUse) {
  {
    const auto held = Download::open(store_, blob_, 100);
    make_old();
    store_.empty_trash();
    EXPECT_TRUE(exists());
  }
  store_.empty_trash();
  EXPECT_FALSE(exists());
}

TEST_F(DownloadTest, NewOnesStay) {
  Download::open(store_, blob_, 100)->append("x");
  store_.empty_trash();
  EXPECT_TRUE(exists());
}

class LayerClaimTest : public DownloadTest {
 protected:
  void make_layer(const Digest& layer) const {
    sys::make_directory(store_.fd(), "layers/" + layer.hex, 0700);
  }
  bool has_layer(const Digest& layer) const {
    return sys::stat_at(store_.fd(), "layers/" + layer.hex).has_value();
  }
};

TEST_F(LayerClaimTest, NoPruneTakesWhatAPullIsBringing) {
  const Digest wanted = digest_of("wanted"), other = digest_of("other");
  make_layer(wanted);
  make_layer(other);
  {
    const LayerClaim claim(store_, {wanted});
    EXPECT_EQ(ImageStore(store_).remove_unreferenced(), 1u);
    EXPECT_TRUE(has_layer(wanted));
    EXPECT_FALSE(has_layer(other));
  }
  EXPECT_EQ(ImageStore(store_).remove_unreferenced(), 1u);
  EXPECT_TRUE(sys::list_directory(store_.fd(), "staging").empty());
}

TEST_F(LayerClaimTest, TheClaimOfTheDeadCountsForNothing) {
  const Digest wanted = digest_of("wanted");
  make_layer(wanted);
  sys::make_directory(store_.fd(), "staging/claim-dead", 0700);
  sys::create_file(store_.fd(), "staging/claim-dead/layers", wanted.hex, 0600, sys::Durability::none);
  EXPECT_EQ(ImageStore(store_).remove_unreferenced(), 1u);
}

}  // namespace
}  // namespace knarr::storage
