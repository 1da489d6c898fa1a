// SPDX-License-Identifier: Apache-2.0
#include "netns/nft/encode.h"

#include <linux/ip.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>

#include "netns/network_plan.h"

namespace knarr::netns::nft {

namespace {

using netlink::Message;

// How nft(8) calls the type of an interface name, and how it joins types (its datatype.h). The kernel only
// keeps the number, for nft to list the set.
constexpr std::uint32_t ifname_type = 41;
constexpr std::uint32_t pair_type = ifname_type << 6 | ifname_type;
// Also for nft alone (libnftnl's udata.h): type, length, and 1 for the host's byte order.
constexpr std::uint8_t key_byte_order[] = {0, 4, 1, 0, 0, 0};

Message make(std::uint16_t type, std::uint16_t flags) {
  return {static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), flags,
          nfgenmsg{NFPROTO_INET, NFNETLINK_V0, 0}};
}

// Names are compared over their whole length.
using PaddedName = std::array<char, interface_name_size>;
PaddedName pad(std::string_view name) {
  PaddedName padded{};
  std::copy_n(name.begin(), std::min(name.size(), padded.size() - 1), padded.begin());
  return padded;
}

Message element(Message message, std::string_view table, std::string_view set,
                const std::vector<std::string_view>& key) {
  std::vector<char> bytes;
  for (const std::string_view name : key) {
    const PaddedName padded = pad(name);
    bytes.insert(bytes.end(), padded.begin(), padded.end());
  }
  message.put_string(NFTA_SET_ELEM_LIST_TABLE, table);
  message.put_string(NFTA_SET_ELEM_LIST_SET, set);
  message.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
    message.nest(NFTA_LIST_ELEM, [&] {
      message.nest(NFTA_SET_ELEM_KEY, [&] { message.put(NFTA_DATA_VALUE, bytes.data(), bytes.size()); });
    });
  });
  return message;
}

}  // namespace

Message new_table(std::string_view table) {
  Message message = make(NFT_MSG_NEWTABLE, NLM_F_CREATE);
  message.put_string(NFTA_TABLE_NAME, table);
  return message;
}

Message delete_table(std::string_view table) {
  Message message = make(NFT_MSG_DELTABLE, 0);
  message.put_string(NFTA_TABLE_NAME, table);
  return message;
}

Message new_set(std::string_view table, std::string_view set, SetOf of, std::uint32_t id) {
  Message message = make(NFT_MSG_NEWSET, NLM_F_CREATE);
  message.put_string(NFTA_SET_TABLE, table);
  message.put_string(NFTA_SET_NAME, set);
  message.put_be32(NFTA_SET_KEY_TYPE, of == SetOf::names ? ifname_type : pair_type);
  message.put_be32(NFTA_SET_KEY_LEN, of == SetOf::names ? interface_name_size : 2 * interface_name_size);
  message.put_be32(NFTA_SET_ID, id);
  if (of == SetOf::names) message.put(NFTA_SET_USERDATA, key_byte_order, sizeof key_byte_order);
  return message;
}

Message add_element(std::string_view table, std::string_view set, const std::vector<std::string_view>& key) {
  return element(make(NFT_MSG_NEWSETELEM, NLM_F_CREATE), table, set, key);
}

Message delete_element(std::string_view table, std::string_view set,
                       const std::vector<std::string_view>& key) {
  return element(make(NFT_MSG_DELSETELEM, 0), table, set, key);
}

Message new_chain(std::string_view table, std::string_view chain, std::string_view type, std::uint32_t hook,
                  int priority) {
  Message message = make(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
  message.put_string(NFTA_CHAIN_TABLE, table);
  message.put_string(NFTA_CHAIN_NAME, chain);
  message.nest(NFTA_CHAIN_HOOK, [&] {
    message.put_be32(NFTA_HOOK_HOOKNUM, hook);
    message.put_be32(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(priority));
  });
  message.put_be32(NFTA_CHAIN_POLICY, NF_ACCEPT);
  message.put_string(NFTA_CHAIN_TYPE, type);
  return message;
}

// --- rules -----------------------------------------------------------------------------------------------

Rule::Rule(std::string_view table, std::string_view chain)
    : message_(make(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND)) {
  message_.put_string(NFTA_RULE_TABLE, table);
  message_.put_string(NFTA_RULE_CHAIN, chain);
}

template <typename Data>
Rule& Rule::expression(std::string_view name, Data&& data) {
  expressions_.emplace_back([name = std::string(name), data = std::forward<Data>(data)](Message& message) {
    message.nest(NFTA_LIST_ELEM, [&] {
      message.put_string(NFTA_EXPR_NAME, name);
      message.nest(NFTA_EXPR_DATA, [&] { data(message); });
    });
  });
  return *this;
}

Rule& Rule::load_meta(std::uint32_t key, std::uint32_t to) {
  return expression("meta", [=](Message& message) {
    message.put_be32(NFTA_META_DREG, to);
    message.put_be32(NFTA_META_KEY, key);
  });
}

Rule& Rule::lookup(std::string_view set, bool inverted) {
  return expression("lookup", [set = std::string(set), inverted](Message& message) {
    message.put_string(NFTA_LOOKUP_SET, set);
    message.put_be32(NFTA_LOOKUP_SREG, NFT_REG_1);
    if (inverted) message.put_be32(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
  });
}

Rule& Rule::compare(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  return expression("cmp", [value = std::vector<std::uint8_t>(bytes, bytes + size)](Message& message) {
    message.put_be32(NFTA_CMP_SREG, NFT_REG_1);
    message.put_be32(NFTA_CMP_OP, NFT_CMP_EQ);
    message.nest(NFTA_CMP_DATA, [&] { message.put(NFTA_DATA_VALUE, value.data(), value.size()); });
  });
}

Rule& Rule::verdict(std::uint32_t code) {
  return expression("immediate", [=](Message& message) {
    message.put_be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    message.nest(NFTA_IMMEDIATE_DATA, [&] {
      message.nest(NFTA_DATA_VERDICT, [&] { message.put_be32(NFTA_VERDICT_CODE, code); });
    });
  });
}

Rule& Rule::iifname_in(std::string_view set) {
  return load_meta(NFT_META_IIFNAME, NFT_REG_1).lookup(set, false);
}

Rule& Rule::oifname_in(std::string_view set) {
  return load_meta(NFT_META_OIFNAME, NFT_REG_1).lookup(set, false);
}

Rule& Rule::oifname_not_in(std::string_view set) {
  return load_meta(NFT_META_OIFNAME, NFT_REG_1).lookup(set, true);
}

Rule& Rule::interfaces_in(std::string_view set) {
  // A name fills a register of 16 bytes; the key is read from one over to the next.
  return load_meta(NFT_META_IIFNAME, NFT_REG_1).load_meta(NFT_META_OIFNAME, NFT_REG_2).lookup(set, false);
}

Rule& Rule::oifname_is(std::string_view name) {
  const PaddedName padded = pad(name);
  return load_meta(NFT_META_OIFNAME, NFT_REG_1).compare(padded.data(), padded.size());
}

Rule& Rule::protocol_is(std::uint8_t protocol) {
  return load_meta(NFT_META_L4PROTO, NFT_REG_1).compare(&protocol, sizeof protocol);
}

Rule& Rule::destination_is(const IpAddress& address) {
  constexpr std::uint8_t v4 = NFPROTO_IPV4;
  load_meta(NFT_META_NFPROTO, NFT_REG_1).compare(&v4, sizeof v4);
  return expression("payload",
                    [](Message& message) {
                      message.put_be32(NFTA_PAYLOAD_DREG, NFT_REG_1);
                      message.put_be32(NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
                      message.put_be32(NFTA_PAYLOAD_OFFSET, offsetof(iphdr, daddr));
                      message.put_be32(NFTA_PAYLOAD_LEN, sizeof(iphdr::daddr));
                    })
      .compare(address.bytes.data(), address.size());
}

Rule& Rule::socket_transparent() {
  constexpr std::uint8_t yes = 1;
  return expression("socket",
                    [](Message& message) {
                      message.put_be32(NFTA_SOCKET_KEY, NFT_SOCKET_TRANSPARENT);
                      message.put_be32(NFTA_SOCKET_DREG, NFT_REG_1);
                    })
      .compare(&yes, sizeof yes);
}

Rule& Rule::set_mark(std::uint32_t mark) {
  return expression("immediate",
                    [=](Message& message) {
                      message.put_be32(NFTA_IMMEDIATE_DREG, NFT_REG_1);
                      message.nest(NFTA_IMMEDIATE_DATA, [&] { message.put_u32(NFTA_DATA_VALUE, mark); });
                    })
      .expression("meta", [](Message& message) {
        message.put_be32(NFTA_META_KEY, NFT_META_MARK);
        message.put_be32(NFTA_META_SREG, NFT_REG_1);
      });
}

Rule& Rule::masquerade() {
  return expression("masq", [](Message&) {});
}

Rule& Rule::dnat_to(const IpAddress& address) {
  return expression("immediate",
                    [address](Message& message) {
                      message.put_be32(NFTA_IMMEDIATE_DREG, NFT_REG_1);
                      message.nest(NFTA_IMMEDIATE_DATA, [&] { message.put_ip(NFTA_DATA_VALUE, address); });
                    })
      .expression("nat", [](Message& message) {
        message.put_be32(NFTA_NAT_TYPE, NFT_NAT_DNAT);
        message.put_be32(NFTA_NAT_FAMILY, NFPROTO_IPV4);
        message.put_be32(NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
      });
}

Rule& Rule::accept() {
  return verdict(NF_ACCEPT);
}

Rule& Rule::drop() {
  return verdict(NF_DROP);
}

Message Rule::finish() const {
  Message message = message_;
  message.nest(NFTA_RULE_EXPRESSIONS, [&] {
    for (const auto& put_expression : expressions_) put_expression(message);
  });
  return message;
}

}  // namespace knarr::netns::nft
