// SPDX-License-Identifier: Apache-2.0
#include "rootless/capability.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::rootless {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> names(CapabilitySet set) {
  return capability_names(set);
}

TEST(ParseCapability, TakesAnyCaseWithAndWithoutPrefix) {
  for (const char* name : {"CAP_NET_ADMIN", "cap_net_admin", "NET_ADMIN", "net_admin", "Cap_Net_Admin"}) {
    EXPECT_EQ(parse_capability(name), CAP_NET_ADMIN) << name;
  }
}

TEST(ParseCapability, RefusesUnknownNames) {
  for (const char* name : {"", "CAP_", "ALL", "12", "NET_ADMIN ", "CAP_CAP_NET_ADMIN", "NET-ADMIN", "SYS"}) {
    EXPECT_EQ(parse_capability(name), std::nullopt) << name;
  }
}

TEST(ParseCapability, KnowsTheNumbersOfTheKernelsHeader) {
  EXPECT_EQ(parse_capability("CHOWN"), CAP_CHOWN);
  EXPECT_EQ(parse_capability("SETFCAP"), CAP_SETFCAP);
  EXPECT_EQ(parse_capability("SYS_CHROOT"), CAP_SYS_CHROOT);
  EXPECT_EQ(parse_capability("AUDIT_READ"), CAP_AUDIT_READ);
  EXPECT_EQ(parse_capability("PERFMON"), CAP_PERFMON);
  EXPECT_EQ(parse_capability("BPF"), CAP_BPF);
  EXPECT_EQ(parse_capability("CHECKPOINT_RESTORE"), CAP_CHECKPOINT_RESTORE);
  EXPECT_EQ(last_known_capability, CAP_CHECKPOINT_RESTORE);
}

TEST(CapabilityName, IsTheReverseForEveryNumber) {
  for (int capability = 0; capability <= last_known_capability; ++capability) {
    EXPECT_EQ(parse_capability(capability_name(capability)), capability);
  }
  EXPECT_EQ(capability_name(41), "CAP_41");
}

TEST(AllCapabilities, AreThoseThisKernelKnows) {
  const int last = std::stoi(sys::read_file(AT_FDCWD, "/proc/sys/kernel/cap_last_cap"));
  EXPECT_EQ(names(all_capabilities()).size(), static_cast<std::size_t>(last) + 1);
}

TEST(DefaultCapabilities, AreTheEleven) {
  EXPECT_THAT(
      names(default_capabilities()),
      ElementsAre("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
                  "CAP_SETUID", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_SETFCAP"));
}

class PlanCapabilities : public ::testing::Test {
 protected:
  const CapabilitySet base = capability_bit(CAP_CHOWN) | capability_bit(CAP_KILL);
};

TEST_F(PlanCapabilities, WithoutOptionsIsTheBase) {
  EXPECT_EQ(plan_capabilities(base, {}, {}), base);
}

TEST_F(PlanCapabilities, AddsAndDrops) {
  EXPECT_THAT(names(plan_capabilities(base, {"net_raw"}, {"CAP_KILL"})),
              ElementsAre("CAP_CHOWN", "CAP_NET_RAW"));
}

TEST_F(PlanCapabilities, AddingWhatIsThereAndDroppingWhatIsNotChangesNothing) {
  EXPECT_EQ(plan_capabilities(base, {"CHOWN"}, {"SYS_ADMIN"}), base);
}

TEST_F(PlanCapabilities, AddAllIsEveryOneOfTheKernel) {
  EXPECT_EQ(plan_capabilities(base, {"all"}, {}), all_capabilities());
  EXPECT_EQ(plan_capabilities(base, {"ALL", "CHOWN"}, {}), all_capabilities());
}

TEST_F(PlanCapabilities, AddAllAndDropSomeIsAllButThose) {
  EXPECT_EQ(plan_capabilities(base, {"ALL"}, {"SYS_ADMIN"}),
            all_capabilities() & ~capability_bit(CAP_SYS_ADMIN));
}

TEST_F(PlanCapabilities, NextToAddAllASingleAddIsWithoutWeight) {
  EXPECT_EQ(plan_capabilities(base, {"ALL", "SYS_ADMIN"}, {"SYS_ADMIN"}),
            all_capabilities() & ~capability_bit(CAP_SYS_ADMIN));
}

TEST_F(PlanCapabilities, DropAllLeavesWhatIsAdded) {
  EXPECT_THAT(names(plan_capabilities(base, {}, {"all"})), IsEmpty());
  EXPECT_THAT(names(plan_capabilities(base, {"NET_RAW"}, {"ALL"})), ElementsAre("CAP_NET_RAW"));
  EXPECT_THAT(names(plan_capabilities(base, {"NET_RAW"}, {"ALL", "NET_RAW"})), ElementsAre("CAP_NET_RAW"));
}

std::string refusal(const std::vector<std::string>& add, const std::vector<std::string>& drop) {
  try {
    plan_capabilities(0, add, drop);
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST_F(PlanCapabilities, RefusesContradictions) {
  EXPECT_EQ(refusal({"net_raw"}, {"CAP_NET_RAW"}),
            "capability \"CAP_NET_RAW\" cannot be added and dropped at once");
  EXPECT_EQ(refusal({"all"}, {"all"}), "all capabilities cannot be added and dropped at once");
}

TEST_F(PlanCapabilities, NamesTheUnknownOne) {
  EXPECT_EQ(refusal({"NET_RAW", "FLY"}, {}), "unknown capability \"FLY\"");
  EXPECT_EQ(refusal({}, {""}), "unknown capability \"\"");
}

}  // namespace
}  // namespace knarr::rootless
