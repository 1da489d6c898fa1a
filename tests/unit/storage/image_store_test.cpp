// SPDX-License-Identifier: Apache-2.0
#include "storage/image/image_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/image/image_config_json.h"
#include "storage/layer/layer_meta_json.h"
#include "tests/unit/storage/error_text.h"
#include "tests/unit/storage/temporary_store.h"

namespace knarr::storage {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

Digest digest_of(std::string start) {
  start.resize(64, '0');
  return {"sha256", start};
}

class ImageStoreTest : public StoreTest {
 protected:
  ImageStore images_{store_};

  void add_layer(const Digest& diff_id) const {
    const std::string path = "layers/" + diff_id.hex;
    sys::make_directories(store_.fd(), path + "/diff", 0700);
    write(path + "/meta.json", render_layer_meta({.diff_id = diff_id, .tar_bytes = 10}));
  }

  // An image whose id begins with `id`, whose manifest is "f" + id, on these layers.
  Image add(const std::string& id, const std::vector<std::string>& names,
            const std::vector<std::string>& layers = {"1"}) const {
    Image image;
    image.id = digest_of(id).hex;
    image.manifest = digest_of("f" + id);
    image.os = "linux";
    for (const std::string& layer : layers) {
      image.layers.push_back(digest_of(layer));
      image.layer_sizes.push_back(1);
      add_layer(image.layers.back());
    }
    std::vector<Reference> references;
    for (const std::string& name : names) references.push_back(parse_reference(name));
    images_.add_image(image, "manifest " + id, "config " + id, references);
    return image;
  }

  // The start of the id found, "-" for none.
  std::string found(const std::string& text) const {
    const auto image = images_.find_image(text);
    return image ? image->id.substr(0, image->id.find('0')) : "-";
  }
  bool has_layer(const std::string& start) const { return exists("layers/" + digest_of(start).hex); }
};

TEST_F(ImageStoreTest, IsFoundByFullAndShortNames) {
  add("a", {"docker.io/library/debian:12", "localhost/me/web"});
  EXPECT_EQ(found("docker.io/library/debian:12"), "a");
  EXPECT_EQ(found("docker.io/debian:12"), "a");
  EXPECT_EQ(found("debian:12"), "a");
  EXPECT_EQ(found("me/web"), "a");
  EXPECT_EQ(found("localhost/me/web:latest"), "a");
  EXPECT_EQ(found("debian"), "-");
  EXPECT_EQ(found("quay.io/debian:12"), "-");
  EXPECT_EQ(found("Debian:12"), "-");
  EXPECT_EQ(found(""), "-");
  EXPECT_EQ(found("../images/a"), "-");
}

TEST_F(ImageStoreTest, AShortNameMeansTheLocalImageBeforeDockerHubs) {
  add("a", {"docker.io/library/web"});
  add("b", {"localhost/web"});
  EXPECT_EQ(found("web"), "b");
}

TEST_F(ImageStoreTest, AShortNameMayBeTheEndOfOneFullName) {
  add("a", {"quay.io/x/foo:1"});
  EXPECT_EQ(found("foo:1"), "a");
  EXPECT_EQ(found("x/foo:1"), "a");
  EXPECT_EQ(found("oo:1"), "-");
  EXPECT_EQ(found("io/x/foo:1"), "-");
  EXPECT_EQ(found("foo"), "-");
  add("b", {"quay.io/x/foo:2", "ghcr.io/y/foo:2"});
  EXPECT_EQ(found("foo:2"), "b");
  add("c", {"ghcr.io/z/foo:1"});
  EXPECT_EQ(error_text<InvalidArgument>([&] { found("foo:1"); }),
            "\"foo:1\" is ambiguous: it may be ghcr.io/z/foo:1 or quay.io/x/foo:1");
  EXPECT_EQ(found("x/foo:1"), "a");
}

TEST_F(ImageStoreTest, IsFoundByIdAndUniquePrefix) {
  add("abc1", {});
  add("abd2", {"localhost/beef"});
  EXPECT_EQ(found(digest_of("abc1").hex), "abc1");
  EXPECT_EQ(found("sha256:" + digest_of("abc1").hex), "abc1");
  EXPECT_EQ(found("abc"), "abc1");
  EXPECT_EQ(found("sha256:abd"), "abd2");
  EXPECT_EQ(found("sha256:xyz"), "-");
  EXPECT_EQ(found("sha256:"), "-");
  EXPECT_EQ(found("abe"), "-");
  EXPECT_EQ(error_text<InvalidArgument>([&] { found("ab"); }),
            "\"ab\" is ambiguous: several image IDs begin so");
}

TEST_F(ImageStoreTest, ANameComesBeforeAPrefixButNotBeforeAWholeId) {
  const Image beef = add("beef", {});
  add("1", {"localhost/beef", "localhost/" + beef.id});
  EXPECT_EQ(found("beef"), "1");
  EXPECT_EQ(found("sha256:beef"), "beef");
  EXPECT_EQ(found(beef.id), "beef");
}

TEST_F(ImageStoreTest, IsFoundByTheDigestOfItsManifest) {
  const Image image = add("a", {"quay.io/x/foo:1"});
  const std::string digest = "@sha256:" + image.manifest.hex;
  EXPECT_EQ(found("quay.io/x/foo" + digest), "a");
  EXPECT_EQ(found("quay.io/x/foo:9" + digest), "a");
  EXPECT_EQ(found("foo" + digest), "a");
  EXPECT_EQ(found("quay.io/x/bar" + digest), "-");
  EXPECT_EQ(found("quay.io/x/foo@sha256:" + digest_of("9").hex), "-");
}

TEST_F(ImageStoreTest, KeepsTheDigestItWasPulledByAsAName) {
  // Of an index, so it is not that of the image's manifest.
  const std::string name = "quay.io/x/foo@sha256:" + digest_of("9").hex;
  add("a", {name});
  EXPECT_EQ(found(name), "a");
  EXPECT_EQ(found("quay.io/x/foo:1@sha256:" + digest_of("9").hex), "a");
  EXPECT_THAT(images_.get_image(name).names, ElementsAre(name));
}

TEST_F(ImageStoreTest, GetNamesWhatIsNotKnown) {
  EXPECT_EQ(error_text<NotFound>([&] { images_.get_image("web"); }), "web: image not known");
}

TEST_F(ImageStoreTest, FindFillsAllNamesAndFindRecordNone) {
  add("a", {"localhost/b:2", "localhost/b:1"});
  add("b", {"localhost/c"});
  EXPECT_THAT(images_.find_image("b:1")->names, ElementsAre("localhost/b:1", "localhost/b:2"));
  EXPECT_THAT(images_.find_record("b:1")->names, IsEmpty());
}

TEST_F(ImageStoreTest, ResolvesNamesAndGivesNoneForIds) {
  add("abc", {"docker.io/library/web"});
  EXPECT_EQ(images_.resolve_name("web"), "docker.io/library/web:latest");
  EXPECT_EQ(images_.resolve_name("abc"), "");
  EXPECT_EQ(images_.resolve_name("nothing"), std::nullopt);
}

TEST_F(ImageStoreTest, ListsImagesWithTheirNames) {
  add("a", {"localhost/x", "localhost/y"});
  add("b", {});
  std::map<std::string, std::vector<std::string>> listed;
  for (const Image& image : images_.list_images()) listed[image.id.substr(0, 1)] = image.names;
  EXPECT_THAT(listed["a"], ElementsAre("localhost/x:latest", "localhost/y:latest"));
  EXPECT_THAT(listed["b"], IsEmpty());
  EXPECT_THAT(listed, SizeIs(2));
}

TEST_F(ImageStoreTest, KeepsManifestAndConfigByteForByte) {
  const Image image = add("a", {});
  EXPECT_EQ(images_.read_manifest_json(image), "manifest a");
  EXPECT_EQ(images_.read_config_json(image), "config a");
}

TEST_F(ImageStoreTest, ABlobAPowerCutToreIsWrittenAnew) {
  write("blobs/sha256/" + digest_of("a").hex, "");
  EXPECT_EQ(images_.read_config_json(add("a", {})), "config a");
}

TEST_F(ImageStoreTest, AnImageWithoutItsLayersIsNotAdded) {
  Image image;
  image.id = digest_of("a").hex;
  image.manifest = digest_of("fa");
  image.layers = {digest_of("1")};
  image.layer_sizes = {1};
  EXPECT_EQ(error_text<NotFound>([&] { images_.add_image(image, "m", "c", {parse_reference("web")}); }),
            "adding image " + image.id + ": its layer " + render(digest_of("1")) + " is not in the store");
  EXPECT_EQ(found("web"), "-");
  EXPECT_THAT(list("images"), IsEmpty());
}

TEST_F(ImageStoreTest, ANameTooLongForAFileIsRefusedBeforeAnythingIsWritten) {
  EXPECT_THAT(
      error_text<InvalidArgument>([&] { add("a", {"localhost/" + std::string(240, 'x') + ":1234567890"}); }),
      EndsWith("is too long to be stored"));
  EXPECT_THAT(list("images"), IsEmpty());
}

TEST_F(ImageStoreTest, AddingMovesANameOffItsOldImage) {
  add("a", {"localhost/web"});
  add("b", {"localhost/web"});
  EXPECT_EQ(found("web"), "b");
  EXPECT_THAT(images_.get_image("a").names, IsEmpty());
  EXPECT_THAT(list("refs"), SizeIs(1));
}

TEST_F(ImageStoreTest, AddingAgainKeepsOtherNames) {
  add("a", {"localhost/one"});
  add("a", {"localhost/two"});
  EXPECT_THAT(images_.get_image("a").names, ElementsAre("localhost/one:latest", "localhost/two:latest"));
}

TEST_F(ImageStoreTest, TagsAndUntags) {
  const Image image = add("a", {});
  images_.tag_image(image, parse_reference("web"));
  images_.tag_image(image, parse_reference("web"));
  EXPECT_EQ(found("localhost/web:latest"), "a");
  EXPECT_TRUE(images_.untag_name(parse_reference("localhost/web:latest")));
  EXPECT_FALSE(images_.untag_name(parse_reference("localhost/web:latest")));
  EXPECT_EQ(found("web"), "-");
  EXPECT_THAT(error_text<InvalidArgument>(
                  [&] { images_.tag_image(image, parse_reference("web@sha256:" + digest_of("9").hex)); }),
              EndsWith("a tag cannot be a digest"));
}

TEST_F(ImageStoreTest, ARemovedImageCannotBeTagged) {
  const Image image = add("a", {});
  images_.remove_image(image);
  EXPECT_THROW(images_.tag_image(image, parse_reference("web")), NotFound);
}

TEST_F(ImageStoreTest, DanglingNamesAreNotFoundAndDoNotHideOthers) {
  add("a", {"docker.io/library/web"});
  ASSERT_EQ(::symlinkat(("../images/" + digest_of("9").hex + ".json").c_str(), store_.fd(),
                        "refs/localhost%2Fweb:latest"),
            0);
  ASSERT_EQ(::symlinkat("/etc/passwd", store_.fd(), "refs/localhost%2Fevil:latest"), 0);
  EXPECT_EQ(found("web"), "a");
  EXPECT_EQ(found("evil"), "-");
  EXPECT_THAT(images_.list_images(), SizeIs(1));
}

TEST_F(ImageStoreTest, ARecordUnderAnotherIdIsRefused) {
  const Image image = add("a", {});
  write("images/" + digest_of("b").hex + ".json", render_image_record(image));
  EXPECT_THAT(error_text<InvalidArgument>([&] { images_.find_image(digest_of("b").hex); }),
              HasSubstr("the record is that of image " + image.id));
}

TEST_F(ImageStoreTest, RemoveTakesEverythingThatOnlyItNeeds) {
  const Image image = add("a", {"localhost/web", "localhost/www"}, {"1", "2"});
  add("b", {"localhost/other"}, {"1", "3"});
  images_.remove_image(image);
  EXPECT_EQ(found("web"), "-");
  EXPECT_EQ(found(image.id), "-");
  EXPECT_TRUE(has_layer("1"));
  EXPECT_FALSE(has_layer("2"));
  EXPECT_TRUE(has_layer("3"));
  EXPECT_FALSE(exists("blobs/sha256/" + image.id));
  EXPECT_FALSE(exists("blobs/sha256/" + image.manifest.hex));
  EXPECT_EQ(found("other"), "b");
  EXPECT_TRUE(store_.has_trash());
  images_.remove_image(images_.get_image("other"));
  for (const char* directory : {"layers", "images", "refs", "blobs/sha256"})
    EXPECT_THAT(list(directory), IsEmpty());
}

TEST_F(ImageStoreTest, RemoveKeepsAManifestAnotherImageHas) {
  const Image one = add("a", {});
  Image two = one;
  two.id = digest_of("b").hex;
  images_.add_image(two, "manifest a", "config b", {});
  images_.remove_image(one);
  EXPECT_EQ(images_.read_manifest_json(two), "manifest a");
}

TEST_F(ImageStoreTest, WhatACrashLeftIsUnreferencedAndTheRestIsNot) {
  const Image image = add("a", {"localhost/web"});
  add_layer(digest_of("9"));                                             // killed before add_image
  write("blobs/sha256/" + digest_of("8").hex, "lost");                   // killed in add_image
  ASSERT_EQ(::symlinkat("../images/x", store_.fd(), "refs/.new-1"), 0);  // killed while moving a name
  ASSERT_EQ(::symlinkat(("../images/" + digest_of("9").hex + ".json").c_str(), store_.fd(), "refs/lost:1"),
            0);
  EXPECT_EQ(images_.remove_unreferenced(), 2u);
  EXPECT_THAT(list("layers"), ElementsAre(digest_of("1").hex));
  EXPECT_THAT(list("blobs/sha256"), UnorderedElementsAre(image.id, image.manifest.hex));
  EXPECT_THAT(list("refs"), ElementsAre("localhost%2Fweb:latest"));
  EXPECT_EQ(images_.remove_unreferenced(), 0u);
}

TEST_F(ImageStoreTest, ANameMovedByManyIsNeverMissing) {
  const Image a = add("a", {"localhost/web"});
  const Image b = add("b", {});
  EXPECT_THAT(race(6,
                   [&](int i) {
                     for (int round = 0; round < 200; ++round) {
                       if (i < 2) {
                         images_.tag_image(i == 0 ? a : b, parse_reference("web"));
                       } else if (!images_.find_record("web")) {
                         return 1;
                       }
                     }
                     return 0;
                   }),
              Each(0));
  EXPECT_THAT(list("refs"), SizeIs(1));
}

TEST_F(ImageStoreTest, AddsAndRemovesOfImagesThatShareALayerKeepItForTheLiving) {
  EXPECT_THAT(race(4,
                   [&](int i) {
                     const std::string id = std::string(1, static_cast<char>('a' + i));
                     for (int round = 0; round < 50; ++round) {
                       Image image;
                       {
                         const sys::Lock gc = store_.lock_gc(sys::Lock::Mode::shared);
                         image = add(id, {"localhost/" + id}, {"1"});
                       }
                       if (!has_layer("1")) return 1;
                       images_.remove_image(image);
                     }
                     return 0;
                   }),
              Each(0));
  EXPECT_THAT(list("layers"), IsEmpty());
}

using LayerStoreTest = ImageStoreTest;

TEST_F(LayerStoreTest, FindsWhatIsThereAndItsTree) {
  const LayerStore layers(store_);
  add_layer(digest_of("1"));
  EXPECT_EQ(layers.find_layer(digest_of("1"))->tar_bytes, 10u);
  EXPECT_EQ(layers.find_layer(digest_of("2")), std::nullopt);
  EXPECT_EQ(layers.tree_path(digest_of("1")), store_.path("layers/" + digest_of("1").hex + "/diff"));
  layers.remove_layer(digest_of("1"));
  EXPECT_EQ(layers.find_layer(digest_of("1")), std::nullopt);
  EXPECT_NO_THROW(layers.remove_layer(digest_of("1")));
}

TEST_F(LayerStoreTest, ATornRecordCountsAsNoLayer) {
  add_layer(digest_of("1"));
  write("layers/" + digest_of("1").hex + "/meta.json", "");
  EXPECT_EQ(LayerStore(store_).find_layer(digest_of("1")), std::nullopt);
}

TEST(LayerMeta, IsReadBackAsItWasWritten) {
  const LayerMeta meta{.diff_id = digest_of("1"),
                       .tar_bytes = 1,
                       .tree_bytes = 2,
                       .entries = 3,
                       .durable = true,
                       .boot_id = "b"};
  const LayerMeta read = parse_layer_meta(render_layer_meta(meta));
  EXPECT_EQ(read.diff_id, meta.diff_id);
  EXPECT_EQ(read.tar_bytes, 1u);
  EXPECT_EQ(read.tree_bytes, 2u);
  EXPECT_EQ(read.entries, 3u);
  EXPECT_TRUE(read.durable);
  EXPECT_EQ(read.boot_id, "b");
  EXPECT_EQ(error_text<InvalidArgument>([] { parse_layer_meta(R"({"version": 1, "diff_id": "x"})"); }),
            "layer record.diff_id: not a sha256 or sha512 digest");
}

}  // namespace
}  // namespace knarr::storage
