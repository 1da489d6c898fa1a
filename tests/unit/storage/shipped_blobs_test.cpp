// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/shipped_blobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rootless/sys/error.h"
#include "storage/layer/shipped_blobs_json.h"
#include "temporary_store.h"

namespace knarr::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Digest digest(char digit) {
  return {"sha256", std::string(64, digit)};
}

ShippedBlob blob(char digit, std::vector<std::string> places = {}) {
  return {digest(digit), 100, Compression::gzip, std::move(places)};
}

TEST(ShippedBlobs, ARecordComesBackAsItWas) {
  const std::vector<ShippedBlob> blobs{blob('a', {"h/r", "i/s"}), {digest('b'), 7, Compression::zstd, {}}};
  EXPECT_EQ(parse_shipped_blobs(render_shipped_blobs(blobs)), blobs);
}

TEST(ShippedBlobs, TheLatestIsFirstWithAllItsPlaces) {
  std::vector<ShippedBlob> known{blob('a', {"h/r"}), blob('b', {"h/s", "i/t"})};
  merge_shipped_blob(known, blob('b', {"j/u", "i/t"}));
  EXPECT_THAT(known, ElementsAre(blob('b', {"j/u", "i/t", "h/s"}), blob('a', {"h/r"})));
}

TEST(ShippedBlobs, TheyDoNotGrowForEver) {
  std::vector<ShippedBlob> known;
  for (int i = 0; i < 100; ++i) {
    merge_shipped_blob(known, blob("0123456789abcdef" [i % 16], { "h/r" + std::to_string(i) }));
    merge_shipped_blob(known, blob('a', {"h/" + std::to_string(i)}));
  }
  EXPECT_EQ(known.size(), 8u);
  EXPECT_EQ(known.front().places.size(), 16u);
  EXPECT_EQ(known.front().places.front(), "h/99");
}

class ShippedBlobsInAStore : public StoreTest {
 protected:
  void SetUp() override { sys::make_directories(store_.fd(), layer_directory(layer), 0700); }
  const Store& store() const { return store_; }

  Digest layer = digest('1');
};

TEST_F(ShippedBlobsInAStore, PlacesAreKeptOfKnownBlobsOnly) {
  note_place_of_blob(store(), layer, digest('a'), "h/r");
  EXPECT_THAT(list_shipped_blobs(store(), layer), IsEmpty());
  note_shipped_blob(store(), layer, blob('a'));
  note_place_of_blob(store(), layer, digest('a'), "h/r");
  EXPECT_THAT(list_shipped_blobs(store(), layer), ElementsAre(blob('a', {"h/r"})));
}

TEST_F(ShippedBlobsInAStore, ADamagedRecordIsNone) {
  sys::replace_file(store().fd(), layer_directory(layer) + "/blobs.json", "{\"version\":1,", 0600,
                    sys::Durability::none);
  EXPECT_THAT(list_shipped_blobs(store(), layer), IsEmpty());
  note_shipped_blob(store(), layer, blob('a'));
  EXPECT_THAT(list_shipped_blobs(store(), layer), ElementsAre(blob('a')));
}

TEST_F(ShippedBlobsInAStore, OfALayerThatIsGoneNothingIsKept) {
  note_shipped_blob(store(), digest('2'), blob('a'));
  EXPECT_THAT(list_shipped_blobs(store(), digest('2')), IsEmpty());
}

}  // namespace
}  // namespace knarr::storage
