// SPDX-License-Identifier: Apache-2.0
// A small whole store; one thing is broken, and the check names it and can mend it.
#include "storage/check/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/content/hash.h"
#include "storage/image/image_config_json.h"
#include "storage/image/image_store.h"
#include "storage/layer/layer.h"
#include "storage/layer/layer_meta_json.h"
#include "storage/layer/shipped_blobs.h"
#include "storage/volume/volume_store.h"
#include "tests/unit/storage/temporary_store.h"

namespace knarr::storage {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CheckTest : public StoreTest {
 protected:
  void SetUp() override {
    add_layer(layer_);
    const std::string config =
        R"({"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[")" +
        render(layer_) + R"("]}})";
    config_ = digest_of(config);
    const std::string manifest =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
        render(config_) +
        R"(","size":1},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" +
        render(layer_) + R"(","size":1}]})";
    Image image = parse_image_config(config, config_);
    image.manifest = digest_of(manifest);
    image.manifest_type = "application/vnd.oci.image.manifest.v1+json";
    image.layer_sizes = {12};
    image.size = 12;
    images_.add_image(image, manifest, config, {parse_reference("quay.io/x/y:1")});
    manifest_ = image.manifest;
    VolumeStore(store_).create_volume({.name = "data"});
    ASSERT_THAT(check(), IsEmpty());
  }

  void add_layer(const Digest& layer) const {
    sys::make_directories(store_.fd(), "layers/" + layer.hex + "/diff", 0700);
    write("layers/" + layer.hex + "/meta.json", render_layer_meta({.diff_id = layer, .tree_bytes = 12}));
  }
  std::vector<Finding> check(std::int64_t min_age_seconds = 0) const {
    std::vector<Finding> all;
    for (auto&& findings : {check_places(store_), check_images(store_), check_layers(store_, min_age_seconds),
                            check_volumes(store_)}) {
      all.insert(all.end(), findings.begin(), findings.end());
    }
    return all;
  }
  void repair() const {
    for (const Finding& finding : check()) {
      if (finding.repair) finding.repair();
    }
  }
  std::string record() const { return "images/" + config_.hex + ".json"; }

  ImageStore images_{store_};
  const Digest layer_{"sha256", std::string(64, '1')};
  Digest config_, manifest_;
};

auto is_damaged(const std::string& object, const std::string& problem) {
  return AllOf(Field(&Finding::kind, Finding::Kind::damage), Field(&Finding::object, HasSubstr(object)),
               Field(&Finding::problem, HasSubstr(problem)));
}
auto is_garbage(const std::string& object) {
  return AllOf(Field(&Finding::kind, Finding::Kind::garbage), Field(&Finding::object, HasSubstr(object)));
}

TEST_F(CheckTest, ALayerWithoutATreeIsToBePulledAgain) {
  sys::remove_tree(store_.fd(), "layers/" + layer_.hex + "/diff");
  const std::vector<Finding> findings = check();
  ASSERT_THAT(findings, ElementsAre(is_damaged(layer_.hex, "tree is missing")));
  EXPECT_EQ(findings[0].cure, "knarr pull quay.io/x/y:1");
  repair();
  EXPECT_FALSE(LayerStore(store_).find_layer(layer_));
  EXPECT_TRUE(images_.find_image("quay.io/x/y:1")) << "the record stays";
}

TEST_F(CheckTest, ALayerThatIsGoneIsMissed) {
  store_.move_to_trash("layers/" + layer_.hex);
  store_.empty_trash();
  EXPECT_THAT(check(), ElementsAre(is_damaged(layer_.hex, "it is missing")));
}

TEST_F(CheckTest, WhereALayerWasShippedIsForgottenWhenItCannotBeRead) {
  const std::string path = "layers/" + layer_.hex + "/blobs.json";
  note_shipped_blob(store_, layer_, {.digest = layer_, .size = 12, .places = {"quay.io/x/y"}});
  EXPECT_THAT(check(), IsEmpty());
  write(path, "half a rec");
  EXPECT_THAT(check(), ElementsAre(is_damaged(layer_.hex, "where it was shipped cannot be read")));
  repair();
  EXPECT_FALSE(sys::stat_at(store_.fd(), path));
  EXPECT_TRUE(LayerStore(store_).find_layer(layer_));
}

TEST_F(CheckTest, ALayersRecordThatIsTornIsDamage) {
  write("layers/" + layer_.hex + "/meta.json", "");
  EXPECT_THAT(check(), ElementsAre(is_damaged(layer_.hex, "record cannot be read")));
}

TEST_F(CheckTest, ABlobThatHasOtherContentIsTakenAway) {
  write("blobs/sha256/" + manifest_.hex, "{}");
  EXPECT_THAT(check(), ElementsAre(is_damaged(manifest_.hex, "content has digest")));
  repair();
  EXPECT_FALSE(exists("blobs/sha256/" + manifest_.hex));
  EXPECT_TRUE(images_.find_image("quay.io/x/y:1"));
}

TEST_F(CheckTest, ARecordIsMadeAgainFromTheBlobs) {
  const Image before = *images_.find_image("quay.io/x/y:1");
  write(record(), "garbage");
  ASSERT_THAT(check(), ElementsAre(is_damaged("quay.io/x/y:1", "record cannot be read")));
  repair();
  const Image after = *images_.find_image("quay.io/x/y:1");
  EXPECT_EQ(render_image_record(after), render_image_record(before));
  store_.empty_trash();
  EXPECT_THAT(check(), IsEmpty());
}

TEST_F(CheckTest, ARecordWithoutAConfigIsRemovedWithItsName) {
  write(record(), "");
  write("blobs/sha256/" + config_.hex, "");
  repair();
  EXPECT_FALSE(exists(record()));
  EXPECT_THAT(list("refs"), IsEmpty());
}

TEST_F(CheckTest, NothingADamagedRecordMayNeedIsGarbage) {
  write(record(), "");
  EXPECT_THAT(images_.find_unreferenced(), IsEmpty());
  EXPECT_EQ(images_.remove_unreferenced(), 0u);
}

TEST_F(CheckTest, ANameThatLeadsNowhereIsRemoved) {
  ::symlinkat(("../images/" + std::string(64, '9') + ".json").c_str(), store_.fd(), "refs/quay.io%2Fz:1");
  EXPECT_THAT(check(), ElementsAre(is_damaged("quay.io", "is gone")));
  repair();
  EXPECT_EQ(list("refs").size(), 1u);
}

TEST_F(CheckTest, AFileInPlaceOfANameIsDamage) {
  write("refs/quay.io%2Fz:1", "");
  EXPECT_THAT(check(), ElementsAre(is_damaged("quay.io", "no link")));
}

TEST_F(CheckTest, WhatNoImageNeedsIsGarbage) {
  const Digest other{"sha256", std::string(64, '2')};
  add_layer(other);
  write("blobs/sha256/" + other.hex, "x");
  EXPECT_THAT(check(),
              ElementsAre(is_garbage("blobs/sha256/" + other.hex), is_garbage("layers/" + other.hex)));
  EXPECT_FALSE(check_layers(store_, 3600)[0].repair) << "a layer that is so young may be a pull's";
}

TEST_F(CheckTest, WhatACommandLeftIsGarbageAndWhatOneHoldsIsNot) {
  const Store::Staging held = store_.make_staging("held");
  sys::make_directories(store_.fd(), "staging/left", 0700);
  EXPECT_THAT(check(), ElementsAre(is_garbage("staging/left")));
}

TEST_F(CheckTest, ABeginningThatAPullMayGoOnWithIsNoGarbage) {
  sys::make_directories(store_.fd(), "downloads", 0700);
  write("downloads/part", "x");
  EXPECT_THAT(check(), IsEmpty());
  EXPECT_THAT(store_.find_garbage(Store::Downloads::all), ElementsAre("downloads/part"));
  const timespec long_ago[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::utimensat(store_.fd(), "downloads/part", long_ago, 0), 0);
  EXPECT_THAT(check(), ElementsAre(is_garbage("downloads/part")));
}

TEST_F(CheckTest, AVolumesDataOutlivesItsRecord) {
  write("volumes/data/_data/kept", "kept");
  write("volumes/data/meta.json", "{");
  ASSERT_THAT(check(), ElementsAre(is_damaged("volume data", "record cannot be read")));
  repair();
  store_.empty_trash();
  EXPECT_THAT(check(), IsEmpty());
  EXPECT_EQ(sys::read_file(store_.fd(), "volumes/data/_data/kept"), "kept");
}

TEST_F(CheckTest, ADirectoryThatIsMissingIsMadeAgain) {
  sys::remove_tree(store_.fd(), "staging");
  EXPECT_THAT(check(), ElementsAre(is_damaged("directory staging", "missing")));
  repair();
  EXPECT_TRUE(exists("staging"));
}

TEST_F(CheckTest, ContentIsJudgedByTheVerifier) {
  const auto is_other = [](const Digest&) { return LayerVerdict{.damage = "etc/passwd is other"}; };
  EXPECT_THAT(report_verdicts(store_, verify_layers(store_, is_other)),
              ElementsAre(is_damaged(layer_.hex, "etc/passwd is other")));
  EXPECT_THAT(verify_layers(store_, [](const Digest&) { return LayerVerdict(); }), IsEmpty());
  EXPECT_THAT(verify_layers(store_, [](const Digest&) -> LayerVerdict { throw NotFound("gone"); }),
              IsEmpty());
}

TEST_F(CheckTest, WhatCannotBeComparedIsNoDamageButNotPassedOver) {
  const auto is_vague = [](const Digest&) { return LayerVerdict{.damage = "", .is_exact = false}; };
  const std::vector<Finding> findings = report_verdicts(store_, verify_layers(store_, is_vague));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, Finding::Kind::unproven);
  EXPECT_EQ(findings[0].object, "1 layer");
}

}  // namespace
}  // namespace knarr::storage
