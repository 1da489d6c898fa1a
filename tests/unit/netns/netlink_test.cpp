// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netns/netlink/message.h"
#include "rootless/sys/error.h"
#include "tests/unit/netns/hex.h"

namespace knarr::netns::netlink {
namespace {

using test::hex;
using ::testing::ElementsAreArray;

struct FourBytes {
  std::uint8_t bytes[4] = {0xa, 0xb, 0xc, 0xd};
};

TEST(Message, IsAHeaderAFamilysHeaderAndPaddedAttributes) {
  Message message(0x10, NLM_F_ACK, FourBytes{});
  message.put_string(3, "web");
  message.put_u8(4, 7);
  message.put_be32(5, 1);
  message.set_sequence(9);
  EXPECT_EQ(hex(message.bytes()),
            "2c000000"  // length
            "10000500"  // type; NLM_F_REQUEST | NLM_F_ACK
            "09000000"  // sequence
            "00000000"  // port: the kernel fills it in
            "0a0b0c0d"  //
            "08000300"
            "77656200"
            "05000400"
            "07000000"
            "08000500"
            "00000001");
}

TEST(Message, NestsAttributes) {
  Message message(0x10, 0, FourBytes{});
  message.nest(1, [&] {
    message.put_u32(2, 5);
    message.nest(3, [&] { message.put_flag(4); });
  });
  EXPECT_EQ(hex(message.bytes()).substr(40),
            "14000180"
            "08000200"
            "05000000"
            "08000380"
            "04000400");
}

TEST(Message, RefusesAnAttributeThatIsTooLong) {
  const std::vector<std::uint8_t> large(UINT16_MAX - 3);
  Message message(0x10, 0, FourBytes{});
  EXPECT_THROW(message.put(1, large.data(), large.size()), Error);
  message.put(1, large.data(), large.size() - 1);
  EXPECT_THROW(message.nest(1, [&] { message.put(1, large.data(), large.size() - 1); }), Error);
}

TEST(FindAttribute, FindsWhatWasPutAtAnyLength) {
  Message message(0x10, 0, FourBytes{});
  message.put_string(1, "eth0");
  message.put_u32(2, 77);
  message.put_string(3, "");
  const Bytes attributes = message.bytes().subspan(sizeof(nlmsghdr) + sizeof(FourBytes));
  EXPECT_EQ(find_string(attributes, 1), "eth0");
  EXPECT_EQ(find_u32(attributes, 2), 77u);
  EXPECT_EQ(find_u32(attributes, 3), std::nullopt);
  EXPECT_FALSE(find_attribute(attributes, 4));
}

TEST(FindAttribute, StopsAtWhatIsCutShort) {
  const std::uint8_t longer[] = {12, 0, 1, 0, 1, 2, 3, 4};
  const std::uint8_t shorter[] = {3, 0, 1, 0, 1, 2, 3, 4};
  const std::uint8_t half[] = {8, 0, 2};
  const std::uint8_t good[] = {6, 0, 1, 0, 1, 2};  // without its padding
  EXPECT_FALSE(find_attribute(longer, 1));
  EXPECT_FALSE(find_attribute(shorter, 1));
  EXPECT_FALSE(find_attribute(half, 2));
  EXPECT_THAT(find_attribute(good, 1).value(), ElementsAreArray({1, 2}));
  EXPECT_FALSE(find_attribute(good, 2));
}

TEST(NextMessage, SplitsWhatCameAndRefusesHalves) {
  Message first(0x10, 0, FourBytes{}), second(0x11, 0, FourBytes{});
  std::vector<std::uint8_t> both(first.bytes().begin(), first.bytes().end());
  both.insert(both.end(), second.bytes().begin(), second.bytes().end());
  Received message;
  Bytes rest = both;
  ASSERT_TRUE(next_message(rest, message));
  EXPECT_EQ(message.header.nlmsg_type, 0x10);
  ASSERT_TRUE(next_message(rest, message));
  EXPECT_EQ(message.header.nlmsg_type, 0x11);
  EXPECT_THAT(message.payload, ElementsAreArray({0xa, 0xb, 0xc, 0xd}));
  EXPECT_FALSE(next_message(rest, message));

  for (std::size_t size = 1; size < first.bytes().size(); ++size) {
    rest = first.bytes().first(size);
    EXPECT_THROW(next_message(rest, message), Error) << size;
  }
  both[0] = 15;  // shorter than a header
  rest = both;
  EXPECT_THROW(next_message(rest, message), Error);
}

}  // namespace
}  // namespace knarr::netns::netlink
