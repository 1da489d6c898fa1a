// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/request/mounts.h"
#include "tests/unit/engine/request_fixture.h"

namespace knarr::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::SizeIs;
using Type = MountRequest::Type;

MountRequest volume(std::string_view text) {
  return parse_volume(plain_request(), text);
}
MountRequest mount(std::string_view text) {
  return parse_mount(plain_request(), text);
}

TEST(ParseVolume, TellsPathsFromNamesAndAnonymousOnes) {
  EXPECT_EQ(volume("/a:/b"), (MountRequest{.type = Type::bind, .source = "/a", .destination = "/b"}));
  EXPECT_EQ(volume("data:/b"), (MountRequest{.type = Type::volume, .source = "data", .destination = "/b"}));
  EXPECT_EQ(volume("/b"), (MountRequest{.type = Type::volume, .source = "", .destination = "/b"}));
}

TEST(ParseVolume, ResolvesRelativePathsAndCleansAll) {
  EXPECT_EQ(volume(".:/b").source, "/home/me/work");
  EXPECT_EQ(volume("./x/../y/:/b").source, "/home/me/work/y");
  EXPECT_EQ(volume("..:/b").source, "/home/me");
  EXPECT_EQ(volume("/a//b/./c/:/d/../e/").source, "/a/b/c");
  EXPECT_EQ(volume("/a:/d/../e/").destination, "/e");
  EXPECT_EQ(volume("/../..:/b").source, "/");
}

TEST(ParseVolume, UnderstandsEveryOption) {
  const MountRequest all = volume("/a:/b:ro,z,nocopy,noexec,nodev,nosuid,bind,rslave,subpath=x/y");
  EXPECT_TRUE(all.read_only && all.relabel && !all.copy_up && all.no_exec && all.no_dev && all.no_suid);
  EXPECT_TRUE(all.non_recursive);
  EXPECT_EQ(all.propagation, "rslave");
  EXPECT_EQ(all.subpath, "x/y");
  const MountRequest other = volume("/a:/b:rw,Z,copy,exec,dev,suid,rbind,O");
  EXPECT_TRUE(!other.read_only && other.relabel && other.copy_up && other.exec && other.dev && other.suid);
  EXPECT_TRUE(!other.non_recursive && other.overlay);
}

TEST(ParseVolume, NamesFlagValueAndMistake) {
  const std::pair<const char*, const char*> cases[] = {{"", "container directory cannot be empty"},
                                                       {":/b", "host directory cannot be empty"},
                                                       {"/a:", "container directory cannot be empty"},
                                                       {"/a:b", "must be an absolute path"},
                                                       {"data", "must be an absolute path"},
                                                       {"/a:/", "root directory"},
                                                       {"/a:/b/..", "root directory"},
                                                       {"/a:/b:ro:x", "incorrect volume format"},
                                                       {"/a:/b:foo", "invalid option type \"foo\""},
                                                       {"/a:/b:", "invalid option type \"\""},
                                                       {"/a:/b:ro,", "invalid option type \"\""},
                                                       {"/a:/b:ro,rw", "rw|ro"},
                                                       {"/a:/b:z,Z", "z|Z"},
                                                       {"/a:/b:exec,noexec", "exec|noexec"},
                                                       {"/a:/b:private,rslave", "slave"},
                                                       {"/a:/b:O,ro", "contradict"},
                                                       {"-x:/b", "names must match"},
                                                       {"a b:/b", "names must match"},
                                                       {"a/b:/b", "names must match"},
                                                       {"v:/b:subpath=../x", "stay within"},
                                                       {"v:/b:subpath=/x", "stay within"},
                                                       {"v:/b:subpath=a/../../x", "stay within"}};
  for (const auto& [text, expected] : cases) {
    const std::string message = error_text<InvalidArgument>([text = text] { volume(text); });
    EXPECT_THAT(message, HasSubstr(expected)) << text;
    EXPECT_THAT(message, HasSubstr("--volume"));
    EXPECT_THAT(message, HasSubstr("\"" + std::string(text) + "\""));
  }
}

TEST(ParseVolume, RefusesWhatItCannotDo) {
  for (const char* text : {"/a:/b:idmap", "/a:/b:idmap=uids=0-1-1"}) {
    EXPECT_THROW(volume(text), Unsupported) << text;
  }
}

TEST(ParseVolume, TakesAnOwnerAndDirectoriesOfAnOverlay) {
  EXPECT_TRUE(volume("/a:/b:U").chown && volume("v:/b:ro,U").chown && !volume("/a:/b").chown);
  const MountRequest overlay = volume("/a:/b:O,upperdir=/u,workdir=/w");
  EXPECT_TRUE(overlay.overlay);
  EXPECT_EQ(overlay.upper, "/u");
  EXPECT_EQ(overlay.work, "/w");
}

TEST(ParseVolume, WantsBothDirectoriesOfAnOverlayAndAnOverlay) {
  for (const char* text : {"/a:/b:O,upperdir=/u", "/a:/b:O,workdir=/w", "/a:/b:upperdir=/u,workdir=/w",
                           "/a:/b:O,upperdir=u,workdir=/w", "/a:/b:O,upperdir=,workdir="}) {
    EXPECT_THAT(error_text<InvalidArgument>([text] { volume(text); }), HasSubstr("upperdir")) << text;
  }
}

TEST(ParseMount, KnowsEveryTypeAndAliases) {
  EXPECT_EQ(mount("type=bind,src=/a,dst=/b"), volume("/a:/b"));
  EXPECT_EQ(mount("type=bind,source=./a,target=/b,ro"), volume("./a:/b:ro"));
  EXPECT_EQ(mount("type=volume,source=v,destination=/b,readonly=true"), volume("v:/b:ro"));
  EXPECT_EQ(mount("source=v,dest=/b"), volume("v:/b"));
  EXPECT_EQ(mount("dst=/b,type=volume"), volume("/b"));
  const MountRequest tmpfs = mount("type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=0700,ro=false,noexec");
  EXPECT_EQ(tmpfs.type, Type::tmpfs);
  EXPECT_THAT(tmpfs.options, ElementsAre("size=1m", "mode=0700"));
  EXPECT_TRUE(tmpfs.no_exec && !tmpfs.read_only);
  const MountRequest image = mount("type=image,src=debian,dst=/i");
  EXPECT_TRUE(image.type == Type::image && image.read_only && image.source == "debian");
  EXPECT_FALSE(mount("type=image,src=debian,dst=/i,rw=true").read_only);
  EXPECT_EQ(mount("type=devpts").destination, "/dev/pts");
  EXPECT_THAT(mount("type=devpts,dst=/p,gid=5,mode=620,max=10").options,
              ElementsAre("gid=5", "mode=620", "max=10"));
  EXPECT_EQ(mount("type=ramfs,dst=/r").type, Type::ramfs);
}

TEST(ParseMount, UnderstandsOptionsOfBinds) {
  const MountRequest bind = mount(
      "type=bind,src=/a,dst=/"
      "b,bind-propagation=rshared,bind-nonrecursive,relabel=shared,U=false,consistency=cached");
  EXPECT_TRUE(bind.non_recursive && bind.relabel && !bind.chown);
  EXPECT_TRUE(mount("type=bind,src=/a,dst=/b,U").chown && mount("src=v,dst=/b,chown=true").chown);
  EXPECT_EQ(bind.propagation, "rshared");
  EXPECT_FALSE(mount("src=v,dst=/b,volume-nocopy").copy_up);
  EXPECT_EQ(mount("src=v,dst=/b,volume-subpath=x").subpath, "x");
}

TEST(ParseMount, TakesQuotedFields) {
  EXPECT_EQ(mount("type=bind,\"src=/a,b\",dst=/c").source, "/a,b");
  EXPECT_EQ(mount("type=bind,\"src=/a\"\"b\",dst=/c").source, "/a\"b");
}

TEST(ParseMount, NamesFlagValueAndMistake) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "invalid mount option"},
      {"type=bind,dst=/b", "must set source"},
      {"type=bind,src=/a", "must set volume destination"},
      {"type=floppy,dst=/b", "invalid filesystem type \"floppy\""},
      {"type=tmpfs,src=/a,dst=/b", "has no source"},
      {"type=tmpfs,dst=/b,tmpfs-mode=9", "octal"},
      {"type=tmpfs,dst=/b,tmpfs-size=", "a value is needed"},
      {"type=bind,src=/a,dst=/b,ro=maybe", "expected true or false"},
      {"type=bind,src=/a,dst=/b,ro,rw", "rw|ro"},
      {"type=bind,src=/a,src=/c,dst=/b", "source"},
      {"type=bind,src=/a,dst=/b,bind-propagation=up", "invalid propagation"},
      {"type=bind,src=/a,dst=/b,relabel=x", "relabel"},
      {"type=bind,src=/a,dst=/b,tmpfs-size=1", "\"tmpfs-size\": invalid mount option"},
      {"type=volume,src=/a,dst=/b", "names must match"},
      {"type=image,dst=/b", "must set source"},
      {"type=devpts,uid=x", "expected a number"},
      {"type=bind,\"src=/a,dst=/b", "quote"}};
  for (const auto& [text, expected] : cases) {
    const std::string message = error_text<InvalidArgument>([text = text] { mount(text); });
    EXPECT_THAT(message, HasSubstr(expected)) << text;
    EXPECT_THAT(message, HasSubstr("--mount"));
  }
  EXPECT_THROW(mount("type=glob,src=/a*,dst=/b"), Unsupported);
  EXPECT_THROW(mount("type=bind,src=/a,dst=/b,idmap=true"), Unsupported);
  EXPECT_THROW(mount("type=image,src=debian,dst=/b,U"), InvalidArgument);
}

TEST(ParseTmpfs, KeepsTheOptionsOfTheFileSystem) {
  const MountRequest plain = parse_tmpfs("/t");
  EXPECT_EQ(plain.destination, "/t");
  EXPECT_THAT(plain.options, IsEmpty());
  const MountRequest full =
      parse_tmpfs("/t:rw,size=10%,mode=1777,exec,noatime,uid=1,nr_inodes=5,notmpcopyup");
  EXPECT_TRUE(full.exec && !full.copy_up && plain.copy_up);
  EXPECT_TRUE(parse_tmpfs("/t:tmpcopyup").copy_up);
  EXPECT_FALSE(mount("type=tmpfs,dst=/t,notmpcopyup").copy_up);
  EXPECT_THAT(full.options, ElementsAre("size=10%", "mode=1777", "noatime", "uid=1", "nr_inodes=5"));
}

TEST(ParseTmpfs, NamesTheMistake) {
  for (const char* text :
       {"", "t", "/", "/t:foo", "/t:size=", "/t:ro,rw", "/t:", "/t:tmpcopyup,notmpcopyup"}) {
    EXPECT_THAT(error_text<InvalidArgument>([text] { parse_tmpfs(text); }), HasSubstr("--tmpfs")) << text;
  }
}

TEST(ParseDevice, TakesOneToThreeParts) {
  EXPECT_EQ(parse_device("/dev/fuse"), (DeviceRequest{"/dev/fuse", "/dev/fuse", "rwm"}));
  EXPECT_EQ(parse_device("/dev/a:/dev/b"), (DeviceRequest{"/dev/a", "/dev/b", "rwm"}));
  EXPECT_EQ(parse_device("/dev/a:r"), (DeviceRequest{"/dev/a", "/dev/a", "r"}));
  EXPECT_EQ(parse_device("/dev/a:/dev/b:rw"), (DeviceRequest{"/dev/a", "/dev/b", "rw"}));
}

TEST(ParseDevice, RefusesTheRest) {
  for (const char* text :
       {"", "dev/a", ":/x", "/dev/a:b", "/dev/a:/b:rwx", "/dev/a:/b:", "/dev/a:r:w", "/a:/b:r:x"}) {
    EXPECT_THROW(parse_device(text), InvalidArgument) << text;
  }
  EXPECT_THROW(parse_device("nvidia.com/gpu=all"), Unsupported);
}

// --- merging ---

std::vector<MountRequest> merged(const CreateRequest& request, std::vector<std::string> image_volumes = {}) {
  storage::ImageConfig image;
  image.volumes = std::move(image_volumes);
  return plan_mount_requests(request, image, test_id);
}

TEST(PlanMountRequests, NamesAnonymousVolumesAfterTheContainer) {
  CreateRequest request = plain_request();
  request.volumes = {"/one", "named:/two"};
  const auto mounts = merged(request, {"/three"});
  ASSERT_THAT(mounts, SizeIs(3));
  EXPECT_THAT(mounts[0].source, MatchesRegex("[0-9a-f]{64}"));
  EXPECT_TRUE(mounts[0].anonymous && !mounts[1].anonymous && mounts[2].anonymous);
  EXPECT_NE(mounts[0].source, mounts[2].source);
  EXPECT_EQ(merged(request, {"/three"}), mounts);
}

TEST(AnonymousVolumeName, DiffersByContainerAndIndex) {
  std::set<std::string> names;
  for (char c : {'a', 'b', 'c'}) {
    for (std::size_t index = 0; index < 100; ++index) {
      names.insert(anonymous_volume_name(std::string(63, '0') + c, index));
      names.insert(anonymous_volume_name(c + std::string(63, '0'), index));
    }
  }
  EXPECT_THAT(names, SizeIs(600));
}

TEST(PlanMountRequests, ImageVolumesFollowTheMode) {
  CreateRequest request = plain_request();
  request.image_volume = "ignore";
  EXPECT_THAT(merged(request, {"/v"}), IsEmpty());
  request.image_volume = "tmpfs";
  EXPECT_EQ(merged(request, {"/v"}).at(0).type, Type::tmpfs);
  request.image_volume = "bind";
  EXPECT_EQ(merged(request, {"/v"}).at(0).type, Type::volume);
  request.image_volume = "x";
  EXPECT_THROW(merged(request, {"/v"}), InvalidArgument);
}

TEST(PlanMountRequests, ImageVolumesStayInside) {
  const auto mounts = merged(plain_request(), {"/../../etc", "rel", "/"});
  ASSERT_THAT(mounts, SizeIs(2));
  EXPECT_EQ(mounts[0].destination, "/etc");
  EXPECT_EQ(mounts[1].destination, "/rel");
}

TEST(PlanMountRequests, TheUsersMountsBeatTheImages) {
  CreateRequest request = plain_request();
  request.volumes = {"/host:/v/"};
  const auto mounts = merged(request, {"/v"});
  ASSERT_THAT(mounts, SizeIs(1));
  EXPECT_EQ(mounts[0].source, "/host");
}

TEST(PlanMountRequests, TwoMountsAtAPlaceAreAMistakeUnlessEqual) {
  CreateRequest request = plain_request();
  request.volumes = {"/a:/v", "/a:/v/"};
  EXPECT_THAT(merged(request), SizeIs(1));
  request.tmpfs = {"/v"};
  EXPECT_THAT(error_text<InvalidArgument>([&] { merged(request); }),
              HasSubstr("/v: duplicate mount destination"));
}

TEST(PlanMountRequests, VolumesFromOthersComeBeforeTheImagesAndStayTheirs) {
  CreateRequest request = plain_request();
  request.volumes = {"/mine:/m"};
  request.volumes_from = {{"other:ro",
                           {{.type = Type::volume, .source = "anon", .anonymous = true, .destination = "/v"},
                            {.type = Type::bind, .source = "/x", .destination = "/m"},
                            {.type = Type::tmpfs, .destination = "/t"}}}};
  const auto mounts = merged(request, {"/v"});
  ASSERT_THAT(mounts, SizeIs(2));
  EXPECT_EQ(mounts[0].source, "/mine");
  EXPECT_EQ(mounts[1].source, "anon");
  EXPECT_TRUE(mounts[1].read_only && !mounts[1].anonymous);
}

TEST(ParseVolumesFrom, RefusesNonsense) {
  for (const char* text : {"", ":ro", "c:x", "c:ro,rw", "c:"}) {
    EXPECT_THROW(parse_volumes_from(text), InvalidArgument) << text;
  }
  EXPECT_EQ(parse_volumes_from("c:z").container, "c");
}

}  // namespace
}  // namespace knarr::engine
