// SPDX-License-Identifier: Apache-2.0
#include "storage/volume/volume_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "storage/volume/volume_json.h"
#include "tests/unit/storage/error_text.h"
#include "tests/unit/storage/temporary_store.h"

namespace knarr::storage {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Pair;
using ::testing::SizeIs;

class VolumeStoreTest : public StoreTest {
 protected:
  VolumeStore volumes_{store_};
  Volume create(const std::string& name) const { return volumes_.create_volume({.name = name}); }
};

TEST_F(VolumeStoreTest, IsReadBackAsItWasMade) {
  const Volume made = volumes_.create_volume({.name = "data",
                                              .created = "2024-01-02T03:04:05Z",
                                              .labels = {{"k", "v"}},
                                              .options = {{"type", "tmpfs"}}});
  EXPECT_EQ(made.mountpoint, store_.path("volumes/data/_data"));
  EXPECT_TRUE(sys::stat_at(AT_FDCWD, made.mountpoint));
  const Volume read = volumes_.get_volume("data");
  EXPECT_EQ(read.driver, "local");
  EXPECT_EQ(read.created, "2024-01-02T03:04:05Z");
  EXPECT_THAT(read.labels, ElementsAre(Pair("k", "v")));
  EXPECT_THAT(read.options, ElementsAre(Pair("type", "tmpfs")));
  EXPECT_EQ(read.mountpoint, made.mountpoint);
  EXPECT_TRUE(read.needs_copy_up);
  EXPECT_FALSE(read.anonymous);
  EXPECT_THAT(list("staging"), IsEmpty());
}

TEST_F(VolumeStoreTest, AnonymousOnesGetANameOf64HexDigits) {
  const Volume made = volumes_.create_volume({.anonymous = true});
  EXPECT_THAT(made.name, MatchesRegex("[0-9a-f]{64}"));
  EXPECT_TRUE(volumes_.get_volume(made.name).anonymous);
}

TEST_F(VolumeStoreTest, AnExistingNameIsAConflictThatKeepsItsData) {
  const Volume volume = create("data");
  sys::create_file(AT_FDCWD, volume.mountpoint + "/file", "", 0600, sys::Durability::none);
  EXPECT_EQ(error_text<Conflict>([&] { create("data"); }), "volume with name \"data\" already exists");
  EXPECT_TRUE(sys::stat_at(AT_FDCWD, volume.mountpoint + "/file"));
  EXPECT_THAT(list("staging"), IsEmpty());
}

TEST_F(VolumeStoreTest, NamesAndDriversAreChecked) {
  for (const std::string name : {"", "..", "a/b", "-x", "a b"}) {
    EXPECT_THAT(error_text<InvalidArgument>([&] { create(name); }), HasSubstr("volume name ")) << name;
    EXPECT_EQ(volumes_.find_volume(name), std::nullopt);
    EXPECT_THROW(volumes_.remove_volume(name), NotFound);
  }
  EXPECT_EQ(error_text<Unsupported>([&] { volumes_.create_volume({.name = "x", .driver = "nfs"}); }),
            "creating volume x: there is no volume driver \"nfs\", only \"local\"");
}

TEST_F(VolumeStoreTest, EnsureFindsOrMakes) {
  EXPECT_EQ(volumes_.ensure_volume({.name = "data", .labels = {{"a", "1"}}}).labels.size(), 1u);
  EXPECT_EQ(volumes_.ensure_volume({.name = "data"}).labels.size(), 1u);
}

TEST_F(VolumeStoreTest, ManyWhoWantTheSameOneGetIt) {
  for (int round = 0; round < 10; ++round) {
    const std::string name = "v" + std::to_string(round);
    EXPECT_THAT(race(8, [&](int) { return volumes_.ensure_volume({.name = name}).name == name ? 0 : 1; }),
                Each(0));
    const auto statuses = race(8, [&](int) {
      try {
        create("c" + name);
        return 0;
      } catch (const Conflict&) {
        return 1;
      }
    });
    EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 0), 1);
    EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 1), 7);
  }
  EXPECT_THAT(volumes_.list_volumes(), SizeIs(20));
  EXPECT_THAT(list("staging"), IsEmpty());
}

TEST_F(VolumeStoreTest, EnsureGivesUpOnAFile) {
  write("volumes/broken", "");
  EXPECT_THROW(volumes_.ensure_volume({.name = "broken"}), Error);
}

TEST_F(VolumeStoreTest, AVolumeThatLostItsRecordIsOneWithoutLabels) {
  sys::make_directories(store_.fd(), "volumes/lost/_data", 0700);
  EXPECT_TRUE(volumes_.get_volume("lost").labels.empty());
  EXPECT_FALSE(volumes_.get_volume("lost").needs_copy_up) << "its data must not be written over";
  EXPECT_THROW(volumes_.create_volume({.name = "lost"}), Conflict);
  volumes_.restore_record("lost");
  EXPECT_TRUE(exists("volumes/lost/meta.json"));
  volumes_.remove_volume("lost");
  EXPECT_FALSE(volumes_.has_volume("lost"));
}

TEST_F(VolumeStoreTest, OneDamagedRecordDoesNotHideTheOthers) {
  volumes_.create_volume({.name = "a"});
  volumes_.create_volume({.name = "b"});
  write("volumes/a/meta.json", "{");
  std::vector<std::string> damaged;
  EXPECT_THAT(volumes_.list_volumes([&](const Error& error) { damaged.push_back(error.message()); }),
              SizeIs(1));
  ASSERT_THAT(damaged, SizeIs(1));
  EXPECT_NE(damaged[0].find("volumes/a/meta.json"), std::string::npos);
}

TEST_F(VolumeStoreTest, ListIsSortedByName) {
  create("b");
  create("a");
  std::vector<std::string> names;
  for (const Volume& volume : volumes_.list_volumes()) names.push_back(volume.name);
  EXPECT_THAT(names, ElementsAre("a", "b"));
}

TEST_F(VolumeStoreTest, CopyUpIsRememberedOnce) {
  create("data");
  volumes_.mark_copied_up("data");
  EXPECT_FALSE(volumes_.get_volume("data").needs_copy_up);
  EXPECT_NO_THROW(volumes_.mark_copied_up("data"));
  EXPECT_THROW(volumes_.mark_copied_up("missing"), NotFound);
}

TEST_F(VolumeStoreTest, RemoveMovesTheDataToTrash) {
  create("data");
  volumes_.remove_volume("data");
  EXPECT_TRUE(store_.has_trash());
  EXPECT_EQ(error_text<NotFound>([&] { volumes_.get_volume("data"); }), "no volume with name \"data\" found");
  EXPECT_THROW(volumes_.remove_volume("data"), NotFound);
}

TEST_F(VolumeStoreTest, DataWhoseRecordAPowerCutEmptiedIsStillThere) {
  const Volume made = volumes_.create_volume({.anonymous = true});
  write("volumes/" + made.name + "/meta.json", "");
  const Volume read = volumes_.get_volume(made.name);
  EXPECT_EQ(read.mountpoint, made.mountpoint);
  EXPECT_TRUE(read.anonymous);
  EXPECT_FALSE(read.needs_copy_up);
}

TEST_F(VolumeStoreTest, ARecordOfANewerVersionIsRefusedByPlace) {
  create("data");
  write("volumes/data/meta.json", R"({"version": 2})");
  EXPECT_THAT(error_text<Unsupported>([&] { volumes_.get_volume("data"); }),
              HasSubstr("volumes/data/meta.json: volume record: version 2"));
}

TEST_F(VolumeStoreTest, LockKnowsTheDead) {
  create("data");
  { const sys::Lock lock = volumes_.lock_volume("data"); }
  EXPECT_EQ(error_text<NotFound>([&] { volumes_.lock_volume("missing"); }),
            "no volume with name \"missing\" found");
}

}  // namespace
}  // namespace knarr::storage
