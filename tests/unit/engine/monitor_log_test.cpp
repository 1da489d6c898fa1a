// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>

#include "engine/logs.h"
#include "engine/monitor/log.h"
#include "engine/time_format.h"
#include "temp_dir.h"

namespace knarr::engine::monitor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t moment = 1'795'435'930 * ns_per_second + 5;  // 2026-11-23T12:12:10.000000005Z

class LogWriterTest : public ::testing::Test {
 protected:
  Plan plan(LogDriver driver, std::uint64_t max_size = 0, std::uint32_t max_files = 1) {
    Plan plan;
    plan.log_driver = driver;
    plan.log_path = path_.c_str();
    plan.log_max_size = max_size;
    plan.log_max_files = max_files;
    return plan;
  }
  std::string written() const { return directory_.read("ctr.log"); }

  // What a reader makes of it: each stream's bytes.
  std::string read_back(Stream stream) const {
    std::string bytes;
    read_logs({.path = path_}, {}, [&](const LogEntry& entry) {
      if (entry.stream == stream) bytes.append(entry.text).append(entry.partial ? "" : "\n");
      return true;
    });
    return bytes;
  }

  TempDir directory_;
  std::string path_ = directory_ / "ctr.log";
};

TEST_F(LogWriterTest, K8sFileHasARecordPerLineAndAPartialOneForTheRest) {
  LogWriter log(plan(LogDriver::k8s_file));
  log.write(Stream::output, "one\n\ntwo", moment);
  log.write(Stream::error, "oops\n", moment + 1);
  log.write(Stream::output, " more\n", moment + ns_per_second);
  EXPECT_EQ(written(),
            "2026-11-23T12:12:10.000000005Z stdout F one\n"
            "2026-11-23T12:12:10.000000005Z stdout F \n"
            "2026-11-23T12:12:10.000000005Z stdout P two\n"
            "2026-11-23T12:12:10.000000006Z stderr F oops\n"
            "2026-11-23T12:12:11.000000005Z stdout F  more\n");
}

TEST_F(LogWriterTest, K8sFileKeepsEveryByte) {
  std::string bytes;
  for (int i = 0; i < 70'000; ++i) bytes += static_cast<char>(i * 7 % 256);
  LogWriter log(plan(LogDriver::k8s_file));
  for (std::size_t at = 0; at < bytes.size(); at += 1000) {
    log.write(Stream::output, std::string_view(bytes).substr(at, 1000), moment);
  }
  EXPECT_EQ(read_back(Stream::output), bytes);
}

TEST_F(LogWriterTest, JsonFileIsWhatDockerWrites) {
  LogWriter log(plan(LogDriver::json_file));
  log.write(Stream::output, "a \"quoted\" \\ line\t\x01\x7f\n", moment);
  log.write(Stream::error, "no newline", moment);
  EXPECT_EQ(
      written(),
      R"({"log":"a \"quoted\" \\ line\t\u0001\u007f\n","stream":"stdout","time":"2026-11-23T12:12:10.000000005Z"})"
      "\n"
      R"({"log":"no newline","stream":"stderr","time":"2026-11-23T12:12:10.000000005Z"})"
      "\n");
}

TEST_F(LogWriterTest, JsonFileCarriesTheTag) {
  Plan tagged = plan(LogDriver::json_file);
  tagged.log_tag = "web \"1\"";
  LogWriter log(tagged);
  log.write(Stream::output, "x\n", moment);
  EXPECT_THAT(written(), HasSubstr(R"("stream":"stdout","attrs":{"tag":"web \"1\""},"time")"));
}

TEST_F(LogWriterTest, JsonFileJoinsACharacterThatTwoReadsHaveCut) {
  LogWriter log(plan(LogDriver::json_file));
  const std::string text = "\u00e4\u20ac\U0001f980\n";
  for (const char byte : text) log.write(Stream::output, {&byte, 1}, moment);
  log.finish(moment);
  EXPECT_EQ(read_back(Stream::output), text);
}

TEST_F(LogWriterTest, JsonFileReplacesWhatIsNoUtf8) {
  LogWriter log(plan(LogDriver::json_file));
  // Stray continuation, overlong, surrogate, beyond Unicode, cut by a newline, cut by the end.
  log.write(Stream::output, "\x80|\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82\nx\xe2\x82", moment);
  log.finish(moment);
  const std::string bad = "\ufffd";
  EXPECT_EQ(read_back(Stream::output), bad + "|" + bad + bad + "|" + bad + bad + bad + "|" + bad + bad + bad +
                                           bad + "|" + bad + "\nx" + bad);
}

TEST_F(LogWriterTest, JsonFileCutsLongLinesIntoPieces) {
  const std::string line(100'000, '\x01');  // each byte becomes six
  LogWriter log(plan(LogDriver::json_file));
  for (std::size_t at = 0; at < line.size(); at += 32768) {
    log.write(Stream::output, std::string_view(line).substr(at, 32768), moment);
  }
  log.write(Stream::output, "\n", moment);
  EXPECT_EQ(read_back(Stream::output), line + "\n");
}

TEST_F(LogWriterTest, NoneWritesNothing) {
  LogWriter log(plan(LogDriver::none));
  log.write(Stream::output, "x\n", moment);
  EXPECT_FALSE(directory_.has("ctr.log"));
}

TEST_F(LogWriterTest, GoesOnInTheLogOfTheLastStart) {
  LogWriter(plan(LogDriver::k8s_file)).write(Stream::output, "first\n", moment);
  LogWriter(plan(LogDriver::k8s_file)).write(Stream::output, "second\n", moment);
  EXPECT_EQ(read_back(Stream::output), "first\nsecond\n");
}

TEST_F(LogWriterTest, RotatesByRenamingAndKeepsAsManyFilesAsAsked) {
  LogWriter log(plan(LogDriver::k8s_file, 100, 3));  // two records of 43 bytes fit a file
  for (int i = 1; i <= 7; ++i) log.write(Stream::output, concat("l", i, "\n"), moment);
  EXPECT_THAT(directory_.read("ctr.log"), HasSubstr("l7"));
  EXPECT_THAT(directory_.read("ctr.log.1"), testing::AllOf(HasSubstr("l5"), HasSubstr("l6")));
  EXPECT_THAT(directory_.read("ctr.log.2"), testing::AllOf(HasSubstr("l3"), HasSubstr("l4")));
  EXPECT_FALSE(directory_.has("ctr.log.3"));
  EXPECT_EQ(read_back(Stream::output), "l3\nl4\nl5\nl6\nl7\n");
}

TEST_F(LogWriterTest, RotatesWithinOneRead) {
  LogWriter log(plan(LogDriver::k8s_file, 100, 10));
  log.write(Stream::output, "a\nb\nc\nd\ne\n", moment);
  EXPECT_EQ(read_back(Stream::output), "a\nb\nc\nd\ne\n");
  EXPECT_TRUE(directory_.has("ctr.log.2"));
}

TEST_F(LogWriterTest, WithOneFileTheOldOneIsDropped) {
  LogWriter log(plan(LogDriver::k8s_file, 100, 1));
  for (int i = 1; i <= 5; ++i) log.write(Stream::output, concat("l", i, "\n"), moment);
  EXPECT_EQ(read_back(Stream::output), "l5\n");
  EXPECT_FALSE(directory_.has("ctr.log.1"));
}

TEST_F(LogWriterTest, ARecordLargerThanAFileStillHasOneOfItsOwn) {
  LogWriter log(plan(LogDriver::k8s_file, 10, 3));
  log.write(Stream::output, "a\nb\n", moment);
  EXPECT_EQ(read_back(Stream::output), "a\nb\n");
}

// A limit on the size of files (EFBIG) stands in for a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    set(bytes);
  }
  ~FileSizeLimit() { set(RLIM_INFINITY); }
  static void set(rlim_t bytes) {
    const rlimit limit{bytes, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
};

TEST_F(LogWriterTest, DropsWholeRecordsWhenTheDiskIsFullAndSaysSoLater) {
  LogWriter log(plan(LogDriver::k8s_file));
  {
    const FileSizeLimit limit(100);
    log.write(Stream::output, "kept\n", moment);
    log.write(Stream::output, "too long for what is left of the disk\n", moment);
    log.write(Stream::output, "also lost\n", moment);
    EXPECT_EQ(written(), "2026-11-23T12:12:10.000000005Z stdout F kept\n");
  }
  log.write(Stream::output, "back\n", moment);
  log.write(Stream::output, "again\n", moment);
  EXPECT_EQ(read_back(Stream::output), "kept\nback\nagain\n");
  EXPECT_EQ(read_back(Stream::error), "knarr: 48 bytes of output are missing here: file too large\n");
}

TEST_F(LogWriterTest, DoesNotFillAFullDiskWithNotices) {
  LogWriter log(plan(LogDriver::k8s_file));
  const std::string line(1000, 'x');
  const FileSizeLimit limit(900);  // room for notices, not for lines
  for (int i = 0; i < 20; ++i) log.write(Stream::output, line + "\n", moment);
  EXPECT_EQ(written(), "");
}

TEST_F(LogWriterTest, NamesALogThatCannotBeOpened) {
  Plan missing = plan(LogDriver::k8s_file);
  missing.log_path = "/nonexistent/ctr.log";
  EXPECT_THROW(LogWriter{missing}, SysError);
}

TEST_F(LogWriterTest, IsPrivateToTheUser) {
  LogWriter log(plan(LogDriver::k8s_file));
  EXPECT_EQ(sys::stat_at(AT_FDCWD, path_)->st_mode & 0777, 0600u);
}

}  // namespace
}  // namespace knarr::engine::monitor
