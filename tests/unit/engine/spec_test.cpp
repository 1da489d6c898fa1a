// SPDX-License-Identifier: Apache-2.0
#include "engine/spec/spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/spec/parts.h"
#include "tests/unit/engine/request_fixture.h"

namespace knarr::engine {
namespace {

using rootless::capability_bit;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

// A container, planned as on a machine where everything is as usual.
struct World {
  CreateRequest request = plain_request();
  storage::Image image = plain_image();
  rootless::HostFacts host = rootless_host();
  storage::RootfsPlan root{.lowers = {"/store/layers/2/diff", "/store/layers/1/diff"},
                           .upper = "/store/containers/c/upper",
                           .work = "/store/containers/c/work"};
  std::map<std::string, LivePids> containers;
  std::map<std::string, std::vector<std::string>> image_layers;
  SpecFacts facts{.hostname = "box"};

  Spec build() const {
    const ContainerConfig config = plan(request, image, host);
    return build_spec({.config = config,
                       .host = host,
                       .root = root,
                       .run_directory = "/run/knarr/c",
                       .volumes_directory = "/store/volumes",
                       .containers = containers,
                       .container_directory = "/store/containers/c",
                       .image_layers = image_layers,
                       .facts = facts});
  }
};

std::vector<std::string> destinations(const Spec& spec) {
  std::vector<std::string> list;
  for (const SpecMount& mount : spec.mounts) list.push_back(mount.destination);
  return list;
}

const SpecMount& mount_at(const Spec& spec, std::string_view destination) {
  static const SpecMount none{.destination = "(none)", .type = {}, .source = {}, .options = {}};
  for (const SpecMount& mount : spec.mounts) {
    if (mount.destination == destination) return mount;
  }
  return none;
}

// "user new", "pid of 7", "network at /x"
std::vector<std::string> namespaces(const Spec& spec) {
  std::vector<std::string> list;
  for (const SpecNamespace& entry : spec.namespaces) {
    if (!entry.path.empty()) {
      list.push_back(entry.type + " at " + entry.path);
    } else if (entry.process.pid != 0) {
      list.push_back(entry.type + " of " + std::to_string(entry.process.pid));
    } else {
      list.push_back(entry.type + " new");
    }
  }
  return list;
}

LivePids living(pid_t init) {
  return {.monitor = {.pid = init - 1, .start_time = 1}, .init = {.pid = init, .start_time = 2}};
}

// --- the default container ---

TEST(BuildSpec, MountsParentsBeforeChildren) {
  EXPECT_THAT(destinations(World{}.build()),
              ElementsAre("/proc", "/dev", "/sys", "/dev/pts", "/dev/shm", "/dev/mqueue", "/etc/hosts",
                          "/etc/hostname", "/etc/resolv.conf", "/sys/fs/cgroup"));
}

TEST(BuildSpec, HasTheDefaultMountsOfTheField) {
  const Spec spec = World{}.build();
  EXPECT_THAT(mount_at(spec, "/proc").options, ElementsAre("nosuid", "noexec", "nodev", "optional"));
  EXPECT_THAT(mount_at(spec, "/dev").options,
              ElementsAre("nosuid", "noexec", "strictatime", "mode=755", "size=65536k"));
  EXPECT_THAT(mount_at(spec, "/dev/pts").options,
              ElementsAre("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"));
  EXPECT_THAT(mount_at(spec, "/dev/shm").options,
              ElementsAre("nosuid", "noexec", "nodev", "mode=1777", "size=67108864"));
  EXPECT_EQ(mount_at(spec, "/sys").type, "sysfs");
  EXPECT_THAT(mount_at(spec, "/sys").options, Contains("ro"));
  EXPECT_EQ(mount_at(spec, "/sys/fs/cgroup").type, "cgroup2");
  EXPECT_THAT(mount_at(spec, "/sys/fs/cgroup").options, AllOf(Contains("ro"), Contains("optional")));
  EXPECT_EQ(mount_at(spec, "/etc/hosts").source, "/run/knarr/c/hosts");
}

TEST(BuildSpec, HasTheDefaultDevicesPathsAndNames) {
  const Spec spec = World{}.build();
  std::vector<std::string> devices;
  for (const SpecDevice& device : spec.devices) devices.push_back(device.path);
  EXPECT_THAT(devices,
              ElementsAre("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"));
  EXPECT_TRUE(spec.device_links);
  EXPECT_THAT(spec.masked_paths, AllOf(Contains("/proc/kcore"), Contains("/sys/firmware"),
                                       Contains("/proc/interrupts"), Not(Contains("/sys/kernel"))));
  EXPECT_THAT(spec.readonly_paths, ElementsAre("/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq",
                                               "/proc/sys", "/proc/sysrq-trigger"));
  EXPECT_EQ(spec.hostname, test_id.substr(0, 12));
  EXPECT_THAT(spec.process.env, Contains("HOSTNAME=" + test_id.substr(0, 12)));
  EXPECT_EQ(spec.seccomp, "default");
  EXPECT_FALSE(spec.process.no_new_privileges);
  EXPECT_THAT(spec.default_sysctl, ElementsAre(Pair("net/ipv4/ping_group_range", "0 0")));
  ASSERT_EQ(spec.files.size(), 1u);
  EXPECT_EQ(spec.files[0].path, "/run/.containerenv");
  EXPECT_EQ(spec.files[0].content, "");
}

TEST(BuildSpec, CopiesTheProcess) {
  World world;
  world.request.entrypoint = "/e";
  world.request.command = {"a", ""};
  world.request.terminal = world.request.init = true;
  world.request.user = "me";
  world.request.group_add = {"audio"};
  world.request.umask = "077";
  world.request.env = {"HOSTNAME=mine"};
  world.request.preserve_fds = 1;
  world.image.config.working_dir = "/app";
  const Spec::Process process = world.build().process;
  EXPECT_THAT(process.args, ElementsAre("/e", "a", ""));
  EXPECT_TRUE(process.terminal && process.reaper && process.make_cwd);
  EXPECT_EQ(process.user, "me");
  EXPECT_THAT(process.additional_groups, ElementsAre("audio"));
  EXPECT_EQ(process.umask, 077u);
  EXPECT_EQ(process.cwd, "/app");
  EXPECT_THAT(process.env, Contains("HOSTNAME=mine"));
  EXPECT_EQ(process.preserve_fds, 1u);
}

// --- namespaces ---

TEST(Namespaces, AreAllNewByDefault) {
  const Spec spec = World{}.build();
  EXPECT_THAT(namespaces(spec), ElementsAre("user new", "mount new", "pid new", "ipc new", "uts new",
                                            "cgroup new", "network new"));
  EXPECT_THAT(spec.uid_mappings, ElementsAre(rootless::IdExtent{0, 0, 1}, rootless::IdExtent{1, 1, 65536}));
}

TEST(Namespaces, RootHasNoUserNamespaceUnlessAsked) {
  World world;
  world.host = rootful_host();
  EXPECT_THAT(namespaces(world.build()), Not(Contains(StartsWith("user"))));
  EXPECT_THAT(world.build().uid_mappings, IsEmpty());
  world.request.user_namespace = "private";
  EXPECT_THAT(namespaces(world.build()), Contains("user new"));
}

TEST(Namespaces, OfTheHostAreLeftOut) {
  World world;
  world.request.pid = world.request.ipc = world.request.uts = world.request.cgroup = "host";
  world.request.networks = {"host"};
  const Spec spec = world.build();
  EXPECT_THAT(namespaces(spec), ElementsAre("user new", "mount new"));
  EXPECT_EQ(spec.hostname, "");
  EXPECT_THAT(spec.process.env, Contains("HOSTNAME=box"));
  EXPECT_THAT(spec.default_sysctl, IsEmpty());
}

TEST(Namespaces, TheHostsNetworkComesWithTheHostsName) {
  World world;
  world.request.networks = {"host"};
  EXPECT_EQ(world.build().hostname, "box");
}

TEST(Namespaces, JoiningAnothersMeansSharingItsUserNamespace) {
  World world;
  world.request.networks = {"container:other"};
  world.containers["other"] = living(7);
  const Spec spec = world.build();
  EXPECT_THAT(namespaces(spec), AllOf(Contains("user of 7"), Contains("network of 7"), Contains("pid new")));
  EXPECT_THAT(spec.uid_mappings, IsEmpty());
  EXPECT_EQ(mount_at(spec, "/sys").type, "sysfs");
}

TEST(Namespaces, TheNetworkDecidesWhoseUserNamespace) {
  World world;
  world.request.pid = "container:a";
  world.request.networks = {"container:b"};
  world.containers = {{"a", living(7)}, {"b", living(9)}};
  const Spec spec = world.build();
  EXPECT_THAT(namespaces(spec), AllOf(Contains("user of 9"), Contains("network of 9"), Contains("pid of 7")));
}

TEST(Namespaces, RootJoinsWithoutAUserNamespace) {
  World world;
  world.host = rootful_host();
  world.request.networks = {"container:other"};
  world.containers["other"] = living(7);
  EXPECT_THAT(namespaces(world.build()), AllOf(Contains("network of 7"), Not(Contains(StartsWith("user")))));
}

TEST(Namespaces, AreJoinedByFile) {
  World world;
  world.request.networks = {"ns:/run/netns/x"};
  world.request.user_namespace = "ns:/run/userns/y";
  EXPECT_THAT(namespaces(world.build()),
              AllOf(Contains("network at /run/netns/x"), Contains("user at /run/userns/y")));
}

TEST(Namespaces, AMissingContainerIsNamed) {
  World world;
  world.request.pid = "container:gone";
  EXPECT_THAT(error_text<NotFound>([&] { world.build(); }), HasSubstr("\"gone\""));
}

TEST(Namespaces, KeepIdMapsTheUserToItself) {
  World world;
  world.request.user_namespace = "keep-id";
  const Spec spec = world.build();
  EXPECT_EQ(rootless::map_to_outside(spec.uid_mappings, 1000), 0u);
  EXPECT_EQ(rootless::map_to_outside(spec.gid_mappings, 1000), 0u);
  EXPECT_EQ(rootless::count_ids(spec.uid_mappings), 65537u);
  EXPECT_EQ(spec.process.user, "1000:1000");
  world.request.user_namespace = "keep-id:uid=5,gid=6,size=4";
  const Spec other = world.build();
  EXPECT_EQ(rootless::map_to_outside(other.uid_mappings, 5), 0u);
  EXPECT_EQ(rootless::map_to_outside(other.gid_mappings, 6), 0u);
  EXPECT_EQ(rootless::count_ids(other.uid_mappings), 5u);
}

TEST(Namespaces, KeepingRootsIdKeepsAll) {
  World world;
  world.host = rootful_host();
  world.request.user_namespace = "keep-id";
  EXPECT_EQ(world.build().uid_mappings, rootless::plan_nested_identity(world.host.r_maps.uids));
}

TEST(Namespaces, NomapLeavesTheUserOut) {
  World world;
  world.request.user_namespace = "nomap";
  EXPECT_THAT(world.build().uid_mappings, ElementsAre(rootless::IdExtent{0, 1, 65536}));
}

TEST(PlanNoMap, ClosesTheGapBetweenExtents) {
  EXPECT_THAT(plan_no_map({{0, 1000, 1}, {1, 100000, 10}, {11, 300000, 5}}),
              ElementsAre(rootless::IdExtent{0, 1, 10}, rootless::IdExtent{10, 11, 5}));
  EXPECT_THAT(plan_no_map({{0, 1000, 10}}), ElementsAre(rootless::IdExtent{0, 1, 9}));
}

TEST(LimitIds, KeepsTheUsersOwn) {
  const rootless::IdMap map = {{0, 1, 1000}, {1000, 0, 1}, {1001, 1001, 64536}};
  EXPECT_THAT(limit_ids(map, 100, 1000),
              ElementsAre(rootless::IdExtent{0, 1, 100}, rootless::IdExtent{1000, 0, 1}));
  EXPECT_THAT(limit_ids(map, 2000, 1000),
              ElementsAre(rootless::IdExtent{0, 1, 1000}, rootless::IdExtent{1000, 0, 1},
                          rootless::IdExtent{1001, 1001, 999}));
  EXPECT_THAT(limit_ids({{0, 0, 10}}, 3, 5),
              ElementsAre(rootless::IdExtent{5, 5, 1}, rootless::IdExtent{0, 0, 3}));
}

TEST(Namespaces, WithOneIdThereIsNoGroupForTerminals) {
  World world;
  world.host = single_id_host();
  EXPECT_THAT(mount_at(world.build(), "/dev/pts").options, Not(Contains("gid=5")));
}

// --- mounts that depend on namespaces ---

TEST(Mounts, WithAForeignNetworkTheHostsSysIsBound) {
  World world;
  world.request.networks = {"host"};
  const Spec spec = world.build();
  EXPECT_EQ(mount_at(spec, "/sys").type, "bind");
  EXPECT_THAT(mount_at(spec, "/sys").options, AllOf(Contains("rbind"), Contains("ro")));
  EXPECT_THAT(spec.masked_paths, Contains("/sys/kernel"));
  world.request.networks = {"ns:/x"};
  EXPECT_EQ(mount_at(world.build(), "/sys").type, "bind");
  world.host = rootful_host();
  EXPECT_EQ(mount_at(world.build(), "/sys").type, "sysfs");
}

TEST(Mounts, WithTheHostsProcessesTheHostsProcIsBound) {
  World world;
  world.request.pid = "host";
  EXPECT_EQ(mount_at(world.build(), "/proc").type, "bind");
  world.host = rootful_host();
  EXPECT_EQ(mount_at(world.build(), "/proc").type, "proc");
}

TEST(Mounts, SharedMemoryFollowsTheIpcMode) {
  World world;
  world.request.shm_size = "1m";
  EXPECT_THAT(mount_at(world.build(), "/dev/shm").options, Contains("size=1048576"));
  world.request.ipc = "none";
  EXPECT_THAT(destinations(world.build()), Not(Contains("/dev/shm")));
  world.request.ipc = "host";
  EXPECT_EQ(mount_at(world.build(), "/dev/shm").source, "/dev/shm");
  EXPECT_EQ(mount_at(world.build(), "/dev/mqueue").type, "bind");
}

TEST(Mounts, ARootlessContainerGetsNoneOfTheHostsCgroups) {
  World world;
  world.request.cgroup = "host";
  EXPECT_THAT(destinations(world.build()), Not(Contains("/sys/fs/cgroup")));
  world.host = rootful_host();
  EXPECT_THAT(mount_at(world.build(), "/sys/fs/cgroup").options, Contains("ro"));
}

// --- the user's mounts ---

TEST(Mounts, VolumeInsideAnotherVolumeComesAfterIt) {
  World world;
  world.request.volumes = {"/b:/data/cache", "/a:/data"};
  const auto list = destinations(world.build());
  EXPECT_LT(std::find(list.begin(), list.end(), "/data"), std::find(list.begin(), list.end(), "/data/cache"));
}

TEST(Mounts, OfTheUserReplaceDefaults) {
  World world;
  world.request.volumes = {"/my/hosts:/etc/hosts:ro", "/my/shm:/dev/shm"};
  const Spec spec = world.build();
  EXPECT_EQ(mount_at(spec, "/etc/hosts").source, "/my/hosts");
  EXPECT_EQ(mount_at(spec, "/dev/shm").source, "/my/shm");
  const auto list = destinations(spec);
  EXPECT_EQ(std::count(list.begin(), list.end(), "/etc/hosts"), 1);
}

TEST(Mounts, ADevOfTheUserIsLeftAsItIs) {
  World world;
  world.request.volumes = {"/dev:/dev"};
  const Spec spec = world.build();
  EXPECT_THAT(destinations(spec), Not(Contains("/dev/pts")));
  EXPECT_THAT(spec.devices, IsEmpty());
  EXPECT_FALSE(spec.device_links);
  world.request.volumes.clear();
  world.request.tmpfs = {"/dev:dev"};
  EXPECT_FALSE(world.build().devices.empty());
}

TEST(Mounts, TakeTheUsersWords) {
  World world;
  world.request.volumes = {"/a:/a", "v:/v", "/b:/b:ro,bind,noexec,dev,rslave", "v:/s:subpath=x,suid"};
  const Spec spec = world.build();
  EXPECT_THAT(mount_at(spec, "/a").options, ElementsAre("rbind", "rw", "rprivate"));
  EXPECT_EQ(mount_at(spec, "/v").source, "/store/volumes/v/_data");
  EXPECT_THAT(mount_at(spec, "/v").options, ElementsAre("rbind", "rw", "nosuid", "nodev", "rprivate"));
  EXPECT_THAT(mount_at(spec, "/b").options, ElementsAre("bind", "ro", "dev", "noexec", "rslave"));
  EXPECT_EQ(mount_at(spec, "/s").subpath, "x");
  EXPECT_THAT(mount_at(spec, "/s").options, Contains("suid"));
  EXPECT_EQ(spec.rootfs_propagation, "rslave");
}

TEST(Mounts, TmpfsIsRestrictedUnlessSaid) {
  World world;
  world.request.tmpfs = {"/t", "/x:exec,suid,size=1m,ro"};
  EXPECT_THAT(mount_at(world.build(), "/t").options,
              ElementsAre("rw", "nosuid", "nodev", "noexec", "tmpcopyup"));
  EXPECT_THAT(mount_at(world.build(), "/x").options,
              ElementsAre("ro", "suid", "nodev", "exec", "size=1m", "tmpcopyup"));
}

TEST(Mounts, AnOverlayOfTheUserWritesToScratch) {
  World world;
  world.request.volumes = {"/src:/o:O"};
  const Spec spec = world.build();
  EXPECT_EQ(mount_at(spec, "/o").type, "overlay");
  EXPECT_THAT(mount_at(spec, "/o").options,
              AllOf(Contains("lowerdir+=/src"), Contains("upperdir=/store/containers/c/mounts/0/upper"),
                    Contains("workdir=/store/containers/c/mounts/0/work"), Contains("userxattr")));
  EXPECT_THAT(spec.scratch_directories,
              ElementsAre("/store/containers/c/mounts/0/upper", "/store/containers/c/mounts/0/work"));
  world.root.driver = storage::OverlayDriver::vfs;
  EXPECT_THROW(world.build(), Unsupported);
}

TEST(Mounts, AnImageIsMountedReadOnlyByDefault) {
  World world;
  world.request.mounts = {"type=image,src=tool,dst=/tool"};
  world.image_layers["tool"] = {"/l2", "/l1"};
  EXPECT_THAT(mount_at(world.build(), "/tool").options,
              ElementsAre("lowerdir+=/l2", "lowerdir+=/l1", "userxattr", "ro", "nosuid", "nodev"));
  world.image_layers["tool"] = {"/l1"};
  EXPECT_EQ(mount_at(world.build(), "/tool").type, "bind");
  EXPECT_THAT(mount_at(world.build(), "/tool").options, Contains("ro"));
  world.request.mounts = {"type=image,src=tool,dst=/tool,rw"};
  EXPECT_THAT(mount_at(world.build(), "/tool").options, Contains(StartsWith("upperdir=")));
  world.image_layers.clear();
  EXPECT_THAT(error_text<NotFound>([&] { world.build(); }), HasSubstr("tool: image not known"));
}

TEST(Mounts, EtcFilesFollowTheFlags) {
  World world;
  world.request.no_hosts = world.request.no_hostname = true;
  world.request.dns_servers = {"none"};
  EXPECT_THAT(destinations(world.build()), Not(Contains(StartsWith("/etc/"))));
}

TEST(Mounts, TheTimeZoneIsAFileOfTheHost) {
  World world;
  world.request.timezone = "Europe/Oslo";
  EXPECT_EQ(mount_at(world.build(), "/etc/localtime").source, "/usr/share/zoneinfo/Europe/Oslo");
  world.request.timezone = "local";
  EXPECT_EQ(mount_at(world.build(), "/etc/localtime").source, "/etc/localtime");
}

TEST(ReadOnly, HasTmpfsToWriteTo) {
  World world;
  world.request.read_only = true;
  const Spec spec = world.build();
  EXPECT_TRUE(spec.root_read_only);
  EXPECT_THAT(destinations(spec), AllOf(Contains("/run"), Contains("/tmp"), Contains("/var/tmp")));
  EXPECT_THAT(mount_at(spec, "/tmp").options, Contains("mode=1777"));
}

TEST(ReadOnly, WithoutTmpfsNothingCanBeWritten) {
  World world;
  world.request.read_only = true;
  world.request.read_only_tmpfs = false;
  const Spec spec = world.build();
  EXPECT_THAT(destinations(spec), AllOf(Not(Contains("/run")), Not(Contains("/tmp"))));
  EXPECT_THAT(spec.readonly_paths, AllOf(Contains("/dev"), Contains("/dev/shm")));
}

TEST(ContainerMark, StaysOutOfTheUsersFiles) {
  World world;
  world.request.volumes = {"/my/run:/run"};
  EXPECT_THAT(world.build().files, IsEmpty());
  world.request.volumes.clear();
  world.request.tmpfs = {"/run"};
  EXPECT_EQ(world.build().files.size(), 1u);
}

// --- security ---

rootless::CapabilitySet caps(std::initializer_list<const char*> names) {
  rootless::CapabilitySet set = 0;
  for (const char* name : names) set |= capability_bit(*rootless::parse_capability(name));
  return set;
}

TEST(Capabilities, RootHasTheDefaultsAndOthersNothing) {
  const Spec spec = World{}.build();
  const SpecCapabilities& root = spec.process.capabilities_root;
  EXPECT_EQ(root.bounding, rootless::default_capabilities());
  EXPECT_EQ(root.effective, root.bounding);
  EXPECT_EQ(root.permitted, root.bounding);
  EXPECT_EQ(root.inheritable | root.ambient, 0u);
  const SpecCapabilities& user = spec.process.capabilities_user;
  EXPECT_EQ(user.bounding, root.bounding);
  EXPECT_EQ(user.effective | user.permitted | user.inheritable | user.ambient, 0u);
}

TEST(Capabilities, ThoseNamedAreKeptByOrdinaryUsersToo) {
  World world;
  world.request.cap_add = {"NET_ADMIN"};
  world.request.cap_drop = {"CHOWN"};
  const Spec spec = world.build();
  EXPECT_EQ(spec.process.capabilities_root.bounding,
            (rootless::default_capabilities() | caps({"NET_ADMIN"})) & ~caps({"CHOWN"}));
  const SpecCapabilities& user = spec.process.capabilities_user;
  EXPECT_EQ(user.effective, caps({"NET_ADMIN"}));
  EXPECT_EQ(user.permitted, user.effective);
  EXPECT_EQ(user.inheritable, user.effective);
  EXPECT_EQ(user.ambient, user.effective);
  EXPECT_EQ(spec.process.capabilities_root.inheritable, 0u);
}

TEST(Capabilities, AnImagesLabelMayOnlyNarrow) {
  World world;
  world.image.config.labels = {{"io.containers.capabilities", "CHOWN,SETUID"}};
  EXPECT_EQ(world.build().process.capabilities_root.bounding, caps({"CHOWN", "SETUID"}));
  world.image.config.labels = {{"io.containers.capabilities", "CHOWN,SYS_ADMIN"}};
  EXPECT_EQ(world.build().process.capabilities_root.bounding, rootless::default_capabilities());
  world.image.config.labels = {{"io.containers.capabilities", "CHOWN"}};
  world.request.cap_add = {"KILL"};
  EXPECT_EQ(world.build().process.capabilities_root.bounding, rootless::default_capabilities());
}

TEST(Capabilities, RootCannotGiveWhatItDoesNotHave) {
  World world;
  world.host = rootful_host();
  world.facts.bounding = caps({"CHOWN", "KILL"});
  EXPECT_EQ(world.build().process.capabilities_root.bounding, caps({"CHOWN", "KILL"}));
  world.request.cap_add = {"NET_ADMIN"};
  EXPECT_THAT(error_text<Unsupported>([&] { world.build(); }), HasSubstr("--cap-add NET_ADMIN"));
}

TEST(Privileged, LiftsTheRestrictions) {
  World world;
  world.request.privileged = true;
  world.facts.devices = {{.path = "/dev/fuse", .host_path = "/dev/fuse", .major = 10, .minor = 229}};
  const Spec spec = world.build();
  EXPECT_EQ(spec.process.capabilities_root.bounding, rootless::all_capabilities());
  EXPECT_EQ(spec.process.capabilities_user.effective, 0u);
  EXPECT_THAT(spec.masked_paths, IsEmpty());
  EXPECT_THAT(spec.readonly_paths, IsEmpty());
  EXPECT_EQ(spec.seccomp, "unconfined");
  EXPECT_THAT(mount_at(spec, "/sys").options, Contains("rw"));
  EXPECT_THAT(mount_at(spec, "/sys/fs/cgroup").options, Contains("rw"));
  EXPECT_EQ(spec.devices.front().path, "/dev/fuse");
  EXPECT_EQ(spec.devices.size(), 7u);
  EXPECT_THAT(spec.files.at(0).content, AllOf(HasSubstr("name=\"web\""), HasSubstr("rootless=1")));
}

TEST(Security, UnmaskAndMask) {
  World world;
  world.request.security_options = {"unmask=/proc/kcore:/proc/s*", "mask=/opt/secret"};
  const Spec spec = world.build();
  EXPECT_THAT(spec.masked_paths, AllOf(Not(Contains("/proc/kcore")), Not(Contains("/proc/scsi")),
                                       Contains("/proc/keys"), Contains("/opt/secret")));
  EXPECT_THAT(spec.readonly_paths, AllOf(Not(Contains("/proc/sys")), Contains("/proc/bus")));
  world.request.security_options = {"unmask=ALL", "mask=/x"};
  EXPECT_THAT(world.build().masked_paths, ElementsAre("/x"));
  EXPECT_THAT(world.build().readonly_paths, IsEmpty());
}

TEST(Security, TakesTheOptions) {
  World world;
  world.request.security_options = {"no-new-privileges", "seccomp=/p.json", "proc-opts=hidepid=2"};
  world.facts.thermal_directories = {"/sys/devices/system/cpu/cpu0/thermal_throttle"};
  const Spec spec = world.build();
  EXPECT_TRUE(spec.process.no_new_privileges);
  EXPECT_EQ(spec.seccomp, "/p.json");
  EXPECT_THAT(mount_at(spec, "/proc").options, Contains("hidepid=2"));
  EXPECT_THAT(spec.masked_paths, Contains("/sys/devices/system/cpu/cpu0/thermal_throttle"));
}

// --- limits, devices, sysctls ---

std::vector<std::string> limits(const Spec& spec) {
  std::vector<std::string> list;
  for (const SpecRlimit& limit : spec.process.rlimits) {
    list.push_back(concat(limit.type, "=", limit.soft, ":", limit.hard));
  }
  return list;
}

TEST(Limits, AreAMillionOrWhatTheCallerHas) {
  World world;
  EXPECT_THAT(limits(world.build()),
              ElementsAre("RLIMIT_NOFILE=1048576:1048576", "RLIMIT_NPROC=1048576:1048576"));
  world.facts.max_open_files = 4096;
  world.facts.max_processes = UINT64_MAX;
  EXPECT_THAT(limits(world.build()), ElementsAre("RLIMIT_NOFILE=4096:4096", "RLIMIT_NPROC=1048576:1048576"));
}

TEST(Limits, OfTheUserReplaceTheDefaults) {
  World world;
  world.request.ulimits = {"nofile=10:20", "core=-1"};
  EXPECT_THAT(limits(world.build()), ElementsAre("RLIMIT_NPROC=1048576:1048576", "RLIMIT_NOFILE=10:20",
                                                 "RLIMIT_CORE=18446744073709551615:18446744073709551615"));
  world.request.ulimits = {"host"};
  EXPECT_THAT(limits(world.build()), IsEmpty());
}

TEST(Limits, WithoutPrivilegeTheOomScoreOnlyRises) {
  World world;
  EXPECT_FALSE(world.build().process.oom_score_adj);
  world.request.oom_score_adj = "-100";
  world.facts.oom_score_adj = 50;
  EXPECT_EQ(world.build().process.oom_score_adj, 50);
  world.request.oom_score_adj = "100";
  EXPECT_EQ(world.build().process.oom_score_adj, 100);
  world.host = rootful_host();
  world.request.oom_score_adj = "-100";
  EXPECT_EQ(world.build().process.oom_score_adj, -100);
  world.facts.bounding = rootless::default_capabilities();
  EXPECT_EQ(world.build().process.oom_score_adj, 50);
}

TEST(Devices, OfTheUserReplaceDefaultsOfTheSamePath) {
  World world;
  world.facts.devices = {{.path = "/dev/null", .host_path = "/dev/zero", .major = 1, .minor = 5},
                         {.path = "/dev/fuse", .host_path = "/dev/fuse", .major = 10, .minor = 229}};
  const Spec spec = world.build();
  EXPECT_EQ(spec.devices.size(), 7u);
  EXPECT_EQ(spec.devices[0].host_path, "/dev/zero");
}

TEST(Sysctls, AreWrittenByPath) {
  World world;
  world.request.sysctls = {"net.ipv4.ping_group_range=0 100", "kernel.shmmax=1"};
  const Spec spec = world.build();
  EXPECT_THAT(spec.sysctl,
              ElementsAre(Pair("kernel/shmmax", "1"), Pair("net/ipv4/ping_group_range", "0 100")));
  EXPECT_THAT(spec.default_sysctl, IsEmpty());
}

}  // namespace
}  // namespace knarr::engine
