// SPDX-License-Identifier: Apache-2.0
// Image archives of every kind, made here byte by byte, loaded into a fresh store.
#include "storage/archive.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "rootless/sys/error.h"
#include "storage/image/platform.h"
#include "storage/layer/unpack.h"
#include "tests/namespace/store_place.h"
#include "tests/support/tar_builder.h"
#include "tests/support/tree_listing.h"

namespace knarr::storage {
namespace {

using test::TarBuilder;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* manifest_type = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* index_type = "application/vnd.oci.image.index.v1+json";
constexpr const char* config_type = "application/vnd.oci.image.config.v1+json";
constexpr const char* layer_type = "application/vnd.oci.image.layer.v1.tar";

std::string gzip(const std::string& plain) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, plain.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string one_layer(const std::string& content = "hello") {
  return TarBuilder().directory("etc").file("etc/motd", content).finish();
}

std::string config_of(const std::vector<std::string>& layers, const std::string& architecture = "amd64") {
  std::string diff_ids;
  for (const std::string& layer : layers) {
    diff_ids += (diff_ids.empty() ? "\"" : ",\"") + render(digest_of(layer)) + "\"";
  }
  return R"({"architecture":")" + architecture +
         R"(","os":"linux","config":{"Cmd":["/bin/sh"]},"rootfs":{"type":"layers","diff_ids":[)" + diff_ids +
         "]}}";
}

std::string descriptor(const std::string& type, const std::string& bytes, const std::string& more = "") {
  return R"({"mediaType":")" + type + R"(","digest":")" + render(digest_of(bytes)) + R"(","size":)" +
         std::to_string(bytes.size()) + more + "}";
}

std::string named(const std::string& key, const std::string& name) {
  return R"(,"annotations":{")" + key + R"(":")" + name + "\"}";
}
const std::string ref_name = "org.opencontainers.image.ref.name";

std::string platform(const std::string& architecture, const std::string& os = "linux") {
  return R"(,"platform":{"architecture":")" + architecture + R"(","os":")" + os + "\"}";
}

std::string other_architecture() {
  return host_platform().architecture == "s390x" ? "amd64" : "s390x";
}

// An OCI layout, as files to put into a tar or a directory.
class Layout {
 public:
  Layout() { files_["oci-layout"] = R"({"imageLayoutVersion":"1.0.0"})"; }

  std::string blob(const std::string& bytes) {
    files_["blobs/sha256/" + digest_of(bytes).hex] = bytes;
    return bytes;
  }
  // Returns the manifest.
  std::string image(const std::vector<std::string>& layers, bool compress = true) {
    const std::string config = blob(config_of(layers));
    std::string descriptors;
    for (const std::string& layer : layers) {
      descriptors += descriptors.empty() ? "" : ",";
      descriptors += compress ? descriptor(layer_type + std::string("+gzip"), blob(gzip(layer)))
                              : descriptor(layer_type, blob(layer));
    }
    return blob(R"({"schemaVersion":2,"mediaType":")" + std::string(manifest_type) + R"(","config":)" +
                descriptor(config_type, config) + R"(,"layers":[)" + descriptors + "]}");
  }
  static std::string index(const std::string& manifests) {
    return R"({"schemaVersion":2,"mediaType":")" + std::string(index_type) + R"(","manifests":[)" +
           manifests + "]}";
  }
  Layout& top(const std::string& manifests) {
    files_["index.json"] = index(manifests);
    return *this;
  }
  std::map<std::string, std::string>& files() { return files_; }
  std::string tar() const {
    TarBuilder tar;
    for (const auto& [name, bytes] : files_) tar.file(name, bytes);
    return tar.finish();
  }

 private:
  std::map<std::string, std::string> files_;
};

std::string docker_archive(const std::string& config, const std::vector<std::string>& layers,
                           const std::string& tags = R"(["app:1"])") {
  const std::string config_name = digest_of(config).hex + ".json";
  TarBuilder tar;
  tar.file(config_name, config);
  std::string names;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string name = std::to_string(i) + "/layer.tar";
    tar.directory(std::to_string(i)).file(name, layers[i]);
    names += (names.empty() ? "\"" : ",\"") + name + "\"";
  }
  return tar
      .file("manifest.json",
            R"([{"Config":")" + config_name + R"(","RepoTags":)" + tags + R"(,"Layers":[)" + names + "]}]")
      .finish();
}

class Archive : public InEveryNamespace {
 protected:
  static std::string describe(const Store& store, const std::vector<LoadedImage>& all) {
    std::string text;
    for (const LoadedImage& loaded : all) {
      text += "image";
      for (const std::string& name : loaded.names) text += " " + name;
      text += "\n";
      // What the caller got is what is in the store.
      if (ImageStore(store).get_image(loaded.image.id).size != loaded.image.size) text += "another size\n";
      for (const Digest& layer : loaded.image.layers)
        text += test::list_tree(LayerStore(store).tree_path(layer));
    }
    return text;
  }

  // The images of an archive and the trees of their layers, or "threw: ...".
  std::string load(const std::function<std::string(const Place&)>& make) const {
    return in_child([&](const Place& place) {
      const std::string path = make(place);
      std::string result;
      try {
        result = describe(place.store(), load_archive(place.store(), path));
      } catch (const Error& error) {
        result = "threw: " + error.message();
        if (!ImageStore(place.store()).list_images().empty()) result += "\nDAMAGE: an image was added";
      }
      ::unlink((place.path() + "/archive").c_str());
      return result + place.damage();
    });
  }
  std::string load(const std::string& archive) const {
    return load([&](const Place& place) {
      const std::string path = place.path() + "/archive";
      sys::create_file(AT_FDCWD, path, archive, 0644, sys::Durability::none);
      return path;
    });
  }
};

INSTANTIATE_TEST_SUITE_P(, Archive, testing::Values(As::root, As::user), name_of);

const std::string motd_tree = "d 0755 0:0 etc\nf 0644 0:0 etc/motd \"hello\"\n";

// ---- docker-archives ----

TEST_P(Archive, ADockerArchiveIsLoadedWithItsTags) {
  const std::string archive = docker_archive(config_of({one_layer()}), {one_layer()},
                                             R"(["app:1","docker.io/other","reg.io:5000/a/b:2"])");
  EXPECT_EQ(load(archive),
            "image localhost/app:1 docker.io/library/other:latest reg.io:5000/a/b:2\n" + motd_tree);
}

TEST_P(Archive, ADockerArchiveMayBeCompressedOrItsLayersOrBoth) {
  const std::string config = config_of({one_layer()});
  EXPECT_EQ(load(gzip(docker_archive(config, {one_layer()}))), "image localhost/app:1\n" + motd_tree);
  EXPECT_EQ(load(docker_archive(config, {gzip(one_layer())})), "image localhost/app:1\n" + motd_tree);
  EXPECT_EQ(load(gzip(docker_archive(config, {gzip(one_layer())}))), "image localhost/app:1\n" + motd_tree);
}

TEST_P(Archive, ADockerArchiveMayHaveNoTags) {
  EXPECT_EQ(load(docker_archive(config_of({one_layer()}), {one_layer()}, "null")), "image\n" + motd_tree);
}

TEST_P(Archive, LayersOfALegacyArchiveMayBeLinks) {
  const std::string config = config_of({one_layer(), one_layer()});
  EXPECT_EQ(load(TarBuilder()
                     .file("c.json", config)
                     .file("abc.tar", one_layer())
                     .symlink("1/layer.tar", "../abc.tar")
                     .hard_link("2/layer.tar", "1/layer.tar")
                     .file("./manifest.json",
                           R"([{"Config":"c.json","RepoTags":[],"Layers":["1/layer.tar","2/layer.tar"]}])")
                     .finish()),
            "image\n" + motd_tree + motd_tree);
}

TEST_P(Archive, LinksInAnArchiveLeadNowhereElse) {
  for (const char* target : {"/etc/passwd", "../../../../../etc/passwd", "1/layer.tar"}) {
    EXPECT_THAT(
        load(TarBuilder()
                 .file("c.json", config_of({one_layer()}))
                 .symlink("1/layer.tar", target)
                 .file("manifest.json", R"([{"Config":"c.json","RepoTags":[],"Layers":["1/layer.tar"]}])")
                 .finish()),
        HasSubstr("the archive has no file \"1/layer.tar\""))
        << target;
  }
}

TEST_P(Archive, ADockerArchiveMayHoldSeveralImagesWithCommonLayers) {
  const std::string a = config_of({one_layer("base"), one_layer("a")}), b = config_of({one_layer("base")});
  const std::string answer = load(
      TarBuilder()
          .file("a.json", a)
          .file("b.json", b)
          .file("base.tar", one_layer("base"))
          .file("a.tar", one_layer("a"))
          .file("manifest.json", R"([{"Config":"a.json","RepoTags":["a:1"],"Layers":["base.tar","a.tar"]},)"
                                 R"({"Config":"b.json","RepoTags":["b:1"],"Layers":["base.tar"]}])")
          .finish());
  EXPECT_THAT(answer, AllOf(HasSubstr("image localhost/a:1\n"), HasSubstr("image localhost/b:1\n"),
                            Not(HasSubstr("DAMAGE"))));
}

TEST_P(Archive, AConfigThatIsNotWhatItsNameSaysIsRefused) {
  const std::string config = config_of({one_layer()});
  const std::string name = digest_of("something else").hex + ".json";
  EXPECT_THAT(
      load(TarBuilder()
               .file(name, config)
               .file("l.tar", one_layer())
               .file("manifest.json", R"([{"Config":")" + name + R"(","RepoTags":[],"Layers":["l.tar"]}])")
               .finish()),
      HasSubstr("has digest " + render(digest_of(config))));
}

TEST_P(Archive, ALayerThatIsNotWhatTheConfigSaysIsRefused) {
  EXPECT_THAT(load(docker_archive(config_of({one_layer("good")}), {one_layer("evil")})),
              AllOf(HasSubstr("the uncompressed layer has digest"), Not(HasSubstr("DAMAGE"))));
}

TEST_P(Archive, AsManyLayersAsTheConfigSays) {
  EXPECT_THAT(load(docker_archive(config_of({one_layer()}), {one_layer(), one_layer()})),
              HasSubstr("the manifest has 2 layers, the config 1"));
}

// ---- OCI layouts ----

TEST_P(Archive, AnOciArchiveIsLoadedWithItsName) {
  Layout layout;
  const std::string manifest = layout.image({one_layer()});
  layout.top(descriptor(manifest_type, manifest, named(ref_name, "docker.io/library/app:2")));
  EXPECT_EQ(load(layout.tar()), "image docker.io/library/app:2\n" + motd_tree);
  EXPECT_EQ(load(gzip(layout.tar())), "image docker.io/library/app:2\n" + motd_tree);
}

TEST_P(Archive, AnOciNameMayBeATagOrNothingOrNoNameAtAll) {
  const auto name_for = [&](const std::string& annotation) {
    Layout layout;
    const std::string manifest = layout.image({one_layer()}, false);
    layout.top(descriptor(manifest_type, manifest, annotation));
    const std::string answer = load(layout.tar());
    return answer.substr(0, answer.find('\n'));
  };
  EXPECT_EQ(name_for(named(ref_name, "latest")), "image localhost/latest:latest");
  EXPECT_EQ(name_for(named("io.containerd.image.name", "docker.io/library/x:1")),
            "image docker.io/library/x:1");
  EXPECT_EQ(name_for(R"(,"annotations":{")" + ref_name +
                     R"(":"1","io.containerd.image.name":"docker.io/library/x:1"})"),
            "image docker.io/library/x:1");
  EXPECT_EQ(name_for(""), "image");
  EXPECT_EQ(name_for(named(ref_name, "NotAName")), "image");
}

TEST_P(Archive, AnOciLayoutMayBeADirectory) {
  EXPECT_EQ(load([](const Place& place) {
              Layout layout;
              const std::string manifest = layout.image({one_layer()});
              layout.top(descriptor(manifest_type, manifest, named(ref_name, "dir:1")));
              // Beside the store nothing may appear, so it lies in it, where the test looks at staging only.
              const std::string path = place.store().path("trash/layout");
              sys::make_directories(AT_FDCWD, path + "/blobs/sha256", 0755);
              for (const auto& [name, bytes] : layout.files()) {
                sys::create_file(AT_FDCWD, path + "/" + name, bytes, 0644, sys::Durability::none);
              }
              return path;
            }),
            "image localhost/dir:1\n" + motd_tree);
}

TEST_P(Archive, LinksInALayoutDirectoryAreNotFollowed) {
  EXPECT_THAT(load([](const Place& place) {
                Layout layout;
                const std::string manifest = layout.image({one_layer()});
                layout.top(descriptor(manifest_type, manifest));
                const std::string path = place.store().path("trash/layout"),
                                  real = place.store().path("trash/real");
                sys::make_directories(AT_FDCWD, real + "/blobs/sha256", 0755);
                sys::make_directories(AT_FDCWD, path, 0755);
                for (const auto& [name, bytes] : layout.files()) {
                  sys::create_file(AT_FDCWD, real + "/" + name, bytes, 0644, sys::Durability::none);
                  if (name.find('/') == std::string::npos) {
                    sys::create_file(AT_FDCWD, path + "/" + name, bytes, 0644, sys::Durability::none);
                  }
                }
                if (::symlink("../real/blobs", (path + "/blobs").c_str()) < 0) throw_errno("linking");
                return path;
              }),
              HasSubstr("the archive has no file \"blobs/sha256/"));
}

TEST_P(Archive, TheImageOfThisMachineIsChosenFromAnIndex) {
  Layout layout;
  const std::string ours = layout.image({one_layer("ours")});
  const std::string theirs = layout.image({one_layer("theirs")});
  const std::string attestation = layout.blob("an attestation");
  const std::string index = layout.blob(
      Layout::index(descriptor(manifest_type, theirs, platform(other_architecture())) + "," +
                    descriptor(manifest_type, ours, platform(host_platform().architecture)) + "," +
                    descriptor(manifest_type, attestation, platform("unknown", "unknown"))));
  const std::string nested = layout.blob(Layout::index(descriptor(index_type, index)));
  layout.top(descriptor(index_type, index, named(ref_name, "app:1")));
  EXPECT_THAT(load(layout.tar()), AllOf(HasSubstr("\"ours\""), Not(HasSubstr("theirs"))));
  layout.top(descriptor(index_type, nested, named(ref_name, "app:1")));
  EXPECT_THAT(load(layout.tar()), AllOf(StartsWith("image localhost/app:1\n"), HasSubstr("\"ours\"")));
  // index.json itself may list the platforms.
  layout.top(descriptor(manifest_type, theirs, platform(other_architecture())) + "," +
             descriptor(manifest_type, ours, platform(host_platform().architecture)));
  EXPECT_THAT(load(layout.tar()), AllOf(HasSubstr("\"ours\""), Not(HasSubstr("theirs"))));
}

TEST_P(Archive, AnArchiveForOtherMachinesIsRefused) {
  Layout layout;
  const std::string theirs = layout.image({one_layer()});
  const std::string index =
      layout.blob(Layout::index(descriptor(manifest_type, theirs, platform(other_architecture()))));
  layout.top(descriptor(index_type, index));
  EXPECT_THAT(load(layout.tar()),
              HasSubstr("the archive has no image for linux/" + host_platform().architecture));
}

TEST_P(Archive, AllImagesOfALayoutAreLoadedAndOneImageOnce) {
  Layout layout;
  const std::string a = layout.image({one_layer("a")}), b = layout.image({one_layer("b")});
  layout.top(descriptor(manifest_type, a, named(ref_name, "a:1")) + "," +
             descriptor(manifest_type, a, named(ref_name, "a:2")) + "," +
             descriptor(manifest_type, b, named(ref_name, "b:1")));
  const std::string answer = load(layout.tar());
  EXPECT_THAT(answer,
              AllOf(HasSubstr("image localhost/a:1 localhost/a:2\n"), HasSubstr("image localhost/b:1\n")));
}

TEST_P(Archive, AnArchiveThatIsBothIsReadAsOci) {
  Layout layout;
  const std::string manifest = layout.image({one_layer()});
  layout.top(
      descriptor(manifest_type, manifest, named("io.containerd.image.name", "docker.io/library/app:1")));
  layout.files()["manifest.json"] = R"([{"Config":"missing","RepoTags":["app:1"],"Layers":[]}])";
  EXPECT_EQ(load(layout.tar()), "image docker.io/library/app:1\n" + motd_tree);
}

// ---- what must not be loaded ----

TEST_P(Archive, EveryBlobMustHaveItsDigestAndSize) {
  Layout layout;
  const std::string manifest = layout.image({one_layer()});
  layout.top(descriptor(manifest_type, manifest));
  for (const auto& [name, bytes] : layout.files()) {
    if (!name.starts_with("blobs/")) continue;
    Layout changed = layout;
    changed.files()[name].back() ^= 1;
    EXPECT_THAT(load(changed.tar()), AllOf(StartsWith("threw: "), Not(HasSubstr("DAMAGE")))) << bytes;
    changed.files()[name] = bytes + " ";
    EXPECT_THAT(load(changed.tar()), AllOf(StartsWith("threw: "), HasSubstr("bytes, not"))) << bytes;
    changed.files().erase(name);
    EXPECT_THAT(load(changed.tar()), HasSubstr("the archive has no file")) << bytes;
  }
}

TEST_P(Archive, DigestsThatArePathsAreRefused) {
  for (const char* digest :
       {"sha256:../../../../etc/passwd", "md5:d41d8cd98f00b204e9800998ecf8427e", "",
        "sha256:", "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}) {
    Layout layout;
    layout.top(R"({"mediaType":")" + std::string(manifest_type) + R"(","digest":")" + digest +
               R"(","size":1})");
    EXPECT_THAT(load(layout.tar()), HasSubstr("not a sha256 or sha512 digest")) << digest;
  }
}

TEST_P(Archive, ADocumentIsWhatItsDescriptorSays) {
  Layout layout;
  const std::string manifest = layout.image({one_layer()});
  // A manifest called an index, an index called a manifest, and one that can be read as both.
  layout.top(descriptor(index_type, manifest));
  EXPECT_THAT(load(layout.tar()), StartsWith("threw: "));
  const std::string index = layout.blob(Layout::index(descriptor(manifest_type, manifest)));
  layout.top(descriptor(manifest_type, index));
  EXPECT_THAT(load(layout.tar()), StartsWith("threw: "));
  const std::string both = layout.blob(R"({"schemaVersion":2,"manifests":[],"layers":[],"config":)" +
                                       descriptor(config_type, "x") + "}");
  for (const char* type : {manifest_type, index_type}) {
    layout.top(descriptor(type, both));
    EXPECT_THAT(load(layout.tar()), HasSubstr("both a manifest and an index"));
  }
  // The type inside differs from the one outside.
  const std::string docker = "application/vnd.docker.distribution.manifest.v2+json";
  layout.top(descriptor(docker, manifest));
  EXPECT_THAT(load(layout.tar()), EndsWith("is " + std::string(manifest_type) + ", not \"" + docker + '"'));
}

TEST_P(Archive, AnArtifactIsNoImage) {
  Layout layout;
  const std::string config = layout.blob("{}");
  const std::string manifest =
      layout.blob(R"({"schemaVersion":2,"mediaType":")" + std::string(manifest_type) + R"(","config":)" +
                  descriptor("application/vnd.oci.empty.v1+json", config) + R"(,"layers":[]})");
  layout.top(descriptor(manifest_type, manifest));
  EXPECT_THAT(load(layout.tar()), HasSubstr("it is no container image"));
}

TEST_P(Archive, IndexesAreNotFollowedForEver) {
  Layout layout;
  std::string index = layout.image({one_layer()});
  std::string type = manifest_type;
  for (int depth = 0; depth < 6; ++depth) {
    index = layout.blob(Layout::index(descriptor(type, index)));
    type = index_type;
  }
  layout.top(descriptor(type, index));
  EXPECT_THAT(load(layout.tar()), HasSubstr("nested too deeply"));
}

TEST_P(Archive, DocumentsHaveASizeLimit) {
  EXPECT_THAT(load(TarBuilder().file("manifest.json", std::string((4 << 20) + 1, ' ')).finish()),
              HasSubstr("more than the 4194304 allowed"));
}

TEST_P(Archive, WhatIsNoArchiveSaysSo) {
  EXPECT_THAT(load(TarBuilder().file("etc/passwd", "x").finish()), HasSubstr("neither a docker-archive"));
  EXPECT_THAT(load("this is text, not a tar" + std::string(1000, '.')), HasSubstr("tar header at byte 0"));
  EXPECT_THAT(load(""), HasSubstr("neither a docker-archive"));
  EXPECT_THAT(load([](const Place&) { return std::string("/nonexistent"); }),
              HasSubstr("opening /nonexistent: no such file or directory"));
  const std::string whole = docker_archive(config_of({one_layer()}), {one_layer()});
  EXPECT_THAT(load(whole.substr(0, 2000)), HasSubstr("the archive ends"));
}

// ---- standard input ----

TEST_P(Archive, StandardInputMayBeAPipeOrAFile) {
  const std::string archive = docker_archive(config_of({one_layer()}), {one_layer()});
  EXPECT_EQ(load([&](const Place&) {
              sys::Pipe pipe = sys::make_pipe();
              ::dup2(pipe.read.get(), STDIN_FILENO);
              const int size = ::fcntl(pipe.write.get(), F_SETPIPE_SZ, 1 << 20);
              if (static_cast<std::size_t>(size) < archive.size()) throw Error("the pipe is too small");
              sys::write_all(pipe.write.get(), archive, "pipe");
              return std::string("-");
            }),
            "image localhost/app:1\n" + motd_tree);
  for (const std::size_t before : {0, 3}) {
    EXPECT_EQ(load([&](const Place& place) {
                const std::string path = place.path() + "/archive";
                sys::create_file(AT_FDCWD, path, std::string(before, 'x') + archive, 0644,
                                 sys::Durability::none);
                const sys::UniqueFd file = sys::open_at(AT_FDCWD, path, O_RDONLY);
                ::lseek(file.get(), static_cast<off_t>(before), SEEK_SET);
                ::dup2(file.get(), STDIN_FILENO);
                return std::string("-");
              }),
              "image localhost/app:1\n" + motd_tree)
        << before;
  }
}

// ---- import ----

TEST_P(Archive, AnImportedTreeBecomesAnImage) {
  EXPECT_EQ(in_child([](const Place& place) -> std::string {
              const std::string path = place.path() + "/archive";
              sys::create_file(AT_FDCWD, path, gzip(one_layer()), 0644, sys::Durability::none);
              ImportOptions options;
              options.name = "tree:1";
              options.changes = {"CMD [\"/bin/sh\"]", "ENV A=1", "LABEL x=y"};
              options.message = "made by hand";
              const Image image = import_tree(place.store(), path, options);
              const Image stored = ImageStore(place.store()).get_image("localhost/tree:1");
              ::unlink(path.c_str());
              return concat(stored.id == image.id ? "same id" : "another id", '\n', stored.config.cmd.at(0),
                            ' ', stored.config.env.at(0), ' ', stored.config.labels.at("x"), ' ',
                            stored.architecture, ' ', stored.os, ' ', stored.history.at(0).comment, '\n',
                            test::list_tree(LayerStore(place.store()).tree_path(stored.layers.at(0))),
                            place.damage());
            }),
            "same id\n/bin/sh A=1 y " + host_platform().architecture + " linux made by hand\n" + motd_tree);
}

TEST_P(Archive, NothingIsNoTree) {
  EXPECT_EQ(in_child([](const Place& place) -> std::string {
              try {
                import_tree(place.store(), "/dev/null", {});
              } catch (const InvalidArgument& error) {
                return error.message() + place.damage();
              }
              return "taken";
            }),
            "importing /dev/null: it is empty");
}

TEST_P(Archive, ABadChangeIsFoundBeforeAnythingIsUnpacked) {
  EXPECT_EQ(in_child([](const Place& place) -> std::string {
              ImportOptions options;
              options.changes = {"RUN rm -rf /"};
              try {
                import_tree(place.store(), "/nonexistent", options);
              } catch (const InvalidArgument& error) {
                return error.message() + place.damage();
              }
              return "taken";
            }),
            "importing /nonexistent: change \"RUN rm -rf /\": expected CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, "
            "ONBUILD, STOPSIGNAL, "
            "USER, VOLUME or WORKDIR");
}

TEST_P(Archive, ALoadedImageBecomesDurable) {
  EXPECT_EQ(in_child([](const Place& place) -> std::string {
              const std::string path = place.path() + "/archive";
              const std::string archive = docker_archive(config_of({one_layer()}), {one_layer()});
              sys::create_file(AT_FDCWD, path, archive, 0644, sys::Durability::none);
              load_archive(place.store(), path);
              for (int i = 0; i < 1000; ++i) {  // another process does it; its end cannot be waited for
                if (LayerStore(place.store()).find_layer(digest_of(one_layer()))->durable) return "durable";
                ::usleep(10'000);
              }
              return "not durable";
            }),
            "durable");
}

}  // namespace
}  // namespace knarr::storage
