// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/monitor/exit.h"
#include "engine/monitor/record_files.h"
#include "engine/record.h"
#include "storage/container_store.h"
#include "storage/volume/volume_store.h"
#include "temp_dir.h"

namespace knarr::engine::monitor {
namespace {

using ::testing::HasSubstr;

// A container in a store, with everything a monitor may have to take away.
class ExitTest : public ::testing::Test {
 protected:
  ExitTest() {
    store_.create_container(id_);
    plan_.container_id = id_.c_str();
    plan_.container_name = "web";
    plan_.store_root = store_.root.c_str();
    plan_.run_directory = run_directory_.c_str();
    plan_.container_directory = container_directory_.c_str();
    plan_.cid_file = cid_file_.c_str();
    plan_.anonymous_volumes = volumes_;
    sys::make_directories(AT_FDCWD, run_directory_ + "/etc", 0700);
    sys::create_file(AT_FDCWD, cid_file_, id_, 0600, sys::Durability::none);
    storage::VolumeStore(store_.store).create_volume({.name = "anonymous", .anonymous = true});
    storage::VolumeStore(store_.store).create_volume({.name = "named"});
  }

  struct TestStore {
    explicit TestStore(const std::string& path) : root(path), store(storage::Store::open(path)) {}
    void create_container(const std::string& id) {
      Summary summary;
      summary.id = id;
      summary.name = "web";
      storage::ContainerStore(store).create({.id = id,
                                             .name = "web",
                                             .config_json = "{}",
                                             .summary = render_summary(summary),
                                             .durability = sys::Durability::none});
    }
    std::string root;
    storage::Store store;
  };

  bool container_exists() const { return storage::ContainerStore(store_.store).find_id(id_).has_value(); }

  TempDir directory_;
  std::string id_ = std::string(64, 'a');
  TestStore store_{directory_ / "store"};
  std::string run_directory_ = directory_ / "run";
  std::string container_directory_ = store_.root + "/containers/" + id_;
  std::string cid_file_ = directory_ / "cid";
  const char* volumes_[2] = {"anonymous", nullptr};
  Plan plan_;
};

TEST_F(ExitTest, TheStatusSaysWhenAndHow) {
  record_exit(plan_, 42);
  const auto status = parse_status(status_line(directory_.read("store/containers/" + id_ + "/summary")));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->exit_code, 42);
  EXPECT_GT(status->finished_ns, 0);
  EXPECT_TRUE(container_exists());
  EXPECT_TRUE(directory_.has("run"));
  EXPECT_TRUE(directory_.has("cid"));
}

TEST_F(ExitTest, WithRemovalNothingOfTheContainerIsLeft) {
  plan_.remove_on_exit = true;
  record_exit(plan_, 0);
  EXPECT_FALSE(container_exists());
  EXPECT_FALSE(storage::ContainerStore(store_.store).find_id("web"));
  EXPECT_FALSE(directory_.has("run"));
  EXPECT_FALSE(directory_.has("cid"));
  EXPECT_FALSE(storage::VolumeStore(store_.store).find_volume("anonymous"));
  EXPECT_TRUE(storage::VolumeStore(store_.store).find_volume("named"));
  EXPECT_TRUE(store_.store.has_trash());
  empty_trash(plan_);
  EXPECT_FALSE(store_.store.has_trash());
}

TEST_F(ExitTest, AContainerThatWasRenamedLosesItsNewName) {
  storage::ContainerStore containers(store_.store);
  Summary summary;
  summary.id = id_;
  summary.name = "shop";
  containers.rename(id_, "web", "shop",
                    [&] { replace_summary(container_directory_.c_str(), render_summary(summary)); });
  plan_.remove_on_exit = true;
  record_exit(plan_, 0);
  EXPECT_FALSE(containers.find_id("shop"));
  EXPECT_FALSE(directory_.has("store/names/shop"));
}

TEST_F(ExitTest, ABrokenPartDoesNotKeepTheOthersFromBeingDone) {
  plan_.remove_on_exit = true;
  sys::replace_file(AT_FDCWD, store_.root + "/VERSION", "99\n", 0600, sys::Durability::none);
  record_exit(plan_, 0);
  EXPECT_TRUE(container_exists());
  EXPECT_FALSE(directory_.has("run"));
  EXPECT_FALSE(directory_.has("cid"));
  EXPECT_THAT(directory_.read("store/containers/" + id_ + "/monitor.log"), HasSubstr("99"));
}

TEST_F(ExitTest, AContainerThatIsGoneAlreadyIsNoTrouble) {
  storage::ContainerStore(store_.store).remove(id_, "web");
  plan_.remove_on_exit = true;
  record_exit(plan_, 0);
  EXPECT_FALSE(directory_.has("run"));
  EXPECT_FALSE(directory_.has("cid"));
}

}  // namespace
}  // namespace knarr::engine::monitor
