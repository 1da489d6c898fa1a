// SPDX-License-Identifier: Apache-2.0
#include "engine/logs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "engine/log_files.h"
#include "engine/monitor/log.h"
#include "engine/monitor/record_files.h"
#include "engine/time_format.h"
#include "rootless/sys/process.h"
#include "temp_dir.h"

namespace knarr::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t moment = 1'795'435'930 * ns_per_second;  // 2026-11-23T12:12:10Z

class LogsTest : public ::testing::Test {
 protected:
  void put(const std::string& name, const std::string& content) {
    sys::replace_file(AT_FDCWD, directory_ / name, content, 0600, sys::Durability::none);
  }
  // A record, `second` seconds after the moment.
  static std::string record(const std::string& text, int second = 0, const char* tag = "F",
                            const char* stream = "stdout") {
    return concat(render_rfc3339_nano(moment + second * ns_per_second, TimeZone::utc), ' ', stream, ' ', tag,
                  ' ', text, '\n');
  }
  std::vector<std::string> read(const LogOptions& options = {}) {
    std::vector<std::string> texts;
    read_logs(source_, options, [&](const LogEntry& entry) {
      texts.emplace_back(entry.text);
      return true;
    });
    return texts;
  }
  std::vector<std::string> tail(std::uint64_t lines) { return read({.tail = lines}); }

  TempDir directory_;
  LogSource source_{.path = directory_ / "ctr.log", .pids_path = directory_ / "pids"};
};

TEST_F(LogsTest, AMissingLogIsEmpty) {
  EXPECT_THAT(read(), IsEmpty());
  EXPECT_THAT(read({.follow = true, .since_ns = moment, .tail = 3}), IsEmpty());
}

TEST_F(LogsTest, RotatedFilesComeInTheOrderTheyWereWritten) {
  put("ctr.log.2", record("a"));
  put("ctr.log.1", record("b"));
  put("ctr.log", record("c"));
  EXPECT_THAT(read(), ElementsAre("a", "b", "c"));
}

TEST_F(LogsTest, ReadsRotatedFilesWhileTheCurrentOneIsMissing) {
  put("ctr.log.1", record("a"));
  EXPECT_THAT(read(), ElementsAre("a"));
}

TEST_F(LogsTest, GivesWhatIsNoRecordAsItStands) {
  put("ctr.log", record("a", 7) + "garbage\n" + record("b"));
  std::vector<std::pair<std::int64_t, std::string>> entries;
  read_logs(source_, {}, [&](const LogEntry& entry) {
    entries.emplace_back(entry.time_ns - moment, entry.text);
    return true;
  });
  EXPECT_THAT(entries, ElementsAre(std::pair(7 * ns_per_second, "a"), std::pair(7 * ns_per_second, "garbage"),
                                   std::pair(0, "b")));
}

TEST_F(LogsTest, LeavesOutARecordThatIsBeingWritten) {
  put("ctr.log", record("a") + "2026-11-23T12:12:10Z stdout F hal");
  EXPECT_THAT(read(), ElementsAre("a"));
  EXPECT_THAT(tail(1), ElementsAre("a"));
}

TEST_F(LogsTest, StopsWhenTheSinkHasEnough) {
  put("ctr.log", record("a") + record("b") + record("c"));
  int seen = 0;
  read_logs(source_, {.follow = true}, [&](const LogEntry&) { return ++seen < 2; });
  EXPECT_EQ(seen, 2);
}

TEST_F(LogsTest, TailCountsLinesAcrossFiles) {
  put("ctr.log.1", record("a") + record("b"));
  put("ctr.log", record("c") + record("d"));
  EXPECT_THAT(tail(0), IsEmpty());
  EXPECT_THAT(tail(1), ElementsAre("d"));
  EXPECT_THAT(tail(2), ElementsAre("c", "d"));
  EXPECT_THAT(tail(3), ElementsAre("b", "c", "d"));
  EXPECT_THAT(tail(4), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(tail(99), ElementsAre("a", "b", "c", "d"));
}

TEST_F(LogsTest, TailTakesPartialRecordsAsOneLine) {
  put("ctr.log", record("a") + record("b1", 0, "P") + record("b2", 0, "P") + record("b3") +
                     record("c1", 0, "P") + record("c2", 0, "P"));
  EXPECT_THAT(tail(1), ElementsAre("c1", "c2"));
  EXPECT_THAT(tail(2), ElementsAre("b1", "b2", "b3", "c1", "c2"));
}

TEST_F(LogsTest, TailKeepsTheStreamsApart) {
  put("ctr.log", record("a") + record("b1", 0, "P") + record("E", 0, "F", "stderr") + record("b2"));
  EXPECT_THAT(tail(2), ElementsAre("b1", "E", "b2"));
  EXPECT_THAT(tail(3), ElementsAre("a", "b1", "E", "b2"));
}

TEST_F(LogsTest, TailReadsJsonAndLongRecords) {
  const std::string text(200'000, 'x');
  const std::string end = "\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-23T12:12:10Z\"}\n";
  put("ctr.log", "{\"log\":\"a" + end + "{\"log\":\"" + text + end + "{\"log\":\"c" + end);
  EXPECT_THAT(tail(1), ElementsAre("c"));
  EXPECT_THAT(tail(2), ElementsAre(text, "c"));
  EXPECT_THAT(tail(3), ElementsAre("a", text, "c"));
}

TEST_F(LogsTest, SinceAndUntilAreInclusive) {
  put("ctr.log", record("0", 0) + record("1", 1) + record("2", 2) + record("3", 3));
  EXPECT_THAT(read({.since_ns = moment + ns_per_second}), ElementsAre("1", "2", "3"));
  EXPECT_THAT(read({.until_ns = moment + ns_per_second}), ElementsAre("0", "1"));
  EXPECT_THAT(read({.since_ns = moment + ns_per_second, .until_ns = moment + 2 * ns_per_second}),
              ElementsAre("1", "2"));
  EXPECT_THAT(read({.since_ns = moment + 4 * ns_per_second}), IsEmpty());
}

TEST_F(LogsTest, SinceAppliesToTheTail) {
  put("ctr.log", record("0", 0) + record("1", 1) + record("2", 2) + record("3", 3));
  EXPECT_THAT(read({.since_ns = moment + 2 * ns_per_second, .tail = 3}), ElementsAre("2", "3"));
  EXPECT_THAT(read({.since_ns = moment, .tail = 1}), ElementsAre("3"));
}

TEST_F(LogsTest, SinceIsFoundInALargeLogAtEverySecond) {
  for (const char* name : {"ctr.log.1", "ctr.log"}) {
    std::string content;
    const int first = std::string_view(name) == "ctr.log" ? 5000 : 0;
    for (int i = first; i < first + 5000; ++i) content += record(concat(i) + std::string(100, '.'), i);
    put(name, content);
  }
  for (int second = 0; second <= 10'000; second += 371) {
    const auto texts = read({.since_ns = moment + second * ns_per_second});
    ASSERT_EQ(texts.size(), static_cast<std::size_t>(10'000 - second)) << second;
    ASSERT_TRUE(texts.empty() || texts[0].starts_with(concat(second, '.')));
  }
}

// ---- following ----

// A monitor in a process of its own: its log and the lock that says it lives.
class Writer {
 public:
  template <typename Act>
  Writer(const LogSource& source, const std::string& directory, monitor::Plan plan, Act act) {
    sys::Pipe ready = sys::make_pipe();
    plan.log_path = source.path.c_str();
    pid_ = sys::fork_child([&] {
      const sys::UniqueFd dir = sys::open_directory(AT_FDCWD, directory);
      monitor::LogWriter log(plan);
      const monitor::PidsFile pids(dir.get(), {});
      ready.write.reset();
      act(log);
      return 0;
    });
    ready.write.reset();
    char none;
    // The end of the pipe: it has begun.
    EXPECT_EQ(::read(ready.read.get(), &none, 1), 0);
  }
  ~Writer() {
    if (pid_ > 0) {
      kill();
    }
  }
  void kill() {
    ::kill(pid_, SIGKILL);
    sys::wait_child(std::exchange(pid_, -1));
  }

 private:
  pid_t pid_;
};

TEST_F(LogsTest, FollowEndsWhenTheMonitorHasEndedAndAllIsRead) {
  const sys::Pipe go = sys::make_pipe();
  const Writer writer(source_, directory_.path(), {}, [&](monitor::LogWriter& log) {
    char byte;
    log.write(Stream::output, "first\n", moment);
    if (::read(go.read.get(), &byte, 1) == 1) log.write(Stream::output, "last\n", moment);
  });
  std::vector<std::string> texts;
  read_logs(source_, {.follow = true}, [&](const LogEntry& entry) {
    texts.emplace_back(entry.text);
    return entry.text != "first" || ::write(go.write.get(), "x", 1) == 1;
  });
  EXPECT_THAT(texts, ElementsAre("first", "last"));
}

TEST_F(LogsTest, FollowEndsWhenTheMonitorIsKilled) {
  Writer writer(source_, directory_.path(), {}, [&](monitor::LogWriter& log) {
    log.write(Stream::output, "hello\n", moment);
    for (;;) ::pause();
  });
  std::vector<std::string> texts;
  read_logs(source_, {.follow = true}, [&](const LogEntry& entry) {
    texts.emplace_back(entry.text);
    writer.kill();
    return true;
  });
  EXPECT_THAT(texts, ElementsAre("hello"));
}

TEST_F(LogsTest, FollowLosesNothingAcrossRotations) {
  constexpr int lines = 20'000;
  const Writer writer(source_, directory_.path(), {.log_max_size = 20'000, .log_max_files = 1000},
                      [](monitor::LogWriter& log) {
                        for (int i = 0; i < lines; ++i) log.write(Stream::output, concat(i, '\n'), moment);
                      });
  int expected = 0;
  read_logs(source_, {.follow = true}, [&](const LogEntry& entry) {
    EXPECT_EQ(entry.text, std::to_string(expected));
    return std::to_string(expected++) == entry.text;
  });
  EXPECT_EQ(expected, lines);
}

TEST_F(LogsTest, FollowWaitsForALogThatDoesNotExistYet) {
  const Writer writer(source_, directory_.path(), {.log_driver = monitor::LogDriver::none},
                      [&](monitor::LogWriter&) {
                        monitor::Plan plan;
                        plan.log_path = source_.path.c_str();
                        monitor::LogWriter(plan).write(Stream::output, "late\n", moment);
                      });
  EXPECT_THAT(read({.follow = true}), ElementsAre("late"));
}

TEST_F(LogsTest, FollowEndsAtUntil) {
  Writer writer(source_, directory_.path(), {}, [](monitor::LogWriter& log) {
    log.write(Stream::output, "now\n", wall_clock_ns());
    for (;;) ::pause();
  });
  const std::int64_t until = wall_clock_ns() + 50'000'000;
  EXPECT_THAT(read({.follow = true, .until_ns = until}).size(), testing::Le(1u));
  EXPECT_GT(wall_clock_ns(), until);
}

TEST_F(LogsTest, FollowSeesARecordOnlyWhenItIsWhole) {
  const sys::Pipe go = sys::make_pipe();
  const std::string whole = record("a"), torn = record("lost").substr(0, 30), after = record("b");
  const Writer writer(source_, directory_.path(), {}, [&](monitor::LogWriter&) {
    const sys::UniqueFd log = sys::open_at(AT_FDCWD, source_.path, O_WRONLY | O_APPEND);
    sys::write_all(log.get(), whole + torn, "log");
    char byte;
    if (::read(go.read.get(), &byte, 1) != 1) return;
    // As a writer does that ran into a full disk.
    if (::ftruncate(log.get(), static_cast<off_t>(whole.size())) == 0)
      sys::write_all(log.get(), after, "log");
  });
  std::vector<std::string> texts;
  read_logs(source_, {.follow = true}, [&](const LogEntry& entry) {
    texts.emplace_back(entry.text);
    return entry.text != "a" || ::write(go.write.get(), "x", 1) == 1;
  });
  EXPECT_THAT(texts, ElementsAre("a", "b"));
}

}  // namespace
}  // namespace knarr::engine
