// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include "netns/bridge.h"
#include "netns/netlink/message.h"
#include "netns/nft/encode.h"
#include "rootless/sys/error.h"

namespace knarr::netns::netlink {
namespace {

using ::testing::ElementsAreArray;

std::string hex(Bytes bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    constexpr char digits[] = "0123456789abcdef";
    text += {digits[byte >> 4], digits[byte & 15]};
  }
  return text;
}

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

TEST(NftEncode, AnElementsKeyIsTheWholeRegister) {
  EXPECT_EQ(hex(nft::add_element("t", "s", {"br0"}).bytes()),
            "44000000"
            "0c0a0104"
            "00000000"
            "00000000"  // NFT_MSG_NEWSETELEM, NLM_F_REQUEST | NLM_F_CREATE
            "01000000"  // NFPROTO_INET
            "06000100"
            "74000000"
            "06000200"
            "73000000"
            "20000380"
            "1c000180"
            "18000180"
            "14000100"
            "62723000000000000000000000000000");
}

TEST(NftEncode, ARuleIsItsExpressionsInOrder) {
  EXPECT_EQ(hex(nft::Rule("t", "c").masquerade().drop().finish().bytes()).substr(40),
            "0600010074000000"
            "0600020063000000"
            "48000480"
            "14000180"
            "090001006d61737100000000"  // masq
            "04000280"
            "30000180"
            "0e000100696d6d656469617465000000"  // immediate
            "1c000280"
            "0800010000000000"  // NFT_REG_VERDICT
            "10000280"
            "0c000280"
            "0800010000000000");  // NF_DROP
}

TEST(BridgeMac, FollowsFromTheNameAndIsLocal) {
  EXPECT_EQ(bridge_mac("podman0"), bridge_mac("podman0"));
  EXPECT_NE(bridge_mac("podman0"), bridge_mac("podman1"));
  EXPECT_EQ(bridge_mac("podman0")[0], 0x02);
}

}  // namespace
}  // namespace knarr::netns::netlink
