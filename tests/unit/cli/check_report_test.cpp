// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/check_report.h"

#include <gtest/gtest.h>

#include "cli/commands/disk_usage.h"

namespace knarr::cli {
namespace {

using storage::Finding;

Finding damaged_layer() {
  return {.object = "layer sha256:1",
          .problem = "its tree is missing",
          .cure = "knarr pull quay.io/x/y:1",
          .repair = [] {},
          .repaired = "moved to trash/"};
}

TEST(CheckReport, SaysWhatIsWrongAndWhatToDo) {
  EXPECT_EQ(render_finding({.finding = damaged_layer()}),
            "Damaged: layer sha256:1: its tree is missing\n"
            "  to do: knarr system check --repair; then knarr pull quay.io/x/y:1\n");
}

TEST(CheckReport, SaysWhatIsNotProven) {
  EXPECT_EQ(render_finding(
                {.finding = {.kind = Finding::Kind::unproven, .object = "1 layer", .problem = "no record"}}),
            "Not proven: 1 layer: no record\n");
}

TEST(CheckReport, AfterARepairSaysWhatIsLeftToDo) {
  EXPECT_EQ(render_finding({.finding = damaged_layer(), .outcome = Outcome::repaired}),
            "Damaged: layer sha256:1: its tree is missing\n"
            "  repaired: moved to trash/\n"
            "  to do: knarr pull quay.io/x/y:1\n");
}

TEST(CheckReport, ARepairThatFailsSaysWhy) {
  const std::string text =
      render_finding({.finding = damaged_layer(), .outcome = Outcome::failed, .failure = "no space"});
  EXPECT_EQ(text,
            "Damaged: layer sha256:1: its tree is missing\n"
            "  not repaired: no space\n"
            "  to do: knarr system check --repair; then knarr pull quay.io/x/y:1\n");
}

TEST(CheckReport, WhatCostsAContainerAsksForForce) {
  Finding finding = damaged_layer();
  finding.cure = "knarr rm web";
  finding.costs_container = true;
  EXPECT_EQ(render_finding({.finding = finding, .outcome = Outcome::needs_force}),
            "Damaged: layer sha256:1: its tree is missing\n"
            "  to do: knarr rm web, or knarr system check --repair --force\n");
}

TEST(CheckReport, TheVerdictCounts) {
  Finding garbage = damaged_layer();
  garbage.kind = Finding::Kind::garbage;
  Finding unproven{.kind = Finding::Kind::unproven, .object = "1 layer", .problem = "no record"};
  EXPECT_EQ(render_verdict({}), "No damage.");
  EXPECT_EQ(render_verdict({{.finding = unproven}}), "No damage.");
  EXPECT_EQ(render_verdict({{.finding = garbage}}), "No damage, 1 left behind.");
  EXPECT_EQ(
      render_verdict({{.finding = damaged_layer()}, {.finding = garbage, .outcome = Outcome::repaired}}),
      "1 damaged, 1 left behind; 1 repaired.");
}

TEST(CheckReport, TheStatusIsOneAsLongAsSomethingIsLost) {
  Finding garbage = damaged_layer();
  garbage.kind = Finding::Kind::garbage;
  Finding mended = damaged_layer();
  mended.cure = "";
  EXPECT_EQ(check_status({}), 0);
  EXPECT_EQ(check_status({{.finding = {.kind = Finding::Kind::unproven}}}), 0);
  EXPECT_EQ(check_status({{.finding = garbage}}), 0);
  EXPECT_EQ(check_status({{.finding = mended}}), 1);
  EXPECT_EQ(check_status({{.finding = mended, .outcome = Outcome::repaired}}), 0);
  EXPECT_EQ(check_status({{.finding = damaged_layer(), .outcome = Outcome::repaired}}), 1);
}

TEST(DiskUsage, TellsThePartThatCanBeReclaimed) {
  EXPECT_EQ(describe_reclaimable({.bytes = 281'000'000, .reclaimable = 168'000'000}), "168MB (60%)");
  EXPECT_EQ(describe_reclaimable({.bytes = 0, .reclaimable = 0}), "0B (0%)");
  EXPECT_EQ(describe_reclaimable({.bytes = 3, .reclaimable = 3}), "3B (100%)");
}

TEST(DiskUsage, IsATableAsPodmanHasIt) {
  EXPECT_EQ(render_usage_table({{"Images", 6, 2, 281'000'000, 168'000'000}, {"Local Volumes", 1, 1, 22, 0}}),
            "TYPE           TOTAL       ACTIVE      SIZE        RECLAIMABLE\n"
            "Images         6           2           281MB       168MB (60%)\n"
            "Local Volumes  1           1           22B         0B (0%)\n");
}

}  // namespace
}  // namespace knarr::cli
