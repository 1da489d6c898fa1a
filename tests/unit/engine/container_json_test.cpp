// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/record.h"
#include "rootless/sys/error.h"

namespace knarr::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The number of members of an aggregate: how many initializers it takes.
struct Anything {
  template <typename T>
  operator T() const;  // NOLINT: never called
};
template <typename T, typename... Initializers>
constexpr std::size_t count_members() {
  if constexpr (requires { T{Initializers{}..., Anything{}}; }) {
    return count_members<T, Initializers..., Anything>();
  } else {
    return sizeof...(Initializers);
  }
}

// No field has its default value.
ContainerConfig unusual_config() {
  ContainerConfig config;
  config.id = std::string(64, 'a');
  config.name = "web";
  config.created = "2026-11-23T12:00:00.000000001Z";
  config.image_id = std::string(64, 'b');
  config.image_name = "docker.io/library/debian:latest";
  config.image_store = "/other";
  config.rootfs = "/srv/tree";
  config.create_command = {"knarr", "run", "debian"};
  config.entrypoint = {"/entry", "a b"};
  config.command = {"x", ""};
  config.env = {"A=1", "B="};
  config.working_dir = "/work";
  config.make_working_dir = true;
  config.user = "me:staff";
  config.groups = {"audio"};
  config.hostname = "box";
  config.terminal = config.interactive = config.init = config.privileged = config.read_only = true;
  config.read_only_tmpfs = false;
  config.auto_remove = config.auto_remove_image = config.transient = true;
  config.cap_add = {"NET_ADMIN"};
  config.cap_drop = {"CHOWN"};
  config.security_options = {"no-new-privileges"};
  config.devices = {{"/dev/fuse", "/dev/f", "rw"}};
  config.mounts = {{.type = MountRequest::Type::bind,
                    .source = "/s",
                    .anonymous = true,
                    .destination = "/d",
                    .read_only = true,
                    .no_exec = true,
                    .no_suid = true,
                    .no_dev = true,
                    .exec = true,
                    .suid = true,
                    .dev = true,
                    .propagation = "rslave",
                    .non_recursive = true,
                    .copy_up = false,
                    .chown = true,
                    .overlay = true,
                    .upper = "/u",
                    .work = "/w",
                    .create_host_path = true,
                    .relabel = true,
                    .subpath = "sub",
                    .options = {"size=1m"}},
                   {.type = MountRequest::Type::image, .source = "i", .destination = "/i"}};
  config.uid_map = {{1, 2, 3}};
  config.gid_map = {{4, 5, 6}};
  config.ulimits = {{"nofile", -1, 5}};
  config.sysctls = {{"net.ipv4.ip_forward", "1"}};
  config.labels = {{"a.b", "c"}};
  config.annotations = {{"d", "e"}};
  config.namespaces = {"keep-id", "host", "none", "ns:/x", "container:c", "host", "private"};
  config.networks = {{.network = "web",
                      .aliases = {"db"},
                      .addresses = {*netns::parse_ip("10.89.0.5"), *netns::parse_ip("fd00::5")},
                      .mac = netns::parse_mac("02:00:00:00:00:01"),
                      .interface = "net0",
                      .host_interface = "web0"}};
  config.ports = {{.host_address = netns::parse_ip("127.0.0.1"),
                   .host_port = 8080,
                   .container_port = 80,
                   .count = 2,
                   .protocol = PortProtocol::udp}};
  config.exposed = {{.first = 90, .count = 3, .protocol = PortProtocol::udp}};
  config.publish_all = true;
  config.add_hosts = {"db:10.0.0.1"};
  config.dns_servers = {"1.1.1.1"};
  config.dns_search = {"example.org"};
  config.dns_options = {"ndots:2"};
  config.hosts_file = "/hosts";
  config.no_hosts = config.no_hostname = true;
  config.shm_size = 1;
  config.umask = 077;
  config.timezone = "Europe/Oslo";
  config.oom_score_adj = 0;
  config.passwd_entry = "p";
  config.group_entry = "g";
  config.edit_passwd = false;
  config.stop_signal = "SIGINT";
  config.stop_timeout = 4294967295;
  config.timeout = 3;
  config.log = {"json-file", "/log", 10, 2, "tag"};
  config.cid_file = "/cid";
  config.pid_file = "/pid";
  config.monitor_pid_file = "/mpid";
  config.preserve_fds = 2;
  return config;
}

std::size_t count_keys(const std::string& json, std::string_view separator) {
  std::size_t count = 0;
  for (std::size_t at = json.find(separator); at != std::string::npos; at = json.find(separator, at + 1))
    ++count;
  return count;
}

TEST(RenderConfig, WhatIsWrittenIsReadBack) {
  const ContainerConfig config = unusual_config();
  EXPECT_EQ(parse_config(render_config(config)), config);
}

TEST(RenderConfig, KnowsEveryField) {
  // A new member of a struct without a line in container_json.cpp would be lost between create and start.
  const std::string json = render_config(unusual_config());
  // Members and "version"; all nested objects, keys of maps.
  const std::size_t expected =
      count_members<ContainerConfig>() + 1 + count_members<MountRequest>() +
      /* the second mount */ 3 + count_members<DeviceRequest>() + count_members<UlimitRequest>() +
      count_members<LogConfig>() + count_members<NamespaceModes>() + count_members<NetworkAttachment>() +
      count_members<PortMapping>() + count_members<ExposedPorts>() + 2 * count_members<rootless::IdExtent>() +
      /* sysctls, labels, annotations */ 3;
  EXPECT_EQ(count_keys(json, "\":"), expected) << json;
}

TEST(RenderConfig, LeavesOutDefaults) {
  ContainerConfig config;
  config.id = "abc";
  EXPECT_EQ(render_config(config), R"({"id":"abc","version":1})");
  EXPECT_EQ(parse_config(render_config(config)), config);
}

TEST(RenderConfig, KeepsZeroApartFromNothing) {
  ContainerConfig config;
  config.id = "abc";
  config.oom_score_adj = 0;
  EXPECT_THAT(render_config(config), HasSubstr("\"oomScoreAdj\":0"));
  EXPECT_EQ(parse_config(render_config(config)).oom_score_adj, 0);
}

std::string parse_error(const std::string& json) {
  try {
    parse_config(json);
  } catch (const Error& error) {
    return error.message();
  }
  return "(no error)";
}

TEST(ParseConfig, RefusesANewerVersionByName) {
  EXPECT_THROW(parse_config(R"({"id":"a","version":2})"), Unsupported);
}

TEST(ParseConfig, NamesThePlaceOfAMistake) {
  EXPECT_THAT(parse_error(R"({"version":1,"id":"a","mounts":[{"type":"bind"},{"source":1}]})"),
              HasSubstr("config.json.mounts[1].source"));
  EXPECT_THAT(parse_error(R"({"version":1,"id":"a","mounts":[{"type":"floppy"}]})"), HasSubstr("floppy"));
  EXPECT_THAT(parse_error(R"({"version":1,"id":"a","umask":4294967296})"), HasSubstr("config.json.umask"));
  EXPECT_THAT(parse_error(R"({"version":1,"id":"a","umask":-1})"), HasSubstr("config.json.umask"));
  EXPECT_THAT(parse_error(R"({"version":1,"id":"a","oomScoreAdj":2147483648})"), HasSubstr("oomScoreAdj"));
  EXPECT_THAT(parse_error(R"({"version":1})"), HasSubstr("id"));
  EXPECT_THAT(parse_error("{"), Not(HasSubstr("(no error)")));
  EXPECT_THAT(parse_error(""), Not(HasSubstr("(no error)")));
}

TEST(ParseConfig, RecordsFromBeforeNetworksKeepTheirNamespace) {
  const ContainerConfig config = parse_config(R"({"version":1,"id":"a","namespaces":{"network":"private"}})");
  EXPECT_EQ(config.namespaces.network, "private");
  EXPECT_TRUE(config.networks.empty());
  EXPECT_EQ(parse_config(R"({"version":1,"id":"a"})").namespaces.network, "none");
}

TEST(ParseConfig, ChecksAddressesAndProtocols) {
  EXPECT_THAT(parse_error(R"({"version":1,"id":"a","networks":[{"network":"w","addresses":["x"]}]})"),
              HasSubstr("config.json.networks[0].addresses[0]"));
  EXPECT_THAT(parse_error(R"({"version":1,"id":"a","networks":[{"network":"w","mac":"1"}]})"),
              HasSubstr("config.json.networks[0].mac"));
  EXPECT_THAT(parse_error(R"({"version":1,"id":"a","ports":[{"protocol":"sctp"}]})"), HasSubstr("sctp"));
}

TEST(ParseConfig, IgnoresUnknownMembers) {
  EXPECT_EQ(parse_config(R"({"version":1,"id":"a","later":{"x":[1]}})").id, "a");
}

}  // namespace
}  // namespace knarr::engine
