// SPDX-License-Identifier: Apache-2.0
#include "engine/network/network_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rootless/sys/file.h"
#include "tests/support/temporary_directory.h"

namespace knarr::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Network network_called(const std::string& name, const std::string& id) {
  Network network;
  network.name = name;
  network.id = id;
  return network;
}

std::vector<std::string> names_of(const std::vector<Network>& networks) {
  std::vector<std::string> names;
  for (const Network& network : networks) names.push_back(network.name);
  return names;
}

class NetworkStoreTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) {
    sys::create_file(AT_FDCWD, directory_.path() + "/" + name, content, 0644, sys::Durability::none);
  }
  test::TemporaryDirectory directory_;
  NetworkStore store_{directory_.path() + "/networks"};
};

TEST_F(NetworkStoreTest, HasTheDefaultNetworkWithoutAnyFile) {
  EXPECT_THAT(names_of(store_.list()), ElementsAre("podman"));
  EXPECT_EQ(store_.get("podman"), default_network());
  EXPECT_EQ(store_.get("2f259bab93").name, "podman");
  EXPECT_THROW(store_.remove("podman"), InvalidArgument);
}

TEST_F(NetworkStoreTest, FindsByNameAndByTheBeginningOfAnId) {
  store_.create(network_called("web", "ab12"));
  store_.create(network_called("cafe", "ab34"));
  EXPECT_EQ(store_.get("web").id, "ab12");
  EXPECT_EQ(store_.get("ab3").name, "cafe");
  EXPECT_EQ(store_.get("cafe").id, "ab34");
  EXPECT_THROW(store_.get("ab"), InvalidArgument);
  EXPECT_FALSE(store_.find("../web"));
  EXPECT_THROW(store_.get("nope"), NotFound);
}

TEST_F(NetworkStoreTest, ANameIsTakenOnce) {
  store_.create(network_called("web", "ab"));
  EXPECT_THROW(store_.create(network_called("web", "cd")), Conflict);
  EXPECT_THROW(store_.create(network_called("podman", "cd")), Conflict);
  EXPECT_EQ(store_.get("web").id, "ab");
}

TEST_F(NetworkStoreTest, RemovesAndReplaces) {
  Network network = network_called("web", "ab");
  store_.create(network);
  network.labels["a"] = "b";
  store_.replace(network);
  EXPECT_EQ(store_.get("web").labels.at("a"), "b");
  store_.remove("web");
  EXPECT_THROW(store_.remove("web"), NotFound);
}

TEST_F(NetworkStoreTest, OneDamagedFileHidesNoOther) {
  store_.create(network_called("web", "ab"));
  write("networks/torn.json", "{");
  write("networks/alias.json", R"({"name": "web", "id": "cd"})");
  write("networks/readme.txt", "no network");
  std::vector<std::string> reports;
  const auto networks = store_.list([&](const Error& error) { reports.push_back(error.message()); });
  EXPECT_THAT(names_of(networks), ElementsAre("podman", "web"));
  EXPECT_THAT(reports, ElementsAre(HasSubstr("reading network alias"), HasSubstr("reading network torn")));
  EXPECT_THROW(store_.get("torn"), InvalidArgument);
}

TEST_F(NetworkStoreTest, AFileOfTheDefaultNetworkReplacesIt) {
  sys::make_directories(AT_FDCWD, store_.directory(), 0755);
  write("networks/podman.json", R"({"name": "podman", "id": "ab", "network_interface": "other0"})");
  EXPECT_EQ(store_.get("podman").interface, "other0");
}

TEST(NetworkDirectory, FollowsTheOptionThenTheStoreThenPodman) {
  EXPECT_EQ(network_directory({.network_config_dir = "/n", .root = "/r"}), "/n");
  EXPECT_EQ(network_directory({.network_config_dir = "", .root = "/r"}), "/r/networks");
  EXPECT_EQ(network_directory({.rootful = true}), "/etc/containers/networks");
  EXPECT_THAT(network_directory({.rootful = false}), ::testing::EndsWith("/containers/storage/networks"));
}

}  // namespace
}  // namespace knarr::engine
