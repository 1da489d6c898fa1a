// SPDX-License-Identifier: Apache-2.0
// A layer's tar made again from its tree: the same bytes whatever the tar was like, and every change of the
// tree found.
#include "storage/layer/assemble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <random>

#include "rootless/sys/error.h"
#include "storage/layer/suspect.h"
#include "storage/layer/unpack.h"
#include "tests/namespace/store_place.h"
#include "tests/support/tar_builder.h"

namespace knarr::storage {
namespace {

using test::TarBuilder;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string read_all(const ByteSource& source) {
  std::string bytes, buffer(10'000, '\0');
  while (const std::size_t got = source(buffer.data(), buffer.size())) bytes.append(buffer, 0, got);
  return bytes;
}

// "" when the layer of this tar gives it again and is found undamaged.
std::string round_trip(const Place& place, const std::string& tar) {
  LayerStore(place.store()).unpack_layer(request_for(tar));
  const Digest id = digest_of(tar);
  if (!is_exact(place.store(), id)) return "it has no split";
  if (read_all(layer_tar(place.store(), id)) != tar) return "the bytes differ";
  const LayerVerdict verdict = verify_layer(place.store(), id);
  return verdict.damage + place.damage();
}

class Assemble : public InEveryNamespace {
 protected:
  std::string round_trip_of(const std::string& tar) const {
    return in_child([&](const Place& place) {
      try {
        return round_trip(place, tar);
      } catch (const Error& error) {
        return "threw: " + error.message();
      }
    });
  }

  // What verify_layer and verify_layer_attributes say of a layer after `change` was done to its tree.
  std::string verdicts_after(const std::string& tar,
                             const std::function<void(const std::string&)>& change) const {
    return in_child([&](const Place& place) {
      LayerStore(place.store()).unpack_layer(request_for(tar));
      change(LayerStore(place.store()).tree_path(digest_of(tar)));
      return verify_layer(place.store(), digest_of(tar)).damage + "|" +
             verify_layer_attributes(place.store(), digest_of(tar)).damage;
    });
  }
};

INSTANTIATE_TEST_SUITE_P(, Assemble, testing::Values(As::root, As::user, As::single_id), name_of);

std::string pseudo_random(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// ---- the same bytes again ----

TEST_P(Assemble, OrdinaryLayers) {
  TarBuilder tar;
  tar.directory("./").directory("bin/").file("bin/tool", pseudo_random(300'000, 1), 0755);
  tar.file("empty", "").file("block", std::string(512, 'x')).symlink("link", "bin/tool");
  tar.hard_link("bin/same", "bin/tool").add({.type = '6', .path = "pipe"});
  for (int i = 0; i < 300; ++i) tar.file("bin/f" + std::to_string(i), pseudo_random(i * 37, i));
  EXPECT_EQ(round_trip_of(tar.finish()), "");
}

TEST_P(Assemble, NothingAtAll) {
  EXPECT_EQ(round_trip_of(TarBuilder().finish()), "");
  EXPECT_EQ(round_trip_of(""), "");
}

TEST_P(Assemble, ArchivesWithoutEndAndWithBytesAfterIt) {
  const TarBuilder tar = TarBuilder().file("f", "content");
  EXPECT_EQ(round_trip_of(tar.without_end()), "");
  EXPECT_EQ(round_trip_of(tar.without_end() + std::string(512, '\0')), "");
  EXPECT_EQ(round_trip_of(tar.finish() + std::string(20'000, '\0')), "");
  EXPECT_EQ(round_trip_of(tar.finish() + pseudo_random(70'001, 3)), "");
}

TEST_P(Assemble, PaddingThatIsNotZero) {
  std::string tar = TarBuilder().file("f", "content").file("g", "x").finish();
  tar.replace(512 + 100, 9, "not zeros");
  EXPECT_EQ(round_trip_of(tar), "");
}

TEST_P(Assemble, ExtendedHeaders) {
  EXPECT_EQ(
      round_trip_of(TarBuilder()
                        .pax({{"comment", "global"}}, 'g')
                        .pax({{"path", "a/" + std::string(200, 'n')}, {"mtime", "12.5"}, {"foo", "bar"}})
                        .file("short", "1")
                        .gnu_long('L', std::string(150, 'l'))
                        .file("x", "2")
                        .gnu_long('K', std::string(150, 't'))
                        .symlink("s", "t")
                        .pax({{"SCHILY.xattr.user.note", "kept"},
                              {"SCHILY.xattr.trusted.other", "refused"},
                              {"SCHILY.xattr.security.selinux", "label"}})
                        .file("attributes", "3")
                        .add({.type = '7', .path = "contiguous", .content = "4"})
                        .add({.type = 'V', .path = "label", .content = "volume"})
                        .add({.type = 'D', .path = "dump", .content = "a list of names", .mode = 0755})
                        .finish()),
      "");
}

TEST_P(Assemble, SparseFiles) {
  EXPECT_EQ(
      round_trip_of(
          TarBuilder()
              .pax(
                  {{"GNU.sparse.size", "10000000"}, {"GNU.sparse.map", "0,2,5000000,3,9000000,4,10000000,0"}})
              .file("f", "aabbbcccc")
              .pax({{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.realsize", "5000"}})
              .file("g", test::pad_to_block("1\n4000\n3\n") + "xyz")
              .pax({{"GNU.sparse.size", "70000"}, {"GNU.sparse.numblocks", "0"}})
              .file("holes", "")
              .finish()),
      "");
}

TEST_P(Assemble, WhiteoutsAndTheirContent) {
  EXPECT_EQ(round_trip_of(TarBuilder()
                              .directory("d")
                              .file("d/.wh.gone", "a whiteout has no content, but this one does")
                              .file("d/.wh..wh..opq", "")
                              .file(".wh..wh.plnk/x", "left out")
                              .file(".wh.other", "")
                              .directory("other")
                              .finish()),
            "");
}

TEST_P(Assemble, NamesOfAllKinds) {
  EXPECT_EQ(round_trip_of(TarBuilder()
                              .file("/absolute", "1")
                              .file("./a//b/../c", "2")
                              .file("tab\tnew\nline", "3")
                              .file("\xff\xfe not utf-8", "4")
                              .file("missing/parents/file", "5")
                              .directory("real")
                              .symlink("link", "real")
                              .file("link/inside", "6")
                              .symlink("round", "/../link/../real")
                              .file("round/about", "7")
                              .finish()),
            "");
}

TEST_P(Assemble, DevicesAndOwnersTheStoreCannotHave) {
  EXPECT_EQ(round_trip_of(TarBuilder()
                              .add({.type = '3', .path = "null", .major = 1, .minor = 3})
                              .add({.type = '4', .path = "disk", .major = 8, .minor = 0})
                              .add({.type = '3', .path = "mark", .major = 0, .minor = 0})
                              .add({.path = "owned", .content = "x", .mode = 06755, .uid = 60'000, .gid = 8})
                              .add({.type = '5', .path = "dir", .mode = 02775, .uid = 33, .gid = 8})
                              .add({.type = '2', .path = "l", .link = "owned", .uid = 33, .gid = 33})
                              .file("closed", "secret", 0)
                              .finish()),
            "");
}

// ---- what later entries wrote over ----

TEST_P(Assemble, ContentThatWasReplaced) {
  const std::string large = pseudo_random(200'000, 5);
  EXPECT_EQ(round_trip_of(TarBuilder()
                              .directory("./")
                              .file("f", "first")
                              .file("f", "second")
                              .file("f", large)
                              .file("f", "fourth, which stays")
                              .file("g", "becomes a link")
                              .symlink("g", "f")
                              .file("h", "becomes a directory")
                              .directory("h")
                              .file("h/inside", "inside")
                              .file("i", "becomes a FIFO")
                              .add({.type = '6', .path = "i"})
                              .file("j", large)
                              .file("j", "")
                              .finish()),
            "");
}

TEST_P(Assemble, HardLinksToContentThatWasReplaced) {
  EXPECT_EQ(round_trip_of(TarBuilder()
                              .file("a", "one")
                              .hard_link("b", "a")
                              .file("a", "two")
                              .file("b", "three")
                              .file("c", "four")
                              .hard_link("a", "c")
                              .file("a", "five")
                              .hard_link("c", "b")
                              .finish()),
            "");
}

TEST_P(Assemble, DirectoriesThatWereReplaced) {
  EXPECT_EQ(round_trip_of(TarBuilder()
                              .directory("d")
                              .file("d/a", "one")
                              .directory("d/e")
                              .file("d/e/b", "two")
                              .file("d", "a file now")
                              .directory("d")
                              .file("d/a", "three")
                              .symlink("d", "/x")
                              .directory("x")
                              .file("d/a", "four, in x")
                              .file("x/a", "five")
                              .finish()),
            "");
}

TEST_P(Assemble, ReplacedSparseFiles) {
  EXPECT_EQ(round_trip_of(
                TarBuilder()
                    .pax({{"GNU.sparse.size", "5000000000000"}, {"GNU.sparse.map", "0,2,4000000000000,3"}})
                    .file("f", "aabbb")
                    .file("f", "plain")
                    .finish()),
            "");
}

TEST_P(Assemble, MoreReplacedFilesThanAreRemembered) {
  EXPECT_EQ(in_child([](const Place& place) {
              TarBuilder builder;
              std::string path = "f";  // a long one: what is remembered is limited by its bytes
              for (int i = 0; i < 15; ++i) path = std::string(250, 'd') + "/" + path;
              for (int i = 0; i < 2500; ++i) builder.pax({{"path", path}}).file("f", std::to_string(i));
              const std::string tar = builder.finish();
              const LayerMeta meta = LayerStore(place.store()).unpack_layer(request_for(tar));
              std::string refusal;
              try {
                layer_tar(place.store(), digest_of(tar));
              } catch (const Unsupported& error) {
                refusal = error.hint();
              }
              const LayerVerdict verdict = verify_layer(place.store(), digest_of(tar));
              return concat(meta.notices.back(), '|', refusal, '|',
                            verdict.is_exact ? "exact" : "by its sizes");
            }),
            "the tar writes over its own files too often to be made again exactly|"
            "remove the image and load or pull it again|by its sizes");
}

// ---- many layers at random ----

class RandomTar {
 public:
  explicit RandomTar(unsigned seed) : random_(seed) {}

  std::string make() {
    const unsigned entries = below(16);
    for (unsigned i = 0; i < entries; ++i) add();
    std::string tar = below(8) == 0 ? tar_.without_end() : tar_.finish();
    if (below(4) == 0) tar += pseudo_random(below(3000), below(1000));
    return tar;
  }

 private:
  unsigned below(unsigned limit) { return random_() % limit; }

  // Few names, so that they meet.
  std::string name() {
    std::string path(1, static_cast<char>('a' + below(3)));
    while (below(3) == 0) path += concat('/', static_cast<char>('a' + below(3)));
    return path;
  }

  std::string content() {
    constexpr unsigned sizes[] = {0, 1, 511, 512, 513, 5'000, 70'000, 300'000};
    return pseudo_random(sizes[below(8)], below(1000));
  }

  void add() {
    if (below(10) == 0) tar_.pax({{"mtime", "5.25"}, {"SCHILY.xattr.user.x", "y"}});
    switch (below(9)) {
      case 0:
        tar_.directory(name(), below(2) == 0 ? 0755 : 02700);
        break;
      case 1:
        tar_.symlink(name(), name());
        break;
      case 2:
        if (!files_.empty()) tar_.hard_link(name(), files_[below(static_cast<unsigned>(files_.size()))]);
        break;
      case 3:
        tar_.add({.type = '6', .path = name(), .mode = 0600});
        break;
      case 4:
        tar_.file(below(2) == 0 ? ".wh." + name().substr(0, 1) : name() + "/.wh.x", "");
        break;
      default:
        files_.push_back(name());
        tar_.file(files_.back(), content(), below(2) == 0 ? 0644 : 04755);
    }
  }

  std::mt19937 random_;
  TarBuilder tar_;
  std::vector<std::string> files_;
};

TEST_P(Assemble, RandomLayers) {
  EXPECT_EQ(in_child([](const Place& place) {
              int taken = 0;
              for (unsigned seed = 1; seed <= 150; ++seed) {
                const std::string tar = RandomTar(seed).make();
                try {
                  const std::string difference = round_trip(place, tar);
                  ++taken;
                  if (!difference.empty()) return concat("seed ", seed, ": ", difference);
                } catch (const InvalidArgument&) {
                  // Links in circles, files as directories: no layer.
                } catch (const NotFound&) {
                  // A hard link to nothing.
                } catch (const SysError& error) {
                  if (error.code() != EPERM) return concat("seed ", seed, ": ", error.message());
                  // A hard link to a directory.
                }
              }
              return std::string(taken > 40 ? "enough" : concat("only ", taken, " layers"));
            }),
            "enough");
}

// ---- damage ----

const std::string& sample() {
  static const std::string tar = TarBuilder()
                                     .directory("d")
                                     .file("d/f", pseudo_random(5000, 1))
                                     .pax({{"SCHILY.xattr.user.note", "kept"}})
                                     .file("g", "content", 0640)
                                     .hard_link("h", "g")
                                     .symlink("l", "g")
                                     .file(".wh.gone", "")
                                     .file("empty", "")
                                     .finish();
  return tar;
}

void write_at(const std::string& path, off_t offset, const char* bytes) {
  const sys::UniqueFd fd = sys::open_at(AT_FDCWD, path, O_WRONLY);
  struct stat before;
  if (::fstat(fd.get(), &before) < 0) throw_errno("looking at ", path);
  if (::pwrite(fd.get(), bytes, strlen(bytes), offset) < 0) throw_errno("writing ", path);
  const std::timespec times[2] = {before.st_atim, before.st_mtim};
  ::futimens(fd.get(), times);
}

void keep_time(const std::string& path, const std::function<void()>& act) {
  struct stat before;
  if (::lstat(path.c_str(), &before) < 0) throw_errno("looking at ", path);
  act();
  const std::timespec times[2] = {before.st_atim, before.st_mtim};
  ::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW);
}

TEST_P(Assemble, AnUnchangedLayerIsWhole) {
  EXPECT_EQ(verdicts_after(sample(), [](const std::string&) {}), "|");
}

TEST_P(Assemble, ChangedContentIsFoundByReadingIt) {
  EXPECT_EQ(
      verdicts_after(sample(), [](const std::string& tree) { write_at(tree + "/d/f", 4000, "changed"); }),
      "the content of file \"d/f\" differs|");
}

TEST_P(Assemble, AFileCutShortIsFound) {
  EXPECT_EQ(verdicts_after(sample(),
                           [](const std::string& tree) {
                             keep_time(tree + "/d/f", [&] {
                               if (::truncate((tree + "/d/f").c_str(), 0) < 0) throw_errno("truncating");
                             });
                           }),
            "file \"d/f\" is shorter than it was|\"d/f\" has 0 bytes, not 5000");
}

TEST_P(Assemble, AMissingFileIsFound) {
  EXPECT_EQ(verdicts_after(sample(),
                           [](const std::string& tree) {
                             keep_time(tree + "/d", [&] { ::unlink((tree + "/d/f").c_str()); });
                           }),
            "file \"d/f\" is missing|\"d/f\" is missing");
}

TEST_P(Assemble, AFileThatIsSomethingElseIsNotFollowed) {
  EXPECT_EQ(verdicts_after(sample(),
                           [](const std::string& tree) {
                             keep_time(tree + "/d", [&] {
                               ::rename((tree + "/d/f").c_str(), (tree + "/d/other").c_str());
                               if (::symlink("other", (tree + "/d/f").c_str()) < 0) throw_errno("linking");
                             });
                           }),
            "file \"d/f\" is missing|\"d/f\" is a link, not a file");
}

TEST_P(Assemble, ChangedAttributesAreFound) {
  const auto after = [&](const std::function<void(const std::string&)>& change) {
    return verdicts_after(sample(), change);
  };
  EXPECT_EQ(after([](const std::string& tree) { ::chmod((tree + "/g").c_str(), 0666); }),
            "\"g\" has mode 0666, not 0640|\"g\" has mode 0666, not 0640");
  EXPECT_THAT(after([](const std::string& tree) { ::chmod((tree + "/d").c_str(), 0700); }),
              HasSubstr("\"d\" has mode 0700, not 0755"));
  EXPECT_THAT(after([](const std::string& tree) { ::removexattr((tree + "/g").c_str(), "user.note"); }),
              HasSubstr("\"g\" lacks its attribute user.note"));
  EXPECT_THAT(
      after([](const std::string& tree) { ::setxattr((tree + "/g").c_str(), "user.note", "x", 1, 0); }),
      HasSubstr("\"g\" has another attribute user.note"));
  EXPECT_THAT(after([](const std::string& tree) {
                const std::timespec times[2] = {{7, 0}, {7, 0}};
                ::utimensat(AT_FDCWD, (tree + "/empty").c_str(), times, 0);
              }),
              HasSubstr("\"empty\" is of 7, not of 1 (seconds since 1970)"));
  EXPECT_THAT(after([](const std::string& tree) { ::unlink((tree + "/gone").c_str()); }),
              HasSubstr("\"gone\" does not hide what is below"));
  EXPECT_THAT(after([](const std::string& tree) {
                ::unlink((tree + "/l").c_str());
                if (::symlink("d", (tree + "/l").c_str()) < 0) throw_errno("linking");
              }),
              HasSubstr("\"l\" links to \"d\", not to \"g\""));
  EXPECT_THAT(after([](const std::string& tree) {
                ::unlink((tree + "/h").c_str());
                sys::create_file(AT_FDCWD, tree + "/h", "content", 0640, sys::Durability::none);
              }),
              HasSubstr("\"h\" is no other name of \"g\""));
}

TEST_P(Assemble, ChangedOwnersAreFound) {
  if (is_single()) return;  // there is no other owner to give it to
  EXPECT_THAT(
      verdicts_after(sample(), [](const std::string& tree) { ::chown((tree + "/g").c_str(), 33, 0); }),
      HasSubstr("\"g\" belongs to 33:0, not to 0:0"));
}

TEST_P(Assemble, ATornSplitIsDamage) {
  EXPECT_THAT(verdicts_after(sample(),
                             [](const std::string& tree) {
                               const std::string split = tree + "/../tar.zst";
                               if (::truncate(split.c_str(), 100) < 0) throw_errno("truncating");
                             }),
              HasSubstr("corrupt zstd stream"));
}

TEST_P(Assemble, ALayerWithoutASplitIsComparedByItsSizes) {
  EXPECT_EQ(in_child([](const Place& place) {
              const Digest id = digest_of(sample());
              LayerStore(place.store()).unpack_layer(request_for(sample()));
              const std::string layer = place.store().path(layer_directory(id));
              ::unlink((layer + "/tar.zst").c_str());
              const LayerVerdict before = verify_layer(place.store(), id);
              if (::truncate((layer + "/diff/d/f").c_str(), 0) < 0) throw_errno("truncating");
              return concat(before.is_exact ? "exact" : "by sizes", '|', before.damage, '|',
                            verify_layer(place.store(), id).damage);
            }),
            "by sizes||its files hold 7 bytes, not 5007");
}

// ---- suspects ----

// As if the machine had stopped before the layer was on the disk.
void make_suspect(const Place& place, const Digest& id) {
  const std::string file = layer_directory(id) + "/meta.json";
  std::string record = sys::read_file(place.store().fd(), file);
  const std::string key = "\"boot_id\":\"";
  record.replace(record.find(key) + key.size(), 8, "00000000");
  sys::replace_file(place.store().fd(), file, record, 0600, sys::Durability::none);
}

TEST_P(Assemble, AWholeSuspectIsNotFetchedAgain) {
  EXPECT_EQ(in_child([](const Place& place) {
              const LayerStore layers(place.store());
              const Digest id = digest_of(sample());
              layers.unpack_layer(request_for(sample()));
              make_suspect(place, id);
              if (!is_suspect(*layers.find_layer(id))) return std::string("it is no suspect");
              UnpackRequest again = request_for(sample());
              again.source = [](char*, std::size_t) -> std::size_t { throw Error("it was read"); };
              layers.unpack_layer(again);
              return (layers.find_layer(id)->durable ? "durable" : "not durable") + place.damage();
            }),
            "durable");
}

TEST_P(Assemble, ATornSuspectGoesToTheTrash) {
  EXPECT_EQ(in_child([](const Place& place) {
              const LayerStore layers(place.store());
              const Digest id = digest_of(sample());
              layers.unpack_layer(request_for(sample()));
              make_suspect(place, id);
              if (::truncate((layers.tree_path(id) + "/g").c_str(), 3) < 0) throw_errno("truncating");
              std::string damage;
              const bool is_usable = settle_suspect_layer(place.store(), id, &damage).has_value();
              return concat(is_usable ? "usable" : "useless", ": ", damage,
                            layers.find_layer(id) ? ", there" : "",
                            place.store().has_trash() ? ", in the trash" : "", place.damage());
            }),
            "useless: file \"g\" is shorter than it was, in the trash");
}

TEST_P(Assemble, ATrustedLayerIsNotRead) {
  EXPECT_EQ(in_child([](const Place& place) {
              const LayerStore layers(place.store());
              const Digest id = digest_of(sample());
              layers.unpack_layer(request_for(sample()));
              ::unlink((layers.tree_path(id) + "/g").c_str());
              return std::string(settle_suspect_layer(place.store(), id, nullptr) ? "trusted" : "useless");
            }),
            "trusted");
}

}  // namespace
}  // namespace knarr::storage
