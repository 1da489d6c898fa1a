// SPDX-License-Identifier: Apache-2.0
// Clones of images for another id map, as a container sees them: through a real mount.
#include "storage/overlay/clone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "storage/overlay/mount.h"
#include "storage/overlay/probe.h"
#include "tests/namespace/store_place.h"
#include "tests/support/tar_builder.h"
#include "tests/support/tree_listing.h"

namespace knarr::storage {
namespace {

using test::TarBuilder;
using testing::HasSubstr;
using testing::Not;

constexpr const char* skipped = "this kernel follows no data-only layers";

// A clone and the overlay a container would have on it.
class MountedClone {
 public:
  MountedClone(const Store& store, std::vector<std::string> trees, const CloneOptions& options) {
    for (const char* name : {"clone", "upper", "work"}) sys::make_directory(store.fd(), name, 0755);
    summary = clone_layers(trees, sys::open_directory(store.fd(), "clone").get(), options);
    fd_ = mount_detached({.lowers = {store.path("clone")},
                          .data_lowers = std::move(trees),
                          .upper = store.path("upper"),
                          .work = store.path("work"),
                          .directory = {},
                          .fuse_program = {}});
  }
  int fd() const { return fd_.get(); }
  std::string read(const std::string& path) const { return sys::read_file(fd(), path); }
  void append(const std::string& path, const std::string& text) const {
    sys::write_all(sys::open_at(fd(), path, O_WRONLY | O_APPEND).get(), text, path);
  }
  struct stat info(const std::string& path) const {
    return sys::stat_at(fd(), path, AT_SYMLINK_NOFOLLOW).value();
  }
  std::string list() const {
    std::string text;
    test::list_tree(fd(), "", text);
    return text;
  }
  CloneSummary summary;

 private:
  sys::UniqueFd fd_;
};

class Clone : public InEveryNamespace {
 protected:
  using Body = std::function<std::string(const MountedClone&, const std::vector<std::string>& trees)>;

  // What `body` returns about the clone of an image with these layers, the lowest first.
  std::string with_clone(const std::vector<std::string>& tars, const Body& body,
                         const CloneOptions& options = {
                             .map_uid = {}, .map_gid = {}, .mounter_rules = {}, .threads = 2}) {
    const std::string answer = in_child([&](const Place& place) -> std::string {
      ::umask(0);
      if (!probe_kernel_overlay(place.store()).data_layers) return skipped;
      if (::unshare(CLONE_NEWNS) < 0) throw_errno("making a mount namespace");
      std::vector<std::string> trees;
      const LayerStore layers(place.store());
      for (const std::string& tar : tars) {
        layers.unpack_layer(request_for(tar));
        trees.insert(trees.begin(), layers.tree_path(digest_of(tar)));
      }
      return body(MountedClone(place.store(), trees, options), trees);
    });
    is_skipped_ = answer == skipped;
    return answer;
  }
  std::string list(const std::vector<std::string>& tars,
                   const CloneOptions& options = {.map_uid = {}, .map_gid = {}, .mounter_rules = {}}) {
    return with_clone(
        tars, [](const MountedClone& clone, const auto&) { return clone.list(); }, options);
  }
  bool is_skipped_ = false;
};

#define SKIP_WITHOUT_DATA_LAYERS() \
  if (is_skipped_) GTEST_SKIP() << skipped

INSTANTIATE_TEST_SUITE_P(, Clone, testing::Values(As::root, As::user, As::single_id), name_of);

std::vector<std::string> odd_layers() {
  return {TarBuilder()
              .directory("data")
              .file("data/kept", "kept")
              .file("data/removed", "removed")
              .file("data/empty", "", 0600)
              .directory("tree")
              .file("tree/below", "below")
              .directory("opaque", 0750)
              .file("opaque/hidden", "hidden")
              .directory("replaced")
              .file("replaced/inside", "inside")
              .file("becomes-directory", "a file")
              .file("setuid", "#!", 04755)
              .file("setgid", "#!", 02711)
              .file("unreadable", "secret", 0)
              .directory("closed", 0)
              .file("closed/inside", "inside")
              .directory("shared", 02775)
              .file("shared/file", "x")
              .directory("sticky", 01777)
              .symlink("link", "data/kept")
              .symlink("dangling", "/nowhere")
              .add({.type = '6', .path = "fifo", .mode = 0620})
              .file("same", "from below")
              .finish(),
          TarBuilder()
              .file("data/.wh.removed", "")
              .file(".wh.tree", "")
              .directory("opaque", 0700)
              .file("opaque/.wh..wh..opq", "")
              .file("opaque/new", "new")
              .file(".wh.replaced", "")
              .directory("becomes-directory")
              .file("becomes-directory/now", "now")
              .file("same", "from the middle")
              .finish(),
          TarBuilder()
              .file("replaced", "a file now")
              .directory("tree")
              .file("tree/again", "again")
              .file("missing/parents/file", "made")
              .file("same", "from the top")
              .finish()};
}

// ---- what is seen ----

TEST_P(Clone, LooksLikeTheOverlayOfItsLayers) {
  const std::string answer = with_clone(odd_layers(), [](const MountedClone& clone, const auto& trees) {
    const std::string root = trees.front() + "/../../..";
    for (const char* name : {"/upper2", "/work2"}) sys::make_directory(AT_FDCWD, root + name, 0755);
    const sys::UniqueFd layers = mount_detached({.lowers = trees,
                                                 .data_lowers = {},
                                                 .upper = root + "/upper2",
                                                 .work = root + "/work2",
                                                 .directory = {},
                                                 .fuse_program = {}});
    std::string expected;
    test::list_tree(layers.get(), "", expected);
    const std::string seen = clone.list();
    return seen == expected ? "same\n" + seen : "expected\n" + expected + "but saw\n" + seen;
  });
  SKIP_WITHOUT_DATA_LAYERS();
  EXPECT_THAT(answer, testing::StartsWith("same\n"));
  EXPECT_THAT(answer, HasSubstr("f 0644 0:0 same \"from the top\"\n"));
  EXPECT_THAT(answer, HasSubstr("f 0644 0:0 tree/again"));
  EXPECT_THAT(answer, Not(HasSubstr("below")));
  EXPECT_THAT(answer, Not(HasSubstr("opaque/hidden")));
  EXPECT_THAT(answer, HasSubstr("f 4755 0:0 setuid \"#!\"\n"));
}

TEST_P(Clone, HasTheOwnersOfItsMap) {
  if (is_single()) GTEST_SKIP() << "one id has no other owners";
  const std::string tar = TarBuilder()
                              .add({.type = '5', .path = "dir", .mode = 02750, .uid = 3, .gid = 4})
                              .add({.path = "dir/file", .content = "x", .mode = 06755, .uid = 0, .gid = 5})
                              .add({.type = '2', .path = "link", .link = "dir", .uid = 7, .gid = 8})
                              .finish();
  const std::string answer = list({tar}, {.map_uid = [](uid_t uid) { return uid + 100; },
                                          .map_gid = [](gid_t gid) { return gid + 200; },
                                          .mounter_rules = {}});
  SKIP_WITHOUT_DATA_LAYERS();
  EXPECT_EQ(answer,
            "d 2750 103:204 dir\n"
            "f 6755 100:205 dir/file \"x\"\n"
            "l 107:208 link -> dir\n");
}

TEST_P(Clone, CopiesNoContent) {
  const std::string answer =
      with_clone({TarBuilder().file("large", std::string(1 << 20, 'x')).file("empty", "").finish()},
                 [](const MountedClone& clone, const std::vector<std::string>& trees) {
                   const auto made = sys::stat_at(AT_FDCWD, trees.front() + "/../../../clone/large");
                   return concat(clone.summary.referring, " refer, ", clone.summary.copied, " copied, ",
                                 made->st_size, " bytes, ", made->st_blocks <= 8 ? "no" : "some", " blocks");
                 });
  SKIP_WITHOUT_DATA_LAYERS();
  EXPECT_EQ(answer, "1 refer, 0 copied, 1048576 bytes, no blocks");
}

TEST_P(Clone, KeepsTimesXattrsAndCapabilities) {
  const std::string capability("\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  const std::string answer = with_clone(
      {TarBuilder()
           .pax({{"SCHILY.xattr.user.comment", "a remark"}, {"SCHILY.xattr.security.capability", capability}})
           .add({.path = "file", .content = "x", .mtime = 1234})
           .add({.type = '5', .path = "dir", .mtime = 5678})
           .file("dir/inside", "x")
           .finish()},
      [&](const MountedClone& clone, const auto&) {
        const sys::UniqueFd file = sys::open_at(clone.fd(), "file", O_RDONLY);
        char comment[64], found[64], names[512];
        const ssize_t length = ::fgetxattr(file.get(), "user.comment", comment, sizeof comment);
        const ssize_t size = ::fgetxattr(file.get(), "security.capability", found, sizeof found);
        const ssize_t listed = ::flistxattr(file.get(), names, sizeof names);
        const std::string all(names, static_cast<std::size_t>(std::max<ssize_t>(listed, 0)));
        return concat(clone.info("file").st_mtime, ' ', clone.info("dir").st_mtime, ' ',
                      std::string(comment, static_cast<std::size_t>(std::max<ssize_t>(length, 0))), ' ',
                      size == 20 && capability.compare(0, 20, found, 20) == 0 ? "capable" : "incapable",
                      all.find("overlay") == std::string::npos ? "" : " and overlay's own");
      });
  SKIP_WITHOUT_DATA_LAYERS();
  EXPECT_EQ(answer, "1234 5678 a remark capable");
}

TEST_P(Clone, HardLinksStayOneFile) {
  const std::string answer = with_clone(
      {TarBuilder()
           .file("a/one", "shared")
           .hard_link("b/two", "a/one")
           .hard_link("three", "a/one")
           .file("alone", "x")
           .finish()},
      [](const MountedClone& clone, const std::vector<std::string>& trees) {
        const sys::UniqueFd made = sys::open_directory(AT_FDCWD, trees.front() + "/../../../clone");
        const auto inode = [&](const char* path) { return sys::stat_at(made.get(), path)->st_ino; };
        return concat(
            clone.read("b/two"), ' ', clone.info("b/two").st_nlink, ' ', clone.info("alone").st_nlink,
            inode("a/one") == inode("b/two") && inode("three") == inode("b/two") ? " one" : " several");
      });
  SKIP_WITHOUT_DATA_LAYERS();
  EXPECT_EQ(answer, "shared 3 1 one");
}

// The clone leads to the file by one of its names: not by one that is another file in the layer above.
TEST_P(Clone, AHardLinkWhoseOtherNamesAreReplacedKeepsItsContent) {
  const std::string lower = TarBuilder().file("a", "old").hard_link("b", "a").hard_link("c", "a").finish();
  const std::string answer = list({lower, TarBuilder().file("a", "new").file(".wh.c", "").finish()});
  SKIP_WITHOUT_DATA_LAYERS();
  EXPECT_EQ(answer, "f 0644 0:0 a \"new\"\nf 0644 0:0 b \"old\"\n");
}

TEST_P(Clone, KeepsSizesOfSparseFiles) {
  const std::string answer = with_clone(
      {TarBuilder().file("sparse", "x").finish()},
      [](const MountedClone&, const std::vector<std::string>& trees) {
        const std::string root = trees.front() + "/../../..";
        constexpr off_t size = 3L << 30;
        if (::truncate((trees.front() + "/sparse").c_str(), size) < 0) throw_errno("making it sparse");
        const Store store = Store::open(root + "/second");
        const MountedClone clone(store, trees, {.map_uid = {}, .map_gid = {}, .mounter_rules = {}});
        const sys::UniqueFd file = sys::open_at(clone.fd(), "sparse", O_RDONLY);
        char last = 'x';
        const ssize_t got = ::pread(file.get(), &last, 1, size - 1);
        return concat(clone.info("sparse").st_size == size, ' ', got, ' ', last == 0);
      });
  SKIP_WITHOUT_DATA_LAYERS();
  EXPECT_EQ(answer, "1 1 1");
}

TEST_P(Clone, OfManyLayersShowsTheTopmostOfEachName) {
  std::vector<std::string> tars;
  for (int i = 0; i < 120; ++i)
    tars.push_back(TarBuilder()
                       .file("layers/" + std::to_string(i), std::to_string(i))
                       .file("last", std::to_string(i))
                       .finish());
  const std::string answer = with_clone(tars, [](const MountedClone& clone, const auto&) {
    std::string sum;
    for (int i = 0; i < 120; ++i) {
      if (clone.read("layers/" + std::to_string(i)) != std::to_string(i)) sum += concat(i, " is wrong ");
    }
    return sum + clone.read("last");
  });
  SKIP_WITHOUT_DATA_LAYERS();
  EXPECT_EQ(answer, "119");
}

// ---- what leads nowhere is copied ----

TEST_P(Clone, CopiesWhatTheMounterCouldNotRead) {
  const std::string answer = with_clone(
      {TarBuilder()
           .file("open", "x")
           .file("closed", "x", 0600)
           .directory("private", 0700)
           .file("private/open", "x")
           .finish()},
      [](const MountedClone& clone, const auto&) {
        return concat(clone.summary.referring, " refer, ", clone.summary.copied, " copied\n", clone.list());
      },
      {.map_uid = {}, .map_gid = {}, .mounter_rules = [](uid_t, gid_t) { return false; }});
  SKIP_WITHOUT_DATA_LAYERS();
  EXPECT_EQ(answer,
            "1 refer, 2 copied\n"
            "f 0600 0:0 closed \"x\"\n"
            "f 0644 0:0 open \"x\"\n"
            "d 0700 0:0 private\n"
            "f 0644 0:0 private/open \"x\"\n");
}

TEST_P(Clone, CopiesWhatIsTooDeepForAnXattr) {
  std::string path;
  for (int i = 0; i < 18; ++i) path += std::string(240, static_cast<char>('a' + i)) + '/';
  const std::string answer = in_child([&](const Place& place) -> std::string {
    ::umask(0);
    sys::make_directory(place.store().fd(), "tree", 0755);
    sys::make_directory(place.store().fd(), "made", 0755);
    sys::UniqueFd directory = sys::open_directory(place.store().fd(), "tree");
    for (std::size_t at = 0; at < path.size(); at += 241) {
      sys::make_directory(directory.get(), path.substr(at, 240), 0755);
      directory = sys::open_directory(directory.get(), path.substr(at, 240));
    }
    sys::create_file(directory.get(), "file", "deep", 0644, sys::Durability::none);
    const sys::UniqueFd made = sys::open_directory(place.store().fd(), "made");
    const CloneSummary summary = clone_layers({place.store().path("tree")}, made.get(),
                                              {.map_uid = {}, .map_gid = {}, .mounter_rules = {}});
    std::string text;
    test::list_tree(made.get(), "", text);
    return concat(summary.copied, text.find("/file \"deep\"") == std::string::npos ? " lost" : " kept");
  });
  EXPECT_EQ(answer, "1 kept");
}

TEST_P(Clone, SaysWhichOwnerHasNoPlace) {
  const std::string answer = in_child([&](const Place& place) -> std::string {
    sys::make_directory(place.store().fd(), "tree", 0755);
    sys::make_directory(place.store().fd(), "made", 0755);
    sys::create_file(place.store().fd(), "tree/file", "x", 0644, sys::Durability::none);
    const CloneOptions options{.map_uid = [](uid_t) -> uid_t { throw InvalidArgument("no such owner"); },
                               .map_gid = {},
                               .mounter_rules = {},
                               .threads = 3};
    try {
      clone_layers({place.store().path("tree")}, sys::open_directory(place.store().fd(), "made").get(),
                   options);
    } catch (const InvalidArgument& error) {
      return error.message();
    }
    return "nothing was thrown";
  });
  EXPECT_EQ(answer, "no such owner");
}

// ---- what a container does to it ----

TEST_P(Clone, ChangesGoToTheUpperDirectory) {
  const std::string tar = TarBuilder()
                              .file("appended", "one")
                              .file("chmodded", "two", 0600)
                              .file("chowned", "three")
                              .file("renamed", "four")
                              .file("removed", "five")
                              .file("truncated", "six")
                              .directory("dir")
                              .file("dir/linked", "seven")
                              .finish();
  const std::string answer =
      with_clone({tar}, [](const MountedClone& clone, const std::vector<std::string>& trees) {
        clone.append("appended", " more");
        ::fchmodat(clone.fd(), "chmodded", 04711, 0);
        ::fchownat(clone.fd(), "chowned", 0, 0, 0);
        ::renameat(clone.fd(), "renamed", clone.fd(), "dir/new-name");
        ::unlinkat(clone.fd(), "removed", 0);
        sys::UniqueFd(::openat(clone.fd(), "truncated", O_WRONLY | O_TRUNC | O_CLOEXEC));
        ::linkat(clone.fd(), "dir/linked", clone.fd(), "linked", 0);
        return clone.list() + "---\n" + test::list_tree(trees.front());
      });
  SKIP_WITHOUT_DATA_LAYERS();
  EXPECT_EQ(answer,
            "f 0644 0:0 appended \"one more\"\n"
            "f 4711 0:0 chmodded \"two\"\n"
            "f 0644 0:0 chowned \"three\"\n"
            "d 0755 0:0 dir\n"
            "f 0644 0:0 dir/linked \"seven\"\n"
            "f 0644 0:0 dir/new-name \"four\"\n"
            "f 0644 0:0 linked \"seven\"\n"
            "f 0644 0:0 truncated \"\"\n"
            "---\n"
            "f 0644 0:0 appended \"one\"\n"
            "f 0600 0:0 chmodded \"two\"\n"
            "f 0644 0:0 chowned \"three\"\n"
            "d 0755 0:0 dir\n"
            "f 0644 0:0 dir/linked \"seven\"\n"
            "f 0644 0:0 removed \"five\"\n"
            "f 0644 0:0 renamed \"four\"\n"
            "f 0644 0:0 truncated \"six\"\n");
}

}  // namespace
}  // namespace knarr::storage
