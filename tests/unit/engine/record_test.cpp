// SPDX-License-Identifier: Apache-2.0
#include "engine/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

using ::testing::SizeIs;

Summary plain_summary() {
  return {.id = std::string(64, 'a'),
          .name = "web",
          .image = "docker.io/library/debian:latest",
          .image_id = std::string(64, 'b'),
          .command = "sleep 100",
          .created = "2026-11-23T12:00:00Z",
          .auto_remove = true,
          .labels = {{"a", "1"}, {"empty", ""}},
          .networks = "host",
          .mounts = "/data,/x"};
}

TEST(Summary, IsReadBackAsWritten) {
  const Summary summary = plain_summary();
  EXPECT_EQ(parse_summary(render_summary(summary)), summary);
}

TEST(Summary, MayHaveALineEnd) {
  EXPECT_EQ(parse_summary(render_summary(plain_summary()) + "\n"), plain_summary());
}

TEST(Summary, KeepsTabsLineEndsAndBackslashes) {
  Summary summary = plain_summary();
  summary.command = "sh -c a\tb\nc\\td";
  summary.labels = {{"k\t=\\e", "v=\n"}, {"", "nameless"}};
  const std::string line = render_summary(summary);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(parse_summary(line), summary);
}

TEST(Summary, FitsIntoAPageWhateverTheLabels) {
  Summary summary = plain_summary();
  for (int i = 0; i < 500; ++i) summary.labels["label" + std::to_string(i)] = "value";
  summary.command = std::string(100000, 'x');
  summary.image = std::string(5000, '\t');
  const std::string line = render_summary(summary);
  EXPECT_LT(line.size(), 4096u);
  const auto parsed = parse_summary(line);
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->truncated);
  EXPECT_EQ(parsed->id, summary.id);
  EXPECT_EQ(parsed->name, summary.name);
}

TEST(Summary, IsNothingWhenItIsNoSummary) {
  const std::string whole = render_summary(plain_summary());
  for (const std::string& line :
       {std::string(), std::string("\n"), std::string("\t\t\t\t\t\t\t\t"), std::string("id only"),
        whole.substr(0, 70), whole + "\tlabel-without-equals", whole + "\tbad\\q=x", whole + "\tends\\"}) {
    EXPECT_FALSE(parse_summary(line)) << line;
  }
}

TEST(Summary, IsTheFirstLineOfItsFileAndTheStatusTheSecond) {
  const std::string status = render_status({.started_ns = 7, .exit_code = 3});
  const std::string file = render_summary(plain_summary()) + "\n" + status;
  EXPECT_EQ(parse_summary(file), plain_summary());
  EXPECT_EQ(status_line(file), status);
  EXPECT_EQ(parse_status(status_line(file))->exit_code, 3);
  EXPECT_EQ(status_line(render_summary(plain_summary()) + "\n"), "");
  EXPECT_EQ(status_line(""), "");
}

TEST(Summarize, TellsWhatPsShows) {
  ContainerConfig config;
  config.id = "abc";
  config.name = "web";
  config.image_name = "localhost/x:latest";
  config.entrypoint = {"/entry"};
  config.command = {"-v", "x"};
  config.namespaces.network = "host";
  config.mounts = {{.destination = "/a"}, {.destination = "/b"}};
  const Summary summary = summarize(config);
  EXPECT_EQ(summary.command, "/entry -v x");
  EXPECT_EQ(summary.networks, "host");
  EXPECT_EQ(summary.mounts, "/a,/b");
  EXPECT_EQ(summary.image, "localhost/x:latest");
}

TEST(Summarize, NamesTheNetworks) {
  ContainerConfig config;
  config.namespaces.network = "bridge";
  config.networks = {{.network = "web"}, {.network = "db"}};
  EXPECT_EQ(summarize(config).networks, "web,db");
}

TEST(Summarize, ContainersWithoutAnImageAreNamedByTheirTree) {
  ContainerConfig config;
  config.rootfs = "/srv/tree";
  EXPECT_EQ(summarize(config).image, "/srv/tree");
  EXPECT_EQ(summarize(config).networks, "");
}

TEST(Status, IsReadBackAsWritten) {
  for (const StatusRecord& record : {StatusRecord{}, StatusRecord{.started_ns = 1795435200000000001,
                                                     .finished_ns = INT64_MAX,
                                                     .exit_code = -1,
                                                     .restarts = UINT32_MAX,
                                                     .stopped_by_user = true}}) {
    const std::string line = render_status(record);
    EXPECT_THAT(line, SizeIs(status_record_bytes));
    EXPECT_EQ(parse_status(line), record);
  }
}

TEST(Status, IsNothingWhenItIsTornOrForeign) {
  const std::string whole = render_status({.started_ns = 5, .exit_code = 3});
  const auto padded = [](std::string line) {
    line.resize(status_record_bytes - 1, ' ');
    return line + "\n";
  };
  for (const std::string& line :
       {std::string(), whole.substr(1), whole + " ", std::string(status_record_bytes, '\0'), padded("1 2 3"),
        padded("1 2 x 4 0"), padded("1 2 3 4 2"), padded("1 2 3 -4 0"), padded("1 2 3 4 0 5"),
        padded("99999999999999999999 2 3 4 0")}) {
    EXPECT_FALSE(parse_status(line)) << line;
  }
}

TEST(Pids, AreReadBackAsWritten) {
  const LivePids pids{.monitor = {.pid = 12, .start_time = 34},
                      .init = {.pid = 56, .start_time = UINT64_MAX}};
  EXPECT_EQ(render_pids(pids), "12 34 56 18446744073709551615\n");
  EXPECT_EQ(parse_pids(render_pids(pids)), pids);
}

TEST(Pids, AreNothingWhenHalfWritten) {
  for (const char* line : {"", "\n", "12", "12 34 56 7", "12 34\n", "12 34 56\n", "12 34 56 78 9\n",
                           "a b c d\n", "-1 34 56 78\n", "0 34 56 78\n", "12  56 78\n", "12 34 56 78 \n"}) {
    EXPECT_FALSE(parse_pids(line)) << line;
  }
}

}  // namespace
}  // namespace knarr::engine
