// SPDX-License-Identifier: Apache-2.0
// Unpacking as root, in a user's namespace R and in one with a single id: what the tree looks like
// afterwards, and what hostile archives do not reach.
#include "storage/layer/unpack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "rootless/sys/error.h"
#include "rootless/sys/lock.h"
#include "tests/namespace/store_place.h"
#include "tests/support/tar_builder.h"
#include "tests/support/tree_listing.h"

namespace knarr::storage {
namespace {

using test::TarBuilder;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Unpack : public InEveryNamespace {
 protected:
  // The tree a layer becomes, or "threw: ...", and what it has damaged.
  std::string unpack(const std::string& tar) const {
    return in_child([&](const Place& place) {
      const LayerStore layers(place.store());
      std::string result;
      try {
        layers.unpack_layer(request_for(tar));
        result = test::list_tree(layers.tree_path(digest_of(tar)));
      } catch (const Error& error) {
        result = "threw: " + error.message() + "\n" + error.hint();
        if (layers.find_layer(digest_of(tar))) result += "\nDAMAGE: the layer was published";
      }
      return result + place.damage();
    });
  }

  // The same with each layer's `getfattr`: the value of one attribute of one file.
  std::string attribute(const std::string& tar, const std::string& file, const char* name) const {
    return in_child([&](const Place& place) -> std::string {
      const LayerStore layers(place.store());
      layers.unpack_layer(request_for(tar));
      char value[256];
      const std::string path = layers.tree_path(digest_of(tar)) + "/" + file;
      const ssize_t size = ::getxattr(path.c_str(), name, value, sizeof value);
      return size < 0 ? "none" : "value " + std::string(value, static_cast<std::size_t>(size));
    });
  }
};

INSTANTIATE_TEST_SUITE_P(, Unpack, testing::Values(As::root, As::user, As::single_id), name_of);

// ---- what a layer becomes ----

TEST_P(Unpack, MakesFilesDirectoriesAndLinks) {
  EXPECT_EQ(unpack(TarBuilder()
                       .directory("./")
                       .directory("./bin/")
                       .file("./bin/tool", "hello", 0755)
                       .file("bin/empty", "", 0600)
                       .symlink("sbin", "bin")
                       .hard_link("bin/same", "bin/tool")
                       .add({.type = '6', .path = "fifo", .mode = 0620})
                       .finish()),
            "d 0755 0:0 bin\n"
            "f 0600 0:0 bin/empty \"\"\n"
            "f 0755 0:0 bin/same \"hello\"\n"
            "f 0755 0:0 bin/tool \"hello\"\n"
            "p 0620 0:0 fifo\n"
            "l 0:0 sbin -> bin\n");
}

TEST_P(Unpack, KeepsModesWhateverTheUmask) {
  EXPECT_EQ(unpack(TarBuilder()
                       .directory("open", 0777)
                       .directory("sticky", 01777)
                       .directory("shared", 02775)
                       .file("shared/file", "x", 0666)
                       .directory("shared/inner", 0755)
                       .directory("closed", 0000)
                       .file("closed/secret", "x", 0000)
                       .file("setuid", "x", 04755)
                       .file("setgid", "x", 02711)
                       .finish()),
            "d 0000 0:0 closed\n"
            "f 0000 0:0 closed/secret \"x\"\n"
            "d 0777 0:0 open\n"
            "f 2711 0:0 setgid \"x\"\n"
            "f 4755 0:0 setuid \"x\"\n"
            "d 2775 0:0 shared\n"
            "f 0666 0:0 shared/file \"x\"\n"
            "d 0755 0:0 shared/inner\n"
            "d 1777 0:0 sticky\n");
}

TEST_P(Unpack, KeepsOwnersAndTheirSetIdBits) {
  const std::string tar = TarBuilder()
                              .add({.type = '5', .path = "mail", .mode = 02775, .uid = 0, .gid = 8})
                              .add({.path = "mail/box", .content = "m", .mode = 0660, .uid = 33, .gid = 8})
                              .add({.path = "wall", .content = "w", .mode = 06755, .uid = 33, .gid = 5})
                              .add({.type = '2', .path = "link", .link = "wall", .uid = 33, .gid = 33})
                              .finish();
  if (is_single()) {
    EXPECT_EQ(unpack(tar),
              "l 0:0 link -> wall\n"
              "d 2775 0:0 mail\n"
              "f 0660 0:0 mail/box \"m\"\n"
              "f 6755 0:0 wall \"w\"\n");
    EXPECT_EQ(attribute(tar, "wall", "user.containers.override_stat"), "value 33:5:06755");
    EXPECT_EQ(attribute(tar, "mail", "user.containers.override_stat"), "value 0:8:02775");
  } else {
    EXPECT_EQ(unpack(tar),
              "l 33:33 link -> wall\n"
              "d 2775 0:8 mail\n"
              "f 0660 33:8 mail/box \"m\"\n"
              "f 6755 33:5 wall \"w\"\n");
    EXPECT_EQ(attribute(tar, "wall", "user.containers.override_stat"), "none");
  }
}

TEST_P(Unpack, NamesAnOwnerThatIsNotMapped) {
  const std::string answer = unpack(TarBuilder().add({.path = "var/big", .uid = 4'000'000}).finish());
  if (GetParam() == As::user) {
    EXPECT_THAT(answer, AllOf(HasSubstr("tar entry \"var/big\": its owner 4000000:0 is not mapped"),
                              HasSubstr("/etc/subuid"), Not(HasSubstr("DAMAGE"))));
  } else {
    EXPECT_THAT(answer, HasSubstr("var/big"));
    EXPECT_THAT(answer, Not(HasSubstr("threw")));
  }
}

TEST_P(Unpack, SetsTimesAlsoOfDirectories) {
  EXPECT_EQ(in_child([](const Place& place) {
              const std::string tar = TarBuilder()
                                          .add({.type = '5', .path = "d", .mode = 0755, .mtime = 1000})
                                          .pax({{"mtime", "2000.123456789"}})
                                          .file("d/f", "x")
                                          .add({.type = '2', .path = "d/l", .link = "f", .mtime = 3000})
                                          .add({.type = '5', .path = "d/e", .mode = 0755, .mtime = -4000})
                                          .finish();
              const LayerStore layers(place.store());
              layers.unpack_layer(request_for(tar));
              std::string times;
              for (const char* name : {"d", "d/f", "d/l", "d/e"}) {
                const auto info = sys::stat_at(AT_FDCWD, layers.tree_path(digest_of(tar)) + "/" + name,
                                               AT_SYMLINK_NOFOLLOW);
                times += concat(info->st_mtim.tv_sec, '.', info->st_mtim.tv_nsec, ' ');
              }
              return times;
            }),
            "1000.0 2000.123456789 3000.0 -4000.0 ");
}

TEST_P(Unpack, WritesLargeAndSmallFilesAlike) {
  std::string large(3'000'000, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7 + i / 1000);
  EXPECT_EQ(in_child([&](const Place& place) -> std::string {
              TarBuilder builder;
              builder.file("large", large);
              for (int i = 0; i < 500; ++i)
                builder.file("small" + std::to_string(i), large.substr(0, 1000 + i * 97));
              const std::string tar = builder.finish();
              const LayerStore layers(place.store());
              const LayerMeta meta = layers.unpack_layer(request_for(tar));
              const std::string tree = layers.tree_path(digest_of(tar)) + "/";
              if (sys::read_file(AT_FDCWD, tree + "large") != large) return "the large file differs";
              for (int i = 0; i < 500; ++i) {
                const std::string file = "small" + std::to_string(i);
                if (sys::read_file(AT_FDCWD, tree + file) != large.substr(0, 1000 + i * 97))
                  return file + " differs";
              }
              if (meta.tar_bytes != tar.size() || meta.entries != 501) return "the record is wrong";
              return "equal";
            }),
            "equal");
}

TEST_P(Unpack, LeavesHolesInSparseFiles) {
  EXPECT_EQ(in_child([](const Place& place) -> std::string {
              const std::string tar =
                  TarBuilder()
                      .pax({{"GNU.sparse.size", "10000000"}, {"GNU.sparse.map", "0,2,5000000,3,9000000,4"}})
                      .file("f", "aabbbcccc")
                      .finish();
              const LayerStore layers(place.store());
              layers.unpack_layer(request_for(tar));
              const std::string file = layers.tree_path(digest_of(tar)) + "/f";
              const std::string content = sys::read_file(AT_FDCWD, file);
              std::string wanted(10'000'000, '\0');
              wanted.replace(0, 2, "aa").replace(5'000'000, 3, "bbb").replace(9'000'000, 4, "cccc");
              if (content != wanted) return "the content differs";
              return sys::stat_at(AT_FDCWD, file)->st_blocks < 200 ? "sparse" : "full";
            }),
            "sparse");
}

TEST_P(Unpack, KeepsAllowedAttributesOnly) {
  const std::string capability(
      "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
  const std::string tar = TarBuilder()
                              .pax({{"SCHILY.xattr.user.note", "kept"},
                                    {"SCHILY.xattr.security.capability", capability},
                                    {"SCHILY.xattr.user.overlay.opaque", "y"},
                                    {"SCHILY.xattr.user.overlay.redirect", "/etc"},
                                    {"SCHILY.xattr.trusted.overlay.redirect", "/etc"},
                                    {"SCHILY.xattr.trusted.other", "x"},
                                    {"SCHILY.xattr.user.containers.override_stat", "0:0:4755"},
                                    {"SCHILY.xattr.security.selinux", "label"}})
                              .file("f", "x")
                              .pax({{"SCHILY.xattr.user.overlay.opaque", "y"},
                                    {"SCHILY.xattr.trusted.overlay.opaque", "y"},
                                    {"SCHILY.xattr.user.note", "kept"}})
                              .directory("d")
                              .finish();
  EXPECT_EQ(attribute(tar, "f", "user.note"), "value kept");
  EXPECT_EQ(attribute(tar, "d", "user.note"), "value kept");
  EXPECT_THAT(attribute(tar, "f", "security.capability"), StartsWith("value "));
  for (const char* name : {"user.overlay.opaque", "user.overlay.redirect", "trusted.overlay.redirect",
                           "trusted.other", "user.containers.override_stat"}) {
    EXPECT_EQ(attribute(tar, "f", name), "none") << name;
  }
  EXPECT_EQ(attribute(tar, "d", "user.overlay.opaque"), "none");
  EXPECT_EQ(attribute(tar, "d", "trusted.overlay.opaque"), "none");
}

TEST_P(Unpack, MakesDevicesForRootOnly) {
  const std::string tar = TarBuilder()
                              .add({.type = '3', .path = "dev/null", .mode = 0666, .major = 1, .minor = 3})
                              .add({.type = '3', .path = "dev/fake-whiteout"})
                              .finish();
  EXPECT_EQ(unpack(tar), is_root() ? "d 0755 0:0 dev\nc 0666 0:0 dev/null 1:3\n" : "d 0755 0:0 dev\n");
  EXPECT_THAT(
      in_child([&](const Place& place) {
        std::string notices;
        for (const std::string& line : LayerStore(place.store()).unpack_layer(request_for(tar)).notices) {
          notices += line + "\n";
        }
        return notices;
      }),
      AllOf(HasSubstr("device nodes were left out: "), HasSubstr("dev/fake-whiteout"),
            HasSubstr("directories without an entry of their own")));
}

// ---- one name twice ----

TEST_P(Unpack, LaterEntriesReplaceEarlierOnes) {
  EXPECT_EQ(unpack(TarBuilder()
                       .file("a", "old")
                       .file("a", "new", 0600)
                       .file("b", "file")
                       .symlink("b", "elsewhere")
                       .symlink("c", "/etc/passwd")
                       .file("c", "file")
                       .file("d", "file")
                       .directory("d")
                       .file("d/inside", "x")
                       .directory("e")
                       .file("e/inside", "x")
                       .file("e", "file")
                       .symlink("f", "d")
                       .directory("f")
                       .file("f/inside", "y")
                       .directory("g", 0700)
                       .file("g/kept", "x")
                       .directory("g", 0711)
                       .finish()),
            "f 0600 0:0 a \"new\"\n"
            "l 0:0 b -> elsewhere\n"
            "f 0644 0:0 c \"file\"\n"
            "d 0755 0:0 d\n"
            "f 0644 0:0 d/inside \"x\"\n"
            "f 0644 0:0 e \"file\"\n"
            "d 0755 0:0 f\n"
            "f 0644 0:0 f/inside \"y\"\n"
            "d 0711 0:0 g\n"
            "f 0644 0:0 g/kept \"x\"\n");
}

TEST_P(Unpack, FilesInADirectoryThatWasReplacedGoIntoTheNewOne) {
  EXPECT_EQ(unpack(TarBuilder()
                       .directory("d")
                       .file("d/old", "x")
                       .file("d", "now a file")
                       .directory("d")
                       .file("d/new", "y")
                       .finish()),
            "d 0755 0:0 d\nf 0644 0:0 d/new \"y\"\n");
}

TEST_P(Unpack, ReplacingALinkedFileLeavesTheOtherName) {
  EXPECT_EQ(unpack(TarBuilder().file("a", "one").hard_link("b", "a").file("a", "two").finish()),
            "f 0644 0:0 a \"two\"\nf 0644 0:0 b \"one\"\n");
}

TEST_P(Unpack, HardLinksFindTheirTargetAcrossManyDirectories) {
  TarBuilder tar;
  std::string wanted;
  for (int i = 100; i < 200; ++i) {
    const std::string n = std::to_string(i);
    tar.directory("d" + n)
        .file("d" + n + "/f", n)
        .hard_link("d" + n + "/g", i == 100 ? "d100/f" : "d" + std::to_string(i - 1) + "/g");
    wanted += "d 0755 0:0 d" + n + "\nf 0644 0:0 d" + n + "/f \"" + n + "\"\n" +
              (i == 100 ? "f 0644 0:0 d100/g \"100\"\n" : "f 0644 0:0 d" + n + "/g \"100\"\n");
  }
  EXPECT_EQ(unpack(tar.finish()), wanted);
}

// ---- whiteouts ----

TEST_P(Unpack, TurnsWhiteoutsIntoOverlaysOwn) {
  EXPECT_EQ(unpack(TarBuilder()
                       .directory("etc")
                       .file("etc/.wh.gone", "")
                       .directory("opt")
                       .file("opt/.wh..wh..opq", "")
                       .file("opt/new", "x")
                       .file(".wh.srv", "content of a whiteout means nothing")
                       .directory(".wh..wh.plnk")
                       .file(".wh..wh.plnk/1.2", "aufs")
                       .finish()),
            "d 0755 0:0 etc\n"
            "w etc/gone\n"
            "d 0755 0:0 opt opaque\n"
            "f 0644 0:0 opt/new \"x\"\n"
            "w srv\n");
}

TEST_P(Unpack, AWhiteoutDoesNotHideWhatItsOwnLayerHas) {
  EXPECT_EQ(unpack(TarBuilder()
                       .file("before", "x")
                       .file(".wh.before", "")
                       .file(".wh.after", "")
                       .file("after", "x")
                       .directory("dir-before")
                       .file("dir-before/f", "x")
                       .file(".wh.dir-before", "")
                       .file(".wh.dir-after", "")
                       .directory("dir-after")
                       .file("dir-after/f", "x")
                       .file(".wh.implied", "")
                       .file("implied/f", "x")
                       .finish()),
            "f 0644 0:0 after \"x\"\n"
            "f 0644 0:0 before \"x\"\n"
            "d 0755 0:0 dir-after opaque\n"
            "f 0644 0:0 dir-after/f \"x\"\n"
            "d 0755 0:0 dir-before opaque\n"
            "f 0644 0:0 dir-before/f \"x\"\n"
            "d 0755 0:0 implied opaque\n"
            "f 0644 0:0 implied/f \"x\"\n");
}

TEST_P(Unpack, MarksOpaqueDirectoriesAlikeEverywhere) {
  const std::string tar = TarBuilder().directory("d").file("d/.wh..wh..opq", "").finish();
  EXPECT_EQ(attribute(tar, "d", "user.overlay.opaque"), "value y");
  EXPECT_EQ(attribute(tar, "d", "trusted.overlay.opaque"), "none");
}

TEST_P(Unpack, RefusesMalformedWhiteouts) {
  for (const char* name : {".wh.", ".wh..", ".wh...", "a/.wh.", "a/.wh..", ".wh.a/b", ".wh..wh..opq"}) {
    EXPECT_THAT(unpack(TarBuilder().file(name, "").finish()),
                AllOf(StartsWith("threw: "), Not(HasSubstr("DAMAGE"))))
        << name;
  }
}

// ---- links as parents ----

TEST_P(Unpack, FollowsLinksOfTheSameLayerAsAContainerWould) {
  EXPECT_EQ(unpack(TarBuilder()
                       .directory("usr")
                       .directory("usr/lib")
                       .symlink("lib", "usr/lib")
                       .file("lib/relative", "1")
                       .symlink("lib64", "/usr/lib")
                       .file("lib64/absolute", "2")
                       .symlink("usr/up", "../../../usr/lib")
                       .file("usr/up/clamped", "3")
                       .symlink("chain", "lib64")
                       .file("chain/chained", "4")
                       .symlink("dangling", "var/missing")
                       .file("dangling/made", "5")
                       .hard_link("hard", "chain/chained")
                       .finish()),
            "l 0:0 chain -> lib64\n"
            "l 0:0 dangling -> var/missing\n"
            "f 0644 0:0 hard \"4\"\n"
            "l 0:0 lib -> usr/lib\n"
            "l 0:0 lib64 -> /usr/lib\n"
            "d 0755 0:0 usr\n"
            "d 0755 0:0 usr/lib\n"
            "f 0644 0:0 usr/lib/absolute \"2\"\n"
            "f 0644 0:0 usr/lib/chained \"4\"\n"
            "f 0644 0:0 usr/lib/clamped \"3\"\n"
            "f 0644 0:0 usr/lib/relative \"1\"\n"
            "l 0:0 usr/up -> ../../../usr/lib\n"
            "d 0755 0:0 var\n"
            "d 0755 0:0 var/missing\n"
            "f 0644 0:0 var/missing/made \"5\"\n");
}

// ---- hostile archives ----

TEST_P(Unpack, NeverWritesOutsideOfTheTree) {
  const std::string up = "../../../../../../../..";
  for (const char* outside : {"/tmp/outside", "../../../../outside", "/proc/self/root", "/proc/self/cwd"}) {
    const std::string answer = unpack(TarBuilder()
                                          .symlink("link", outside)
                                          .file("link/evil", "x")
                                          .symlink("chain", "link")
                                          .file("chain/evil", "x")
                                          .directory("dir")
                                          .file("dir/x", "")
                                          .symlink("dir", outside)
                                          .file("dir/evil", "x")
                                          .symlink("slash/", outside)
                                          .file("slash/evil", "x")
                                          .finish());
    EXPECT_THAT(answer, AllOf(Not(HasSubstr("threw")), Not(HasSubstr("DAMAGE")))) << outside;
  }
  for (const std::string& path :
       {up + "/etc/passwd", std::string(".."), std::string("a/../../b"), std::string("/../x")}) {
    EXPECT_THAT(unpack(TarBuilder().file(path, "x").finish()), HasSubstr("leads out of the tree")) << path;
  }
}

TEST_P(Unpack, AFileOverALinkReplacesTheLinkAndNotItsTarget) {
  const std::string answer = in_child([](const Place& place) {
    const std::string tar = TarBuilder()
                                .symlink("link", place.path() + "/sentinel")
                                .file("link", "evil")
                                .symlink("other", place.path() + "/sentinel")
                                .hard_link("hard", "other")
                                .file("hard", "evil")
                                .finish();
    LayerStore(place.store()).unpack_layer(request_for(tar));
    return "unpacked" + place.damage();
  });
  EXPECT_EQ(answer, "unpacked");
}

TEST_P(Unpack, HardLinksReachNothingOutside) {
  for (const char* target : {"/etc/passwd", "../../../../sentinel", "link/passwd", "missing"}) {
    EXPECT_THAT(unpack(TarBuilder().symlink("link", "/etc").hard_link("stolen", target).finish()),
                AllOf(StartsWith("threw: "), Not(HasSubstr("DAMAGE"))))
        << target;
  }
}

TEST_P(Unpack, HardLinksToThemselvesOrToDirectoriesAreRefused) {
  EXPECT_THAT(unpack(TarBuilder().file("a", "x").hard_link("a", "./a").finish()),
              HasSubstr("a hard link to itself"));
  EXPECT_THAT(
      unpack(TarBuilder().directory("d").file("d/a", "x").symlink("l", "d").hard_link("d/a", "l/a").finish()),
      HasSubstr("a hard link to itself"));
  EXPECT_THAT(unpack(TarBuilder().directory("d").hard_link("l", "d").finish()), StartsWith("threw: "));
  EXPECT_THAT(unpack(TarBuilder().hard_link("l", "/").finish()), StartsWith("threw: "));
}

TEST_P(Unpack, TheRootIsADirectoryAndNothingElse) {
  for (const char* name : {".", "./", "/", "a/.."}) {
    for (const char type : {'0', '2', '1', '3', '6'}) {
      EXPECT_THAT(unpack(TarBuilder()
                             .add({.type = type, .path = name, .link = "/etc", .major = 1, .minor = 3})
                             .file("passwd", "x")
                             .finish()),
                  HasSubstr("root of the tree can only be a directory"))
          << name << ' ' << type;
    }
  }
}

TEST_P(Unpack, LinksThatGoInCirclesAreRefused) {
  EXPECT_THAT(unpack(TarBuilder().symlink("a", "b").symlink("b", "a").file("a/f", "x").finish()),
              HasSubstr("too many links"));
}

TEST_P(Unpack, AFileIsNoDirectory) {
  EXPECT_THAT(unpack(TarBuilder().file("a", "x").file("a/b", "y").finish()),
              HasSubstr("tar entry \"a/b\": \"a\" on the way to it is not a directory"));
}

// ---- digests and publishing ----

TEST_P(Unpack, RefusesALayerWithAnotherDigest) {
  const std::string tar = TarBuilder().file("f", "x").finish();
  const std::string other = TarBuilder().file("f", "y").finish();
  const auto unpack_as = [&](const Digest& diff_id, const Digest& blob) {
    return in_child([&](const Place& place) -> std::string {
      try {
        LayerStore(place.store()).unpack_layer({diff_id, blob, source_of(tar)});
      } catch (const InvalidArgument& error) {
        return error.message() + place.damage() +
               (sys::list_directory(place.store().fd(), "layers").empty() ? "" : "\npublished");
      }
      return "taken";
    });
  };
  EXPECT_EQ(unpack_as(digest_of(other), digest_of(tar)),
            "unpacking layer " + render(digest_of(other)) + ": the uncompressed layer has digest " +
                render(digest_of(tar)) + ", not " + render(digest_of(other)));
  EXPECT_THAT(unpack_as(digest_of(tar), digest_of(other)), HasSubstr("the blob has digest"));
  EXPECT_EQ(unpack_as(digest_of(tar), digest_of(tar)), "taken");
  EXPECT_EQ(unpack_as(digest_of(tar, "sha512"), digest_of(tar, "sha512")), "taken");
}

TEST_P(Unpack, LeavesNothingBehindWhenItsSourceFails) {
  EXPECT_EQ(in_child([](const Place& place) -> std::string {
              const std::string tar = TarBuilder().file("f", std::string(1'000'000, 'x')).finish();
              UnpackRequest request = request_for(tar);
              request.source = [tar, calls = 0](char* buffer, std::size_t size) mutable -> std::size_t {
                if (++calls > 2) throw Error("the network is gone");
                tar.copy(buffer, size);
                return size;
              };
              try {
                LayerStore(place.store()).unpack_layer(request);
              } catch (const Error& error) {
                return error.message().substr(error.message().rfind(": ") + 2) + place.damage();
              }
              return "taken";
            }),
            "the network is gone");
}

TEST_P(Unpack, AFullDiskIsNamedAndNothingIsPublished) {
  EXPECT_THAT(
      in_child([](const Place& place) -> std::string {
        const std::string disk = place.path() + "/outside";
        if (::unshare(CLONE_NEWNS) < 0) throw_errno("entering a mount namespace");
        if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
          throw_errno("making mounts private");
        if (::mount("none", disk.c_str(), "tmpfs", 0, "size=512k") < 0) throw_errno("mounting a small disk");
        TarBuilder tar;
        for (int i = 0; i < 30; ++i) tar.file("small" + std::to_string(i), std::string(10'000, 'x'));
        tar.file("large", std::string(400'000, 'x'));
        const Store store = Store::open(disk + "/store");
        try {
          LayerStore(store).unpack_layer(request_for(tar.finish()));
        } catch (const SysError& error) {
          const bool is_empty = sys::list_directory(store.fd(), "layers").empty() &&
                                sys::list_directory(store.fd(), "staging").empty();
          return error.message() + (is_empty ? "" : "\nDAMAGE");
        }
        return "taken";
      }),
      testing::MatchesRegex(
          "unpacking layer sha256:[0-9a-f]*: tar entry \"[a-z0-9]*\": writing it: no space left on device"));
}

TEST_P(Unpack, ALayerThatIsThereIsNotReadAgain) {
  EXPECT_EQ(in_child([](const Place& place) -> std::string {
              const std::string tar = TarBuilder().file("f", "x").finish();
              const LayerStore layers(place.store());
              layers.unpack_layer(request_for(tar));
              UnpackRequest again = request_for(tar);
              again.source = [](char*, std::size_t) -> std::size_t { throw Error("it was read"); };
              return concat(layers.unpack_layer(again).entries, " entry");
            }),
            "1 entry");
}

TEST_P(Unpack, ATornLayerOfAnEarlierBootIsReplaced) {
  EXPECT_EQ(in_child([](const Place& place) -> std::string {
              const std::string tar = TarBuilder().file("f", "whole").finish();
              const LayerStore layers(place.store());
              layers.unpack_layer(request_for(tar));
              const std::string layer = "layers/" + digest_of(tar).hex;
              sys::replace_file(place.store().fd(), layer + "/diff/f", "", 0644, sys::Durability::none);
              const std::string record = sys::read_file(place.store().fd(), layer + "/meta.json");
              const std::string key = "\"boot_id\":\"";
              std::string other = record;
              other.replace(other.find(key) + key.size(), 8, "00000000");
              sys::replace_file(place.store().fd(), layer + "/meta.json", other, 0600, sys::Durability::none);
              layers.unpack_layer(request_for(tar));
              return sys::read_file(place.store().fd(), layer + "/diff/f") + place.damage();
            }),
            "whole");
}

TEST_P(Unpack, AnImportTakesTheDigestItFinds) {
  EXPECT_EQ(in_child([](const Place& place) -> std::string {
              const std::string tar = TarBuilder().file("f", "x").finish();
              const LayerStore layers(place.store());
              for (int i = 0; i < 2; ++i) {
                const LayerMeta meta = layers.unpack_layer({std::nullopt, std::nullopt, source_of(tar)});
                if (meta.diff_id != digest_of(tar)) return "another digest";
              }
              return test::list_tree(layers.tree_path(digest_of(tar))) + place.damage();
            }),
            "f 0644 0:0 f \"x\"\n");
}

TEST_P(Unpack, TwoProcessesUnpackOneLayerOnce) {
  EXPECT_EQ(in_child([](const Place& place) -> std::string {
              const std::string tar = TarBuilder().file("f", std::string(600'000, 'x')).finish();
              sys::Pipe go = sys::make_pipe();
              sys::Pipe reading = sys::make_pipe();
              // The first holds its source back until the second had time to ask for the same layer.
              const pid_t first = sys::fork_child([&] {
                UnpackRequest request = request_for(tar);
                request.source = [&, inner = source_of(tar), is_first = true](char* buffer,
                                                                              std::size_t size) mutable {
                  char byte = 0;
                  if (std::exchange(is_first, false)) {
                    sys::write_all(reading.write.get(), "r", "pipe");
                    if (::read(go.read.get(), &byte, 1) != 1) throw Error("no go");
                  }
                  return inner(buffer, size);
                };
                LayerStore(place.store()).unpack_layer(request);
                return 0;
              });
              char byte = 0;
              if (::read(reading.read.get(), &byte, 1) != 1) return "the first does not read";
              const pid_t second = sys::fork_child([&] {
                UnpackRequest request = request_for(tar);
                request.source = [](char*, std::size_t) -> std::size_t { throw Error("it was read twice"); };
                LayerStore(place.store()).unpack_layer(request);
                return 0;
              });
              // Blocked in flock(2), or about to be: either way it must wait for the first.
              sys::write_all(go.write.get(), "g", "pipe");
              const int one = sys::wait_child(first).code, two = sys::wait_child(second).code;
              return concat(one, ' ', two, place.damage());
            }),
            "0 0");
}

TEST_P(Unpack, ThreadsAreGoneAfterwards) {
  EXPECT_EQ(in_child([](const Place& place) {
              for (int i = 0; i < 200; ++i) {
                const std::string tar = TarBuilder().file("f", std::to_string(i)).finish();
                LayerStore(place.store()).unpack_layer(request_for(tar));
                sys::wait_child(sys::fork_child([] { return 0; }));  // throws when there are threads
              }
              return std::string("forked");
            }),
            "forked");
}

TEST_P(Unpack, SeveralLayersComeInTheOrderAskedFor) {
  EXPECT_EQ(in_child([](const Place& place) -> std::string {
              std::vector<LayerSource> layers;
              std::vector<Digest> wanted;
              for (const int size : {10, 100'000, 10, 5000, 70'000, 1'000'000}) {
                const std::string tar = TarBuilder().file("f", std::string(size, 'x')).finish();
                layers.push_back({request_for(tar), tar.size()});
                wanted.push_back(digest_of(tar));
              }
              const std::vector<LayerMeta> metas = unpack_layers(place.store(), layers);
              for (std::size_t i = 0; i < wanted.size(); ++i) {
                if (metas.at(i).diff_id != wanted[i]) return "another order";
              }
              return concat(sys::list_directory(place.store().fd(), "layers").size(), " layers",
                            place.damage());
            }),
            "5 layers");
}

TEST_P(Unpack, OneBadLayerOfSeveralIsTheError) {
  EXPECT_THAT(in_child([](const Place& place) -> std::string {
                std::vector<LayerSource> layers;
                for (int i = 0; i < 6; ++i) {
                  std::string tar = TarBuilder().file("f", std::string(10'000 + i, 'x')).finish();
                  if (i == 3) tar[0] = 'y';
                  layers.push_back({request_for(tar), tar.size()});
                }
                try {
                  unpack_layers(place.store(), layers);
                } catch (const Error& error) {
                  return error.message() + place.damage();
                }
                return "taken";
              }),
              testing::EndsWith("tar header at byte 0: wrong header checksum"));
}

TEST_P(Unpack, BecomesDurable) {
  EXPECT_EQ(in_child([](const Place& place) -> std::string {
              const std::string tar = TarBuilder().file("f", "x").finish();
              const LayerStore layers(place.store());
              layers.unpack_layer(request_for(tar));
              if (layers.find_layer(digest_of(tar))->durable) return "too early";
              make_durable(place.store(), {digest_of(tar), digest_of("a layer that is gone")});
              return layers.find_layer(digest_of(tar))->durable ? "durable" : "not durable";
            }),
            "durable");
}

TEST_P(Unpack, BecomesDurableInTheBackground) {
  EXPECT_EQ(in_child([](const Place& place) -> std::string {
              const std::string tar = TarBuilder().file("f", "x").finish();
              const LayerStore layers(place.store());
              layers.unpack_layer(request_for(tar));
              // Whoever waits for our output must not wait for the background: it holds no descriptor of
              // ours.
              const sys::Pipe output = sys::make_pipe();
              const pid_t command = sys::fork_child([&] {
                ::dup2(output.write.get(), STDOUT_FILENO);
                make_durable_in_background(place.store(), {digest_of(tar)});
                return 0;
              });
              if (sys::wait_child(command).code != 0) return "failed";
              // Its end is not ours to wait for; the lock it works under is: the record appears by rename.
              for (int i = 0; i < 1000; ++i) {
                if (layers.find_layer(digest_of(tar))->durable) return "durable";
                ::usleep(10'000);
              }
              return "not durable";
            }),
            "durable");
}

}  // namespace
}  // namespace knarr::storage
