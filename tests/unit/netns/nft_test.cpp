// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "netns/bridge.h"
#include "netns/nft/encode.h"
#include "tests/unit/netns/hex.h"

namespace knarr::netns {
namespace {

using test::hex;

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
}  // namespace knarr::netns
