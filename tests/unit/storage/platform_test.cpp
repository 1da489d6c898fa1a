// SPDX-License-Identifier: Apache-2.0
#include "storage/image/platform.h"

#include <gtest/gtest.h>

namespace knarr::storage {
namespace {

Descriptor for_platform(const std::string& architecture, const std::string& variant = "",
                        const std::string& os = "linux") {
  Descriptor descriptor;
  descriptor.os = os;
  descriptor.architecture = architecture;
  descriptor.variant = variant;
  return descriptor;
}

// "architecture variant" of what is chosen.
std::string choose(const std::vector<Descriptor>& manifests, const Platform& platform) {
  const Descriptor* const chosen = choose_platform(manifests, platform);
  return chosen == nullptr ? "none" : chosen->architecture + " " + chosen->variant;
}

TEST(Platform, MachinesHaveTheNamesOfGo) {
  EXPECT_EQ(platform_of_machine("x86_64"), (Platform{"linux", "amd64", ""}));
  EXPECT_EQ(platform_of_machine("aarch64"), (Platform{"linux", "arm64", "v8"}));
  EXPECT_EQ(platform_of_machine("armv7l"), (Platform{"linux", "arm", "v7"}));
  EXPECT_EQ(platform_of_machine("sparc64"), (Platform{"linux", "sparc64", ""}));
}

TEST(Platform, TheMachinesOwnIsChosen) {
  const std::vector<Descriptor> all = {for_platform("arm64"), for_platform("amd64", "", "windows"),
                                       for_platform("amd64"), for_platform("386")};
  EXPECT_EQ(choose(all, {"linux", "amd64", ""}), "amd64 ");
  EXPECT_EQ(choose(all, {"linux", "s390x", ""}), "none");
}

TEST(Platform, TheSameVariantBeforeAnOlderOne) {
  const std::vector<Descriptor> arm = {for_platform("arm", "v5"), for_platform("arm", "v7"),
                                       for_platform("arm", "v6")};
  EXPECT_EQ(choose(arm, {"linux", "arm", "v7"}), "arm v7");
  EXPECT_EQ(choose({for_platform("arm", "v5")}, {"linux", "arm", "v7"}), "arm v5");
  EXPECT_EQ(choose({for_platform("arm", "v7")}, {"linux", "arm", "v6"}), "none");
  EXPECT_EQ(choose({for_platform("arm64", "")}, {"linux", "arm64", "v8"}), "arm64 ");
  EXPECT_EQ(choose({for_platform("amd64", "v3"), for_platform("amd64", "")}, {"linux", "amd64", ""}),
            "amd64 ");
}

TEST(Platform, ASoleEntryNeedsNone) {
  EXPECT_EQ(choose({for_platform("", "", "")}, {"linux", "amd64", ""}), " ");
  EXPECT_EQ(choose({for_platform("", "", ""), for_platform("", "", "")}, {"linux", "amd64", ""}), "none");
}

TEST(Platform, AttestationsAreNoImages) {
  Descriptor attestation = for_platform("unknown", "", "unknown");
  EXPECT_TRUE(is_attestation(attestation));
  attestation = for_platform("amd64");
  attestation.annotations["vnd.docker.reference.type"] = "attestation-manifest";
  EXPECT_EQ(choose({attestation}, {"linux", "amd64", ""}), "none");
}

}  // namespace
}  // namespace knarr::storage
