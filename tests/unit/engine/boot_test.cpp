// SPDX-License-Identifier: Apache-2.0
#include "engine/boot.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "engine/monitor/record_files.h"
#include "rootless/sys/file.h"
#include "tests/unit/engine/temp_dir.h"

namespace knarr::engine {
namespace {

class BeginBoot : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) {
    const std::string path = root() + "/" + name;
    sys::make_directories(AT_FDCWD, path.substr(0, path.rfind('/')), 0700);
    sys::replace_file(AT_FDCWD, path, content, 0600, sys::Durability::none);
  }
  bool exists(const std::string& name) { return sys::stat_at(AT_FDCWD, root() + "/" + name).has_value(); }
  std::string root() const { return directory_.path(); }

  TempDir directory_;
};

TEST_F(BeginBoot, LeavesAloneWhatIsOfThisBoot) {
  begin_boot(root());
  write("containers/c/pids", "1 2 3 4\n");
  write("repaired", "");
  begin_boot(root());
  EXPECT_TRUE(exists("containers/c/pids"));
  EXPECT_TRUE(exists("repaired"));
}

TEST_F(BeginBoot, EmptiesWhatIsOfAnotherBoot) {
  write("containers/c/pids", "1 2 3 4\n");
  write("repaired", "");
  write("boot-id", "5d1ae10c-0000-0000-0000-000000000000\n");
  begin_boot(root());
  EXPECT_FALSE(exists("containers"));
  EXPECT_FALSE(exists("repaired"));
  EXPECT_EQ(sys::read_file(AT_FDCWD, root() + "/boot-id"),
            sys::read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id"));
}

}  // namespace
}  // namespace knarr::engine
