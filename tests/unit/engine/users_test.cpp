// SPDX-License-Identifier: Apache-2.0
// Who a container's process is by the text of its /etc/passwd and /etc/group.
#include "engine/init/users.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace knarr::engine::init {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

// A file that comes in pieces of any size.
struct Pieces {
  std::string text;
  std::size_t piece = 1000000;
  std::size_t at = 0;
  int error = 0;  // after the text, instead of the end
};

long read_piece(void* state, char* buffer, std::size_t size) {
  Pieces& pieces = *static_cast<Pieces*>(state);
  const std::size_t count = std::min({size, pieces.piece, pieces.text.size() - pieces.at});
  if (count == 0 && pieces.error != 0) {
    errno = pieces.error;
    return -1;
  }
  std::memcpy(buffer, pieces.text.data() + pieces.at, count);
  pieces.at += count;
  return static_cast<long>(count);
}

std::string to_string(Text text) {
  return {text.data, text.size};
}

class Lines {
 public:
  explicit Lines(Pieces pieces) : pieces_(std::move(pieces)) {}
  std::vector<std::string> all() {
    std::vector<std::string> lines;
    Text line;
    while (reader_.next(line)) lines.push_back(to_string(line));
    return lines;
  }
  LineReader& reader() { return reader_; }

 private:
  Pieces pieces_;
  std::unique_ptr<LineReader::Buffer> buffer_ = std::make_unique<LineReader::Buffer>();
  LineReader reader_{{read_piece, &pieces_}, *buffer_};
};

// --- lines -----------------------------------------------------------------------------------------------

TEST(UserLines, AreTheSameInPiecesOfAnySize) {
  const std::string text = "one\n\nthree is longer\nfour without an end";
  for (std::size_t piece = 1; piece <= text.size() + 1; ++piece) {
    EXPECT_THAT(Lines({text, piece}).all(), ElementsAre("one", "", "three is longer", "four without an end"))
        << piece;
  }
  EXPECT_THAT(Lines({"last\n"}).all(), ElementsAre("last"));
  EXPECT_THAT(Lines({""}).all(), ElementsAre());
}

TEST(UserLines, ALineAsLongAsAllowedPassesAndALongerOneDoesNot) {
  const std::string longest(max_line, 'x');
  for (const std::size_t piece : {std::size_t{4096}, std::size_t{1000000}}) {
    Lines good({longest + "\nnext\n", piece});
    EXPECT_THAT(good.all(), ElementsAre(longest, "next"));
    EXPECT_EQ(good.reader().error(), 0);
    Lines bad({longest + "x\nnext\n", piece});
    EXPECT_THAT(bad.all(), ElementsAre());
    EXPECT_EQ(bad.reader().error(), E2BIG);
  }
}

TEST(UserLines, AFileThatIsTooLongAndAFailedReadEndThem) {
  std::string text;
  while (text.size() <= max_file) text += std::string(1023, 'y') + '\n';
  Lines big({text});
  big.all();
  EXPECT_EQ(big.reader().error(), EFBIG);
  Lines failing({.text = "one\n", .error = EIO});
  EXPECT_THAT(failing.all(), ElementsAre("one"));
  EXPECT_EQ(failing.reader().error(), EIO);
}

TEST(UserLines, WithoutAFileThereAreNone) {
  const auto buffer = std::make_unique<LineReader::Buffer>();
  LineReader reader({}, *buffer);
  Text line;
  EXPECT_FALSE(reader.next(line));
  EXPECT_EQ(reader.error(), 0);
}

// --- grammar ---------------------------------------------------------------------------------------------

TEST(UserIds, ADigitsOnlyTextIsANumberAndNothingElseIs) {
  const struct {
    const char* text;
    int error;
    std::uint32_t id;
  } cases[] = {{"0", 0, 0},
               {"1", 0, 1},
               {"01", 0, 1},
               {"4294967294", 0, 4294967294u},
               {"000000000000000000000007", 0, 7},
               {"4294967295", ERANGE, 0},
               {"4294967296", ERANGE, 0},
               {"18446744073709551617", ERANGE, 0},
               {"", ENOENT, 0},
               {"+1", ENOENT, 0},
               {"-1", ENOENT, 0},
               {" 1", ENOENT, 0},
               {"1 ", ENOENT, 0},
               {"1a", ENOENT, 0},
               {"0x1", ENOENT, 0},
               {"\xd9\xa1", ENOENT, 0}};
  for (const auto& one : cases) {
    std::uint32_t id = 0;
    EXPECT_EQ(parse_id(text_of(one.text), id), one.error) << one.text;
    EXPECT_EQ(id, one.id) << one.text;
  }
}

TEST(UserSpecs, AreSplitAtTheFirstColon) {
  const struct {
    const char* spec;
    const char* user;
    const char* group;
  } cases[] = {
      {"app", "app", ""}, {"app:wheel", "app", "wheel"}, {":2", "", "2"}, {"1:", "1", ""}, {"", "", ""},
      {":", "", ""},      {"a:b:c", "a", "b:c"}};
  for (const auto& one : cases) {
    const UserSpec spec = parse_user_spec(one.spec);
    EXPECT_EQ(to_string(spec.user), one.user) << one.spec;
    EXPECT_EQ(to_string(spec.group), one.group) << one.spec;
  }
  EXPECT_EQ(parse_user_spec(nullptr).user.size, 0u);
}

TEST(PasswdLines, WithTooLittleOrNoNumbersAreNoEntries) {
  PasswdEntry entry;
  ASSERT_TRUE(parse_passwd_line(text_of("app:x:1000:1001:The App:/home/app:/bin/sh"), entry));
  EXPECT_EQ(to_string(entry.name), "app");
  EXPECT_EQ(entry.uid, 1000u);
  EXPECT_EQ(entry.gid, 1001u);
  EXPECT_EQ(to_string(entry.home), "/home/app");
  ASSERT_TRUE(parse_passwd_line(text_of("short:x:5:6"), entry));
  EXPECT_EQ(to_string(entry.home), "");
  ASSERT_TRUE(parse_passwd_line(text_of("nohome:x:5:6::"), entry));
  EXPECT_EQ(to_string(entry.home), "");
  for (const char* line :
       {"", "app", "app:x", "app:x:1", ":x:0:0::/:", "#app:x:0:0::/:", "+::::::", "app:x::0::/:",
        "app:x:0:::/:", "app:x:-1:0::/:", "app:x:4294967295:0::/:", "app:x:1x:0::/:"})
    EXPECT_FALSE(parse_passwd_line(text_of(line), entry)) << line;
}

TEST(GroupLines, HaveMembers) {
  GroupEntry entry;
  ASSERT_TRUE(parse_group_line(text_of("wheel:x:10:root,app"), entry));
  EXPECT_EQ(entry.gid, 10u);
  EXPECT_TRUE(is_member(entry.members, text_of("root")));
  EXPECT_TRUE(is_member(entry.members, text_of("app")));
  for (const char* name : {"ap", "appp", "", "root,app", "x"})
    EXPECT_FALSE(is_member(entry.members, text_of(name))) << name;
  ASSERT_TRUE(parse_group_line(text_of("empty:x:11"), entry));
  EXPECT_FALSE(is_member(entry.members, text_of("")));
  for (const char* line : {"", "g", "g:x", "g:x:", "g:x:a:root", ":x:0:", "#g:x:0:"})
    EXPECT_FALSE(parse_group_line(text_of(line), entry)) << line;
}

// --- looking up ------------------------------------------------------------------------------------------

struct Found {
  int error = 0;
  std::uint32_t which = 0;
  Identity identity;
  std::vector<gid_t> groups;
};

Found look_up(const char* spec, const std::string& passwd, const std::string& group,
              const std::vector<const char*>& extra = {}) {
  Found found;
  Lines passwd_lines({passwd, 7}), group_lines({group, 7});
  const UserSpec parsed = parse_user_spec(spec);
  found.error = find_user(parsed, passwd_lines.reader(), found.identity);
  if (found.error != 0) return found;
  const auto groups = std::make_unique<Groups>();
  found.error = find_groups({parsed, {extra.data(), static_cast<std::uint32_t>(extra.size())}},
                            group_lines.reader(), found.identity, *groups, found.which);
  found.groups.assign(groups->ids, groups->ids + groups->count);
  return found;
}

constexpr char passwd[] =
    "# comment\n"
    "broken line\n"
    "zero:x:notanumber:0::/:\n"
    "root:x:0:0:root:/root:/bin/sh\n"
    "toor:x:0:5:root again:/toor:/bin/sh\n"
    "app:x:1000:1001::/home/app:/bin/sh\n"
    "app:x:2000:2001::/second:/bin/sh\n"
    "7:x:70:71::/digits:/bin/sh\n";
constexpr char group[] =
    "root:x:0:\nwheel:x:10:app,root\naudio:x:29:app\nagain:x:29:app\nold:x:x:app\n7:x:72:\n";

TEST(FindUser, TheFirstEntryThatMatchesCounts) {
  const Found root = look_up("0", passwd, group);
  EXPECT_STREQ(root.identity.name, "root");
  EXPECT_STREQ(root.identity.home, "/root");
  const Found app = look_up("app", passwd, group);
  EXPECT_EQ(app.identity.uid, 1000u);
  EXPECT_EQ(app.identity.gid, 1001u);
  EXPECT_STREQ(app.identity.home, "/home/app");
  EXPECT_THAT(app.groups, ElementsAre(10, 29, 1001));
}

TEST(FindUser, ANumberIsNeverAName) {
  const Found found = look_up("7:7", passwd, group);
  EXPECT_EQ(found.identity.uid, 7u);
  EXPECT_EQ(found.identity.gid, 7u);
  EXPECT_STREQ(found.identity.home, "/");
  EXPECT_THAT(found.groups, ElementsAre(7));
}

TEST(FindUser, ABrokenEntryDoesNotMakeRootOfItsUser) {
  EXPECT_EQ(look_up("zero", passwd, group).error, ENOENT);
}

TEST(FindUser, ANumberWithoutAnEntryIsInNoGroupButTheFirst) {
  const Found found = look_up("4242", passwd, group);
  EXPECT_EQ(found.error, 0);
  EXPECT_EQ(found.identity.gid, 0u);
  EXPECT_STREQ(found.identity.name, "");
  EXPECT_THAT(found.groups, ElementsAre(0));
}

TEST(FindGroups, ANamedGroupTakesThePlaceOfTheFilesGroups) {
  EXPECT_THAT(look_up("app:wheel", passwd, group).groups, ElementsAre(10));
  EXPECT_THAT(look_up("app:55", passwd, group).groups, ElementsAre(55));
  EXPECT_EQ(look_up("app:nowhere", passwd, group).error, ENOENT);
  EXPECT_EQ(look_up("app:old", passwd, group).error, ENOENT);
}

TEST(FindGroups, ExtraOnesAreAddedOnceAndNamedByIndexWhenMissing) {
  EXPECT_THAT(look_up("app", passwd, group, {"root", "29", "99"}).groups, ElementsAre(0, 10, 29, 99, 1001));
  const Found missing = look_up("app", passwd, group, {"root", "nowhere"});
  EXPECT_EQ(missing.error, ENOENT);
  EXPECT_EQ(missing.which, 2u);
  const Found big = look_up("app", passwd, group, {"4294967295"});
  EXPECT_EQ(big.error, ERANGE);
  EXPECT_EQ(big.which, 1u);
  EXPECT_EQ(look_up("app", passwd, group, {""}).error, EINVAL);
  EXPECT_EQ(look_up("app", passwd, group, std::vector<const char*>(max_extra_groups + 1, "1")).error, E2BIG);
}

TEST(FindGroups, MoreThanTheKernelTakesAreAnError) {
  std::string many;
  for (std::uint32_t i = 0; i < max_groups; ++i) many += "g:x:" + std::to_string(i) + ":app\n";
  EXPECT_EQ(look_up("app", passwd, many).error, E2BIG);  // the own one is one too many
}

TEST(FindUser, NamesAndHomesThatAreTooLongHaveNoPlace) {
  EXPECT_EQ(look_up("5", std::string(300, 'n') + ":x:5:6::/h:", "").error, ENAMETOOLONG);
  EXPECT_STREQ(look_up("n", "n:x:5:6::/" + std::string(5000, 'h') + ":", "").identity.home, "/");
}

// Any bytes: bounded, no crash, and root only for whom the files say so.
TEST(FindUser, RandomFilesNeverMakeRootOfAStranger) {
  std::mt19937 random(1);
  const std::string alphabet = "a0:,\n#+1x/";
  for (int round = 0; round < 20000; ++round) {
    std::string noise;
    for (int i = 0; i < 60; ++i) noise += alphabet[random() % alphabet.size()];
    const Found found = look_up("5000", noise, noise);
    if (found.error == 0) {
      EXPECT_EQ(found.identity.uid, 5000u);
    }
    if (noise.find("a:") == std::string::npos) {
      EXPECT_EQ(look_up("a", noise, noise).error, ENOENT) << noise;
    }
  }
}

}  // namespace
}  // namespace knarr::engine::init
