// SPDX-License-Identifier: Apache-2.0
#include "engine/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <climits>

#include "engine/request/command.h"
#include "engine/request/names.h"
#include "engine/request/namespaces.h"
#include "engine/request/security.h"
#include "engine/request/values.h"
#include "tests/unit/engine/request_fixture.h"

namespace knarr::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

using Setter = void (*)(CreateRequest&);

// The message for a request with one thing wrong.
std::string refusal(Setter change, const rootless::HostFacts& host = rootless_host()) {
  CreateRequest request = plain_request();
  change(request);
  return error_text<InvalidArgument>([&] { plan(request, plain_image(), host); });
}
std::string unsupported(Setter change) {
  CreateRequest request = plain_request();
  change(request);
  return error_text<Unsupported>([&] { plan(request); });
}

// --- values ---

TEST(ParseBytes, KnowsUnits) {
  const std::pair<const char*, std::uint64_t> cases[] = {{"0", 0},
                                                         {"512", 512},
                                                         {"1b", 1},
                                                         {"1k", 1024},
                                                         {"1K", 1024},
                                                         {"2kb", 2048},
                                                         {"2KiB", 2048},
                                                         {"64m", 64u << 20},
                                                         {"64MB", 64u << 20},
                                                         {"1g", 1u << 30},
                                                         {"1.5k", 1536},
                                                         {"0.5g", 1u << 29},
                                                         {"2t", 2ull << 40},
                                                         {"16383p", 16383ull << 50}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(parse_bytes(text), expected) << text;
}

TEST(ParseBytes, RefusesTheRest) {
  for (const char* text : {"", "k", "-1", "1x", "1kk", "1 k", "1.k.", ".", "1e3", "0x10", "16384p",
                           "99999999999999999999", "1.5.5k", "1ki", "9999999999.5p"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
}

TEST(CleanPath, IsLexical) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"/", "/"},
                                                       {"//", "/"},
                                                       {"/a/", "/a"},
                                                       {"/a/../b", "/b"},
                                                       {"/../a", "/a"},
                                                       {"/a/./b", "/a/b"},
                                                       {"a/../..", ".."},
                                                       {"./a", "a"},
                                                       {".", "."},
                                                       {"../../a", "../../a"},
                                                       {"/..", "/"}};
  for (const auto& [path, expected] : cases) EXPECT_EQ(clean_path(path), expected) << path;
}

TEST(ParseOctal, StopsAtTheLimit) {
  EXPECT_EQ(parse_octal("0022"), 022u);
  EXPECT_EQ(parse_octal("777", 0777), 0777u);
  for (const char* text : {"", "8", "1000", "-1", "0x1"}) EXPECT_FALSE(parse_octal(text, 0777)) << text;
}

// --- command ---

struct CommandCase {
  std::vector<std::string> image_entrypoint, image_cmd;
  std::optional<std::string> entrypoint;
  std::vector<std::string> command;
  std::vector<std::string> expected_entrypoint, expected_command;
};

TEST(PlanCommand, MergesImageAndUserAsPodmanDoes) {
  const CommandCase cases[] = {{{}, {"bash"}, {}, {}, {}, {"bash"}},
                               {{}, {"bash"}, {}, {"ls", "-l"}, {}, {"ls", "-l"}},
                               {{"/e"}, {"x"}, {}, {}, {"/e"}, {"x"}},
                               {{"/e"}, {"x"}, {}, {"y"}, {"/e"}, {"y"}},
                               // The image's command belongs to the image's entrypoint.
                               {{"/e"}, {"x"}, "/mine", {}, {"/mine"}, {}},
                               {{"/e"}, {"x"}, "/mine", {"y"}, {"/mine"}, {"y"}},
                               {{"/e"}, {"x"}, R"(["/mine","a b"])", {"y"}, {"/mine", "a b"}, {"y"}},
                               {{"/e"}, {"x"}, "", {"y"}, {}, {"y"}},
                               {{"/e"}, {"x"}, "[]", {"y"}, {}, {"y"}},
                               {{"/e"}, {"x"}, "sh -c", {"y"}, {"sh -c"}, {"y"}},
                               {{}, {}, R"([1])", {}, {"[1]"}, {}},
                               {{}, {}, "[", {"-f", "x", "]"}, {"["}, {"-f", "x", "]"}}};
  for (const CommandCase& c : cases) {
    CreateRequest request = plain_request();
    request.entrypoint = c.entrypoint;
    request.command = c.command;
    storage::Image image = plain_image();
    image.config.entrypoint = c.image_entrypoint;
    image.config.cmd = c.image_cmd;
    const ContainerConfig config = plan(request, image);
    EXPECT_EQ(config.entrypoint, c.expected_entrypoint) << c.entrypoint.value_or("-");
    EXPECT_EQ(config.command, c.expected_command) << c.entrypoint.value_or("-");
  }
}

TEST(PlanCommand, SomethingMustBeLeftToRun) {
  EXPECT_THAT(refusal([](CreateRequest& r) { r.entrypoint = ""; }),
              HasSubstr("no command or entrypoint provided"));
}

// --- source ---

TEST(PlanConfig, KeepsWhatIdentifiesTheContainer) {
  CreateRequest request = plain_request();
  request.argv = {"knarr", "run", "debian"};
  const ContainerConfig config = plan(request);
  EXPECT_EQ(config.id, test_id);
  EXPECT_EQ(config.name, "web");
  EXPECT_EQ(config.created, "2026-11-23T12:00:00.000000001Z");
  EXPECT_EQ(config.image_id, plain_image().id);
  EXPECT_EQ(config.image_name, "docker.io/library/debian:latest");
  EXPECT_EQ(config.create_command, request.argv);
}

TEST(PlanConfig, NamesTheImageByTheNameThatWasMeant) {
  storage::Image image = plain_image();
  image.names = {"docker.io/library/debian:latest", "localhost/mine:1"};
  CreateRequest request = plain_request();
  request.image = "mine:1";
  EXPECT_EQ(plan(request, image).image_name, "localhost/mine:1");
  request.image = std::string(12, 'b');
  EXPECT_EQ(plan(request, image).image_name, "docker.io/library/debian:latest");
  image.names.clear();
  EXPECT_EQ(plan(request, image).image_name, request.image);
}

TEST(PlanConfig, ARootfsNeedsNoImage) {
  CreateRequest request = plain_request();
  request.image.clear();
  request.rootfs = "./tree";
  request.command = {"sh"};
  const ContainerConfig config = plan_config(request, std::nullopt, rootless_host(), "now", "id", "");
  EXPECT_EQ(config.rootfs, "/home/me/work/tree");
  EXPECT_THAT(config.image_id, IsEmpty());
}

TEST(PlanConfig, RefusesAnotherPlatform) {
  CreateRequest request = plain_request();
  request.platform_architecture = "arm64";
  EXPECT_THAT(error_text<NotFound>([&] { plan(request); }), HasSubstr("linux/amd64, not for linux/arm64"));
  request.platform_architecture = "amd64";
  request.platform_os = "linux";
  EXPECT_NO_THROW(plan(request));
}

TEST(PlanConfig, RefusesABadName) {
  for (const char* name : {"-x", "a b", "a/b", "..", "é"}) {
    EXPECT_THAT(error_text<InvalidArgument>(
                    [&] { plan_config(plain_request(), plain_image(), rootless_host(), "now", "id", name); }),
                HasSubstr("names must match"))
        << name;
  }
}

// --- user and working directory ---

TEST(PlanUser, TheUserBeatsTheImageBeatsKeepId) {
  CreateRequest request = plain_request();
  storage::Image image = plain_image();
  EXPECT_EQ(plan(request, image).user, "");
  request.user_namespace = "keep-id";
  EXPECT_EQ(plan(request, image).user, "1000:1000");
  request.user_namespace = "keep-id:uid=5,gid=6";
  EXPECT_EQ(plan(request, image).user, "5:6");
  image.config.user = "app";
  EXPECT_EQ(plan(request, image).user, "app");
  request.user = "1:2";
  EXPECT_EQ(plan(request, image).user, "1:2");
}

TEST(PlanUser, ANumberMustFit) {
  CreateRequest request = plain_request();
  for (const char* user : {"0", "01", "1:2", ":2", "1:", "4294967294", "name:group", "+1"}) {
    request.user = user;
    EXPECT_EQ(plan(request).user, user);
  }
  for (const char* user : {"4294967295", "1:4294967295", "99999999999999999999", "1:2:3", "a\nb"}) {
    request.user = user;
    EXPECT_THAT(error_text<InvalidArgument>([&] { plan(request); }), HasSubstr("--user")) << user;
  }
}

TEST(PlanUser, AnImagesUserIsCheckedToo) {
  storage::Image image = plain_image();
  image.config.user = "4294967295";
  EXPECT_THROW(plan(plain_request(), image), InvalidArgument);
}

TEST(PlanGroups, KeepGroupsStandsAlone) {
  CreateRequest request = plain_request();
  request.group_add = {"audio", "44"};
  EXPECT_THAT(plan(request).groups, ElementsAre("audio", "44"));
  EXPECT_THAT(refusal([](CreateRequest& r) {
                r.group_add = {"keep-groups", "x"};
              }),
              HasSubstr("keep-groups"));
  EXPECT_THAT(refusal([](CreateRequest& r) { r.group_add = {"a:b"}; }), HasSubstr("--group-add"));
}

TEST(PlanWorkingDirectory, OnlyTheImagesOwnIsMade) {
  CreateRequest request = plain_request();
  storage::Image image = plain_image();
  EXPECT_EQ(plan(request, image).working_dir, "/");
  EXPECT_FALSE(plan(request, image).make_working_dir);
  image.config.working_dir = "app/";
  EXPECT_EQ(plan(request, image).working_dir, "/app");
  EXPECT_TRUE(plan(request, image).make_working_dir);
  request.working_dir = "/else/../other";
  EXPECT_EQ(plan(request, image).working_dir, "/other");
  EXPECT_FALSE(plan(request, image).make_working_dir);
  request.working_dir = "/app";
  EXPECT_TRUE(plan(request, image).make_working_dir);
  EXPECT_THAT(refusal([](CreateRequest& r) { r.working_dir = "app"; }), HasSubstr("absolute"));
}

// --- namespaces ---

TEST(PlanNamespaceModes, ArePrivateByDefault) {
  const NamespaceModes modes = plan(plain_request()).namespaces;
  NamespaceModes expected;
  expected.network = "bridge";
  EXPECT_EQ(modes, expected);
}

TEST(PlanNamespaceModes, KeepWhatWasSaid) {
  CreateRequest request = plain_request();
  request.pid = "container:db";
  request.ipc = "shareable";
  request.uts = "ns:./x";
  request.cgroup = "host";
  request.networks = {"container:db"};
  request.user_namespace = "keep-id:uid=1,gid=2,size=100";
  const NamespaceModes modes = plan(request).namespaces;
  EXPECT_EQ(modes.pid, "container:db");
  EXPECT_EQ(modes.ipc, "shareable");
  EXPECT_EQ(modes.uts, "ns:/home/me/work/x");
  EXPECT_EQ(modes.cgroup, "host");
  EXPECT_EQ(modes.network, "container:db");
  EXPECT_EQ(modes.user, "keep-id:uid=1,gid=2,size=100");
}

TEST(PlanNamespaceModes, RefuseUnknownOnes) {
  EXPECT_THAT(refusal([](CreateRequest& r) { r.pid = "none"; }), HasSubstr("\"none\" for \"--pid\""));
  EXPECT_THAT(refusal([](CreateRequest& r) { r.ipc = "x"; }), HasSubstr("--ipc"));
  EXPECT_THAT(refusal([](CreateRequest& r) { r.uts = "container:"; }), HasSubstr("--uts"));
  EXPECT_THAT(refusal([](CreateRequest& r) { r.cgroup = "ns:"; }), HasSubstr("--cgroupns"));
  EXPECT_THAT(refusal([](CreateRequest& r) { r.user_namespace = "x"; }), HasSubstr("--userns"));
  for (const char* mode :
       {"keep-id:", "keep-id:x", "keep-id:uid=x", "keep-id:uid=4294967295", "keep-id:size=0", "keep-id:foo=1",
        "auto:", "auto:size=0", "auto:x=1", "auto:uidmapping=1:2", "auto:uidmapping=0:1:0",
        "auto:gidmapping=0:1:4294967295"}) {
    EXPECT_THROW(parse_user_namespace_mode(mode), InvalidArgument) << mode;
  }
}

TEST(PlanNamespaceModes, AutoTakesASizeAndMappings) {
  const UserNamespaceMode plain = parse_user_namespace_mode("auto");
  EXPECT_EQ(plain.kind, UserNamespaceMode::Kind::automatic);
  EXPECT_FALSE(plain.size);
  const UserNamespaceMode mode =
      parse_user_namespace_mode("auto:size=2000,uidmapping=0:1:10,uidmapping=50:60:1,gidmapping=5:6:7");
  EXPECT_EQ(mode.size, 2000u);
  EXPECT_EQ(mode.uid_mapping, (rootless::IdMap{{0, 1, 10}, {50, 60, 1}}));
  EXPECT_EQ(mode.gid_mapping, (rootless::IdMap{{5, 6, 7}}));
}

TEST(PlanNamespaceModes, NomapNeedsOtherIds) {
  EXPECT_THAT(refusal([](CreateRequest& r) { r.user_namespace = "nomap"; }, rootful_host()),
              HasSubstr("rootless"));
  EXPECT_THAT(refusal([](CreateRequest& r) { r.user_namespace = "nomap"; }, single_id_host()),
              HasSubstr("/etc/subuid"));
}

TEST(ResolveContainerModes, PutsTheFullIdInPlaceOfTheName) {
  NamespaceModes modes;
  modes.pid = "container:db";
  modes.network = "container:web";
  modes.ipc = "ns:container:x";
  resolve_container_modes(modes, [](const std::string& name) { return name + "-id"; });
  EXPECT_EQ(modes.pid, "container:db-id");
  EXPECT_EQ(modes.network, "container:web-id");
  EXPECT_EQ(modes.ipc, "ns:container:x");
}

// --- names ---

TEST(PlanNames, ChecksHostNames) {
  CreateRequest request = plain_request();
  request.hostname = "web-1.example_x.org";
  EXPECT_EQ(plan(request).hostname, request.hostname);
  for (const char* name : {"-x", ".x", "a b", "a\nb", "a/b"})
    EXPECT_THROW(check_hostname(name), InvalidArgument) << name;
  EXPECT_THROW(check_hostname(std::string(65, 'a')), InvalidArgument);
  EXPECT_NO_THROW(check_hostname(std::string(64, 'a')));
  EXPECT_THAT(refusal([](CreateRequest& r) {
                r.hostname = "x";
                r.uts = "host";
              }),
              HasSubstr("UTS namespace"));
}

TEST(PlanNames, ABaseOfHostsIsAFileOfTheHost) {
  CreateRequest request = plain_request();
  request.hosts_file = "/etc/hosts.base";
  EXPECT_EQ(plan(request).hosts_file, "/etc/hosts.base");
  request.hosts_file = "none";
  EXPECT_EQ(plan(request).hosts_file, "");
  EXPECT_THAT(refusal([](CreateRequest& r) { r.hosts_file = "x"; }), HasSubstr("absolute path"));
  EXPECT_THAT(refusal([](CreateRequest& r) {
                r.hosts_file = "/x";
                r.no_hosts = true;
              }),
              HasSubstr("--no-hosts and --hosts-file"));
  EXPECT_THAT(unsupported([](CreateRequest& r) { r.hosts_file = "image"; }), HasSubstr("--hosts-file image"));
}

TEST(ParseAddHost, TakesManyNamesAndAnyAddress) {
  EXPECT_THAT(parse_add_host("db:10.0.0.1"), ElementsAre("db:10.0.0.1"));
  EXPECT_THAT(parse_add_host("a;b:fd00::1"), ElementsAre("a:fd00::1", "b:fd00::1"));
  EXPECT_THAT(parse_add_host("a:[fd00::1]"), ElementsAre("a:fd00::1"));
  EXPECT_THAT(parse_add_host("a:host-gateway"), ElementsAre("a:host-gateway"));
  EXPECT_THAT(unsupported([](CreateRequest& r) {
                r.networks = {"none"};
                r.add_hosts = {"a:host-gateway"};
              }),
              HasSubstr("the mode is none"));
  for (const char* text : {"", "a", "a:", ":1.2.3.4", "a:1.2.3", "a:1.2.3.4\nevil", "a b:1.2.3.4",
                           "a;:1.2.3.4", "a\nb:1.2.3.4", "a:[fd00::1"}) {
    EXPECT_THROW(parse_add_host(text), InvalidArgument) << text;
  }
}

TEST(IsIpAddress, LooksAtAllOfTheText) {
  for (const char* text : {"1.2.3.4", "::", "fd00::1", "fe80::1%eth0"})
    EXPECT_TRUE(is_ip_address(text)) << text;
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv, "1.2.3"sv, "1.2.3.4%eth0"sv, "fe80::1%"sv, "fe80::1%a b"sv,
                                      "1.2.3.4\0x"sv, "::4\0 evil%eth0"sv, "1.2.3.4 "sv}) {
    EXPECT_FALSE(is_ip_address(text)) << text;
  }
}

TEST(PlanNames, ChecksResolvers) {
  CreateRequest request = plain_request();
  request.dns_servers = {"1.1.1.1", "fe80::1%eth0"};
  request.dns_search = {"example.org", "."};
  request.dns_options = {"ndots:2"};
  const ContainerConfig config = plan(request);
  EXPECT_EQ(config.dns_servers, request.dns_servers);
  EXPECT_EQ(config.dns_search, request.dns_search);
  EXPECT_EQ(config.dns_options, request.dns_options);
  EXPECT_THAT(refusal([](CreateRequest& r) { r.dns_servers = {"x"}; }), HasSubstr("--dns"));
  EXPECT_THAT(refusal([](CreateRequest& r) { r.dns_servers = {"none", "1.1.1.1"}; }), HasSubstr("none"));
  EXPECT_THAT(refusal([](CreateRequest& r) { r.dns_search = {"a b"}; }), HasSubstr("--dns-search"));
  EXPECT_THAT(refusal([](CreateRequest& r) { r.dns_options = {"a\nnameserver 6.6.6.6"}; }),
              HasSubstr("--dns-option"));
  EXPECT_THAT(refusal([](CreateRequest& r) {
                r.no_hosts = true;
                r.add_hosts = {"a:1.2.3.4"};
              }),
              HasSubstr("--no-hosts and --add-host"));
}

// --- security ---

TEST(ParseSecurityOptions, AddsUp) {
  const SecurityOptions options = parse_security_options(
      {"no-new-privileges", "seccomp=/p.json", "unmask=/proc/kcore:/sys/*", "mask=/a:/b/", "label=disable",
       "apparmor=unconfined", "proc-opts=hidepid=2,subset=pid"});
  EXPECT_TRUE(options.no_new_privileges && !options.unmask_all);
  EXPECT_EQ(options.seccomp, "/p.json");
  EXPECT_THAT(options.unmask, ElementsAre("/proc/kcore", "/sys/*"));
  EXPECT_THAT(options.mask, ElementsAre("/a", "/b"));
  EXPECT_THAT(options.proc_options, ElementsAre("hidepid=2", "subset=pid"));
  EXPECT_TRUE(parse_security_options({"unmask=ALL"}).unmask_all);
  EXPECT_TRUE(parse_security_options({"systempaths=unconfined"}).unmask_all);
  EXPECT_TRUE(parse_security_options({"no-new-privileges:true"}).no_new_privileges);
  EXPECT_FALSE(parse_security_options({"no-new-privileges", "no-new-privileges=false"}).no_new_privileges);
  EXPECT_EQ(parse_security_options({"seccomp:unconfined"}).seccomp, "unconfined");
}

TEST(ParseSecurityOptions, RefusesTheRest) {
  for (const char* option :
       {"", "x", "foo=bar", "seccomp=", "no-new-privileges=maybe", "unmask=rel", "mask=", "mask=/a:b"}) {
    EXPECT_THROW(parse_security_options({option}), InvalidArgument) << option;
  }
  EXPECT_THROW(parse_security_options({"apparmor=profile"}), Unsupported);
}

TEST(PlanSecurity, MakesAProfilesPathAbsolute) {
  CreateRequest request = plain_request();
  request.security_options = {"seccomp=p.json", "seccomp=unconfined"};
  EXPECT_THAT(plan(request).security_options,
              ElementsAre("seccomp=/home/me/work/p.json", "seccomp=unconfined"));
}

TEST(PlanSecurity, ChecksCapabilityNames) {
  CreateRequest request = plain_request();
  request.cap_add = {"net_admin", "CAP_SYS_TIME", "all"};
  EXPECT_EQ(plan(request).cap_add, request.cap_add);
  EXPECT_THAT(refusal([](CreateRequest& r) { r.cap_add = {"fly"}; }), HasSubstr("\"fly\" for \"--cap-add\""));
  EXPECT_THAT(refusal([](CreateRequest& r) { r.cap_drop = {""}; }), HasSubstr("--cap-drop"));
}

TEST(PlanSysctls, TakesOnlyTheContainersOwn) {
  const NamespaceModes own;
  EXPECT_THAT(plan_sysctls({"net.ipv4.ip_forward=1", "kernel.sem=1 2 3 4", "fs.mqueue.msg_max=9"}, own),
              ElementsAre(Pair("fs.mqueue.msg_max", "9"), Pair("kernel.sem", "1 2 3 4"),
                          Pair("net.ipv4.ip_forward", "1")));
  EXPECT_THAT(plan_sysctls({"net/ipv4/conf/eth0.1/forwarding=1"}, own),
              ElementsAre(Pair("net/ipv4/conf/eth0.1/forwarding", "1")));
  for (const char* text :
       {"kernel.shm_rmid_forced=1+kernel.core_pattern=x\n", "kernel.core_pattern=|/x", "net.=1", "net..x=1",
        "net=1", "net/../kernel/core_pattern=x", "net.ipv4.ip_forward", "=1", "NET.X=1", "net.ipv4.x y=1",
        "vm.overcommit_memory=1", "kernel.msgmax.x=1", "net./../kernel.x=1", "/net/ipv4/ip_forward=1"}) {
    EXPECT_THROW(plan_sysctls({text}, own), InvalidArgument) << text;
  }
}

TEST(PlanSysctls, NeedANamespaceOfTheContainersOwn) {
  NamespaceModes modes;
  for (const char* mode : {"host", "container:x", "ns:/x"}) {
    modes.network = mode;
    modes.ipc = "private";
    EXPECT_THROW(plan_sysctls({"net.ipv4.ip_forward=1"}, modes), InvalidArgument) << mode;
    EXPECT_NO_THROW(plan_sysctls({"kernel.shmmax=1"}, modes));
    modes.ipc = mode;
    EXPECT_THROW(plan_sysctls({"kernel.shmmax=1"}, modes), InvalidArgument) << mode;
  }
}

TEST(SysctlPath, TheFirstSeparatorDecides) {
  EXPECT_EQ(sysctl_path("net.ipv4.ip_forward"), "net/ipv4/ip_forward");
  EXPECT_EQ(sysctl_path("net/ipv4/conf/eth0.1/x"), "net/ipv4/conf/eth0.1/x");
  EXPECT_EQ(sysctl_path("net.ipv4.conf.eth0/1.x"), "net/ipv4/conf/eth0.1/x");
}

TEST(ParseUlimit, TakesOneOrTwoValues) {
  EXPECT_EQ(parse_ulimit("nofile=10"), (UlimitRequest{"nofile", 10, 10}));
  EXPECT_EQ(parse_ulimit("nofile=10:20"), (UlimitRequest{"nofile", 10, 20}));
  EXPECT_EQ(parse_ulimit("core=-1"), (UlimitRequest{"core", -1, -1}));
  EXPECT_EQ(parse_ulimit("core=0:-1"), (UlimitRequest{"core", 0, -1}));
  EXPECT_EQ(parse_ulimit("host").name, "host");
  for (const char* text :
       {"", "nofile", "nofile=", "x=1", "nofile=2:1", "nofile=-1:1", "nofile=-2", "nofile=1:2:3", "=1"}) {
    EXPECT_THAT(error_text<InvalidArgument>([text] { parse_ulimit(text); }), HasSubstr("--ulimit")) << text;
  }
}

// --- the rest ---

TEST(PlanConfig, ReadsNumbersInTheirUnits) {
  CreateRequest request = plain_request();
  request.shm_size = "1m";
  request.umask = "0077";
  request.oom_score_adj = "-5";
  request.stop_timeout = "3";
  request.timeout = "60";
  const ContainerConfig config = plan(request);
  EXPECT_EQ(config.shm_size, 1u << 20);
  EXPECT_EQ(config.umask, 077u);
  EXPECT_EQ(config.oom_score_adj, -5);
  EXPECT_EQ(config.stop_timeout, 3u);
  EXPECT_EQ(config.timeout, 60u);
  request.stop_timeout = "-1";
  EXPECT_EQ(plan(request).stop_timeout, UINT_MAX);
}

TEST(PlanConfig, NamesFlagAndValueOfABadNumber) {
  const std::pair<Setter, const char*> cases[] = {
      {[](CreateRequest& r) { r.shm_size = "1q"; }, "\"1q\" for \"--shm-size\""},
      {[](CreateRequest& r) { r.umask = "888"; }, "\"888\" for \"--umask\""},
      {[](CreateRequest& r) { r.umask = "1000"; }, "--umask"},
      {[](CreateRequest& r) { r.oom_score_adj = "1001"; }, "--oom-score-adj"},
      {[](CreateRequest& r) { r.stop_timeout = "-2"; }, "--stop-timeout"},
      {[](CreateRequest& r) { r.timeout = "1s"; }, "--timeout"},
      {[](CreateRequest& r) { r.stop_signal = "NOPE"; }, "--stop-signal"},
      {[](CreateRequest& r) { r.stop_signal = "0"; }, "--stop-signal"},
      {[](CreateRequest& r) { r.timezone = "../etc/passwd"; }, "--tz"},
      {[](CreateRequest& r) { r.timezone = "/etc/passwd"; }, "--tz"},
      {[](CreateRequest& r) { r.log_options = {"x=y"}; }, "--log-opt"},
      {[](CreateRequest& r) { r.log_options = {"max-size=big"}; }, "--log-opt"},
      {[](CreateRequest& r) { r.log_options = {"max-file=0"}; }, "--log-opt"},
      {[](CreateRequest& r) { r.log_options = {"path"}; }, "--log-opt"},
      {[](CreateRequest& r) { r.passwd_entry = "a:b\nroot2::0:0"; }, "--passwd-entry"}};
  for (const auto& [change, expected] : cases) EXPECT_THAT(refusal(change), HasSubstr(expected));
  EXPECT_THAT(unsupported([](CreateRequest& r) { r.passwd_entry = "a:x:1:1::/:/bin/sh"; }),
              HasSubstr("--passwd-entry"));
  EXPECT_THAT(unsupported([](CreateRequest& r) { r.log_driver = "journald"; }),
              HasSubstr("--log-driver journald"));
}

TEST(PlanStopSignal, TheUserBeatsTheImageAndAnImagesMistakeIsForgiven) {
  CreateRequest request = plain_request();
  storage::Image image = plain_image();
  EXPECT_EQ(plan(request, image).stop_signal, "SIGTERM");
  image.config.stop_signal = "SIGQUIT";
  EXPECT_EQ(plan(request, image).stop_signal, "SIGQUIT");
  image.config.stop_signal = "nonsense";
  EXPECT_EQ(plan(request, image).stop_signal, "SIGTERM");
  request.stop_signal = "2";
  EXPECT_EQ(plan(request, image).stop_signal, "SIGINT");
  request.stop_signal = "RTMIN+3";
  EXPECT_EQ(plan(request, image).stop_signal, "37");
}

TEST(PlanConfig, ReadsLogOptions) {
  CreateRequest request = plain_request();
  request.log_driver = "json-file";
  request.log_options = {"path=log", "max-size=10m", "max-file=3", "tag=a=b"};
  EXPECT_EQ(plan(request).log, (LogConfig{"json-file", "/home/me/work/log", 10u << 20, 3, "a=b"}));
}

TEST(PlanConfig, MakesFilesOfTheHostAbsolute) {
  CreateRequest request = plain_request();
  request.cid_file = "cid";
  request.pid_file = "/run/pid";
  const ContainerConfig config = plan(request);
  EXPECT_EQ(config.cid_file, "/home/me/work/cid");
  EXPECT_EQ(config.pid_file, "/run/pid");
  EXPECT_EQ(config.monitor_pid_file, "");
}

TEST(PlanConfig, CopiesTheSwitches) {
  CreateRequest request = plain_request();
  request.terminal = request.interactive = request.init = request.privileged = request.read_only = true;
  request.auto_remove = request.auto_remove_image = request.no_hostname = true;
  request.read_only_tmpfs = false;
  request.edit_passwd = false;
  request.preserve_fds = 2;
  const ContainerConfig config = plan(request);
  EXPECT_TRUE(config.terminal && config.interactive && config.init && config.privileged && config.read_only);
  EXPECT_TRUE(config.auto_remove && config.auto_remove_image && config.no_hostname);
  EXPECT_FALSE(config.read_only_tmpfs);
  EXPECT_FALSE(config.edit_passwd);
  EXPECT_EQ(config.preserve_fds, 2u);
}

}  // namespace
}  // namespace knarr::engine
