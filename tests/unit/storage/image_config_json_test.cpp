// SPDX-License-Identifier: Apache-2.0
#include "storage/image/image_config_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/storage/error_text.h"

namespace knarr::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

const std::string hex_a(64, 'a');
const std::string hex_b(64, 'b');
const Digest digest_a{"sha256", hex_a};
const Digest digest_b{"sha256", hex_b};

// Replaces @a and @b by digests, so that the documents below stay readable.
std::string with_digests(std::string text) {
  for (const auto& [mark, hex] : {std::pair("@a", hex_a), std::pair("@b", hex_b)}) {
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark)) {
      text.replace(at, 2, "sha256:" + hex);
    }
  }
  return text;
}

std::string manifest_refusal(const std::string& text) {
  return error_text<InvalidArgument>([&] { parse_manifest(with_digests(text)); });
}
std::string config_refusal(const std::string& text) {
  return error_text<InvalidArgument>([&] { parse_image_config(with_digests(text), digest_a); });
}

TEST(ParseManifest, ReadsAnOciManifest) {
  const Manifest manifest = parse_manifest(with_digests(R"({
    "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "@a", "size": 7},
    "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd", "digest": "@b", "size": 8,
                "annotations": {"k": "v"}, "urls": ["https://elsewhere"], "data": "AA=="}],
    "annotations": {"a": "b"}, "subject": {"digest": 3}})"));
  EXPECT_EQ(manifest.media_type, "application/vnd.oci.image.manifest.v1+json");
  EXPECT_EQ(manifest.config.digest, digest_a);
  EXPECT_EQ(manifest.config.size, 7u);
  ASSERT_EQ(manifest.layers.size(), 1u);
  EXPECT_EQ(manifest.layers[0].digest, digest_b);
  EXPECT_EQ(manifest.layers[0].media_type, "application/vnd.oci.image.layer.v1.tar+zstd");
  EXPECT_THAT(manifest.layers[0].annotations, ElementsAre(Pair("k", "v")));
  EXPECT_THAT(manifest.annotations, ElementsAre(Pair("a", "b")));
}

TEST(ParseManifest, TellsDockersManifestByItsConfigWhenItDoesNotSay) {
  const auto parse = [](const std::string& config_type) {
    return parse_manifest(with_digests(R"({"schemaVersion": 2, "layers": [], "config": {"mediaType": ")" +
                                       config_type + R"(", "digest": "@a", "size": 1}})"))
        .media_type;
  };
  EXPECT_EQ(parse("application/vnd.docker.container.image.v1+json"),
            "application/vnd.docker.distribution.manifest.v2+json");
  EXPECT_EQ(parse("application/vnd.oci.image.config.v1+json"), "application/vnd.oci.image.manifest.v1+json");
}

TEST(ParseManifest, RefusesDocumentsThatAreTwoThings) {
  EXPECT_EQ(manifest_refusal(R"({"schemaVersion": 2, "manifests": [], "layers": []})"),
            "manifest: it is both a manifest and an index");
  EXPECT_EQ(manifest_refusal(R"({"schemaVersion": 2, "manifests": null, "config": null})"),
            "manifest: it is both a manifest and an index");
  EXPECT_EQ(manifest_refusal(R"({"schemaVersion": 2, "fsLayers": [], "layers": []})"),
            "manifest: it is a manifest of two schemas at once");
  EXPECT_EQ(error_text<InvalidArgument>(
                [] { parse_index(R"({"schemaVersion": 2, "manifests": [], "config": {}})"); }),
            "index: it is both a manifest and an index");
}

TEST(ParseManifest, RefusesAMediaTypeThatSaysSomethingElse) {
  EXPECT_THAT(
      manifest_refusal(R"({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"})"),
      HasSubstr("manifest.mediaType: expected application/vnd.oci.image.manifest.v1+json, found "));
  EXPECT_THAT(
      error_text<InvalidArgument>([] {
        parse_index(R"({"mediaType": "application/vnd.oci.image.manifest.v1+json", "manifests": []})");
      }),
      HasSubstr("index.mediaType: expected "));
}

TEST(ParseManifest, ChecksDigestsAndSizesWithTheirPlace) {
  const auto layer = [](const std::string& descriptor) {
    return manifest_refusal(R"({"schemaVersion": 2, "config": {"digest": "@a", "size": 1}, "layers": [)" +
                            descriptor + "]}");
  };
  EXPECT_EQ(layer(R"({"digest": 3, "size": 1})"),
            "manifest.layers[0].digest: expected a string, found number");
  EXPECT_EQ(layer(R"({"digest": "sha256:../../x", "size": 1})"),
            "manifest.layers[0].digest: not a sha256 or sha512 digest");
  EXPECT_EQ(layer(R"({"digest": "@a", "size": 1}, {"size": 1})"), "manifest.layers[1].digest: missing");
  EXPECT_EQ(layer(R"({"digest": "@a"})"), "manifest.layers[0].size: missing");
  EXPECT_EQ(layer(R"({"digest": "@a", "size": -1})"), "manifest.layers[0].size: number must not be negative");
  EXPECT_EQ(layer(R"({"digest": "@a", "size": 9223372036854775808})"),
            "manifest.layers[0].size: number out of range");
  EXPECT_EQ(layer("7"), "manifest.layers[0]: expected an object, found number");
}

TEST(ParseManifest, RefusesOldSchemasAndMissingParts) {
  EXPECT_THAT(manifest_refusal(R"({"schemaVersion": 1, "fsLayers": []})"), HasSubstr("schema version 1"));
  EXPECT_EQ(manifest_refusal(R"({"schemaVersion": 3})"), "manifest.schemaVersion: expected 2");
  EXPECT_EQ(manifest_refusal("{}"), "manifest.schemaVersion: missing");
  EXPECT_EQ(manifest_refusal(R"({"schemaVersion": 2})"), "manifest.config: missing");
  EXPECT_EQ(manifest_refusal(R"({"schemaVersion": 2, "config": {"digest": "@a", "size": 1}})"),
            "manifest.layers: missing");
  EXPECT_EQ(manifest_refusal("[]"), "manifest: expected an object, found array");
}

TEST(ParseManifest, LimitsItsLength) {
  EXPECT_THAT(manifest_refusal(std::string(max_manifest_bytes + 1, ' ')), HasSubstr("more than the limit"));
}

TEST(ParseIndex, ReadsPlatforms) {
  const Index index = parse_index(with_digests(R"({"schemaVersion": 2, "manifests": [
      {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "@a", "size": 1,
       "platform": {"architecture": "arm", "os": "linux", "variant": "v7", "os.version": "x"}},
      {"digest": "@b", "size": 2, "platform": null}]})"));
  EXPECT_EQ(index.media_type, "application/vnd.oci.image.index.v1+json");
  ASSERT_EQ(index.manifests.size(), 2u);
  EXPECT_EQ(index.manifests[0].architecture, "arm");
  EXPECT_EQ(index.manifests[0].variant, "v7");
  EXPECT_EQ(index.manifests[1].os, "");
}

TEST(ParseArchiveManifest, ReadsEntriesWithAndWithoutNames) {
  const auto entries = parse_archive_manifest(
      R"([{"Config": "a.json", "RepoTags": ["x:1", "y:2"], "Layers": ["a/layer.tar"]},
          {"Config": "b.json", "RepoTags": null, "Layers": null}])");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].config, "a.json");
  EXPECT_THAT(entries[0].repo_tags, ElementsAre("x:1", "y:2"));
  EXPECT_THAT(entries[0].layers, ElementsAre("a/layer.tar"));
  EXPECT_THAT(entries[1].repo_tags, IsEmpty());
}

TEST(ParseArchiveManifest, NamesThePlaceOfAnError) {
  EXPECT_EQ(error_text<InvalidArgument>([] { parse_archive_manifest(R"([{"Config": "a"}, {}])"); }),
            "manifest.json[1].Config: missing");
  EXPECT_EQ(error_text<InvalidArgument>([] { parse_archive_manifest("{}"); }),
            "manifest.json: expected an array, found object");
}

TEST(ParseImageConfig, ReadsWhatAContainerNeeds) {
  const Image image = parse_image_config(with_digests(R"({
    "created": "2024-01-02T03:04:05.6Z", "author": "me", "architecture": "arm64", "os": "linux", "variant": "v8",
    "comment": "c", "rootfs": {"type": "layers", "diff_ids": ["@b", "@a"]},
    "config": {"Env": ["A=1", "B=x=y"], "Entrypoint": ["/e"], "Cmd": ["a", "b"], "User": "1:2", "WorkingDir": "/w",
      "StopSignal": "SIGINT", "Volumes": {"/z": {}, "/d": {}}, "ExposedPorts": {"80": {}, "53/udp": {}, "80/tcp": {}},
      "Labels": {"k": "v", "n": null},
      "Healthcheck": {"Test": ["CMD", "x"], "Interval": 5000000000, "Timeout": 1, "StartPeriod": 2, "Retries": 3},
      "OnBuild": ["RUN x"], "ArgsEscaped": true, "MemorySwap": 0},
    "history": [{"created": "t", "created_by": "by", "author": "a", "comment": "c", "empty_layer": true}, {}]})"),
                                         digest_a);
  EXPECT_EQ(image.id, hex_a);
  EXPECT_EQ(image.created, "2024-01-02T03:04:05.6Z");
  EXPECT_EQ(image.author, "me");
  EXPECT_EQ(image.architecture, "arm64");
  EXPECT_EQ(image.variant, "v8");
  EXPECT_EQ(image.comment, "c");
  EXPECT_THAT(image.layers, ElementsAre(digest_b, digest_a));
  EXPECT_THAT(image.config.env, ElementsAre("A=1", "B=x=y"));
  EXPECT_THAT(image.config.entrypoint, ElementsAre("/e"));
  EXPECT_THAT(image.config.cmd, ElementsAre("a", "b"));
  EXPECT_EQ(image.config.user, "1:2");
  EXPECT_EQ(image.config.working_dir, "/w");
  EXPECT_EQ(image.config.stop_signal, "SIGINT");
  EXPECT_THAT(image.config.volumes, ElementsAre("/d", "/z"));
  EXPECT_THAT(image.config.exposed_ports, ElementsAre("53/udp", "80/tcp"));
  EXPECT_THAT(image.config.labels, ElementsAre(Pair("k", "v"), Pair("n", "")));
  ASSERT_TRUE(image.config.health_check);
  EXPECT_THAT(image.config.health_check->test, ElementsAre("CMD", "x"));
  EXPECT_EQ(image.config.health_check->interval, 5'000'000'000);
  EXPECT_EQ(image.config.health_check->retries, 3);
  ASSERT_EQ(image.history.size(), 2u);
  EXPECT_TRUE(image.history[0].empty_layer);
  EXPECT_EQ(image.history[0].created_by, "by");
  EXPECT_FALSE(image.history[1].empty_layer);
}

TEST(ParseImageConfig, ToleratesNullWhereDockerWritesIt) {
  const Image image = parse_image_config(with_digests(R"({"architecture": "amd64", "os": "linux", "config":
      {"Env": null, "Cmd": null, "Entrypoint": null, "Volumes": null, "ExposedPorts": null, "Labels": null,
       "Healthcheck": null, "User": null}, "history": null, "rootfs": {"type": "layers", "diff_ids": null}})"),
                                         digest_a);
  EXPECT_THAT(image.config.cmd, IsEmpty());
  EXPECT_FALSE(image.config.health_check);
  EXPECT_THAT(image.layers, IsEmpty());
  EXPECT_NO_THROW(parse_image_config(R"({"config": null, "rootfs": {"diff_ids": []}})", digest_a));
}

TEST(ParseImageConfig, NamesThePlaceOfAnError) {
  EXPECT_EQ(config_refusal(R"({})"), "config.rootfs: missing");
  EXPECT_EQ(config_refusal(R"({"rootfs": {"type": "tar"}})"),
            "config.rootfs.type: expected \"layers\", found \"tar\"");
  EXPECT_EQ(config_refusal(R"({"rootfs": {"diff_ids": ["@a", "x"]}})"),
            "config.rootfs.diff_ids[1]: not a sha256 or sha512 digest");
  EXPECT_EQ(config_refusal(R"({"config": {"Cmd": "sh"}, "rootfs": {}})"),
            "config.config.Cmd: expected an array, found string");
  EXPECT_EQ(config_refusal(R"({"config": {"Env": ["A=\u0000"]}, "rootfs": {}})"),
            "config.config.Env[0]: contains a NUL character");
  EXPECT_EQ(config_refusal(R"({"config": {"Healthcheck": {"Retries": -1}}, "rootfs": {}})"),
            "config.config.Healthcheck.Retries: number out of range");
  EXPECT_EQ(config_refusal(R"({"history": [{"empty_layer": "yes"}], "rootfs": {}})"),
            "config.history[0].empty_layer: expected true or false, found string");
}

Image sample_image() {
  Image image;
  image.id = hex_a;
  image.manifest = digest_b;
  image.manifest_type = "application/vnd.oci.image.manifest.v1+json";
  image.created = "2024-01-02T03:04:05Z";
  image.author = "me";
  image.architecture = "amd64";
  image.os = "linux";
  image.variant = "v3";
  image.comment = "imported";
  image.config.env = {"A=1"};
  image.config.entrypoint = {"/e"};
  image.config.cmd = {"x"};
  image.config.user = "1";
  image.config.working_dir = "/w";
  image.config.stop_signal = "SIGHUP";
  image.config.volumes = {"/d"};
  image.config.exposed_ports = {"80/tcp"};
  image.config.labels = {{"k", "v"}};
  image.config.health_check = HealthCheck{{"CMD", "y"}, 1, 2, 3, 4};
  image.history = {{"t", "by", "a", "c", true}, {}};
  image.layers = {digest_a, digest_b};
  image.layer_sizes = {10, 20};
  image.size = 30;
  return image;
}

void expect_same_config(const Image& one, const Image& other) {
  EXPECT_EQ(one.id, other.id);
  EXPECT_EQ(one.created, other.created);
  EXPECT_EQ(one.author, other.author);
  EXPECT_EQ(one.architecture, other.architecture);
  EXPECT_EQ(one.os, other.os);
  EXPECT_EQ(one.variant, other.variant);
  EXPECT_EQ(one.comment, other.comment);
  EXPECT_EQ(one.layers, other.layers);
  EXPECT_EQ(one.config.env, other.config.env);
  EXPECT_EQ(one.config.entrypoint, other.config.entrypoint);
  EXPECT_EQ(one.config.cmd, other.config.cmd);
  EXPECT_EQ(one.config.user, other.config.user);
  EXPECT_EQ(one.config.working_dir, other.config.working_dir);
  EXPECT_EQ(one.config.stop_signal, other.config.stop_signal);
  EXPECT_EQ(one.config.volumes, other.config.volumes);
  EXPECT_EQ(one.config.exposed_ports, other.config.exposed_ports);
  EXPECT_EQ(one.config.labels, other.config.labels);
  EXPECT_EQ(one.config.health_check->test, other.config.health_check->test);
  EXPECT_EQ(one.config.health_check->start_period, other.config.health_check->start_period);
  EXPECT_EQ(one.config.health_check->retries, other.config.health_check->retries);
  ASSERT_EQ(one.history.size(), other.history.size());
  EXPECT_EQ(one.history[0].created_by, other.history[0].created_by);
  EXPECT_EQ(one.history[0].empty_layer, other.history[0].empty_layer);
}

TEST(ImageRecord, IsReadBackAsItWasWritten) {
  const Image image = sample_image();
  const Image read = parse_image_record(render_image_record(image));
  expect_same_config(read, image);
  EXPECT_EQ(read.manifest, image.manifest);
  EXPECT_EQ(read.manifest_type, image.manifest_type);
  EXPECT_EQ(read.layer_sizes, image.layer_sizes);
  EXPECT_EQ(read.size, image.size);
}

TEST(ImageRecord, ANewerOneIsRefusedByName) {
  std::string json = render_image_record(sample_image());
  json.replace(json.find("\"version\":1"), 11, "\"version\":9");
  EXPECT_THAT(error_text<Unsupported>([&] { parse_image_record(json); }),
              HasSubstr("image record: version 9"));
}

TEST(ImageRecord, LayersAndSizesMustGoTogether) {
  Image image = sample_image();
  image.layer_sizes.pop_back();
  EXPECT_EQ(error_text<InvalidArgument>([&] { parse_image_record(render_image_record(image)); }),
            "image record.layer_sizes: expected 2 sizes");
}

TEST(RenderImageConfig, IsReadBackAndAlwaysTheSameBytes) {
  const Image image = sample_image();
  expect_same_config(parse_image_config(render_image_config(image), digest_a), image);
  EXPECT_EQ(render_image_config(image),
            render_image_config(parse_image_config(render_image_config(image), digest_a)));
  Image bare;
  bare.architecture = "amd64";
  bare.os = "linux";
  EXPECT_EQ(render_image_config(bare),
            R"({"architecture":"amd64","config":{},"os":"linux","rootfs":{"diff_ids":[],"type":"layers"}})");
}

TEST(RenderManifest, IsReadBackAsItWasWritten) {
  Manifest manifest;
  manifest.config = {.media_type = "application/vnd.oci.image.config.v1+json", .digest = digest_a, .size = 3};
  manifest.layers = {{.media_type = "application/vnd.oci.image.layer.v1.tar", .digest = digest_b, .size = 4}};
  const Manifest read = parse_manifest(render_manifest(manifest));
  EXPECT_EQ(read.media_type, "application/vnd.oci.image.manifest.v1+json");
  EXPECT_EQ(read.config.digest, digest_a);
  EXPECT_EQ(read.layers.at(0).size, 4u);
  EXPECT_EQ(render_manifest(read), render_manifest(manifest));
}

}  // namespace
}  // namespace knarr::storage
