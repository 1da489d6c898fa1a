// SPDX-License-Identifier: Apache-2.0
// Messages of nf_tables (linux/netfilter/nf_tables.h), those that our table needs. All are of the inet
// family; names are at most 31 characters. Pure.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "netns/netlink/message.h"

namespace knarr::netns::nft {

netlink::Message new_table(std::string_view table);
netlink::Message delete_table(std::string_view table);

// A set of interface names, or of pairs of them. `id` is unique in a transaction.
enum class SetOf { names, pairs };
netlink::Message new_set(std::string_view table, std::string_view set, SetOf of, std::uint32_t id);
// key: one name, or the two of a pair.
netlink::Message add_element(std::string_view table, std::string_view set,
                             const std::vector<std::string_view>& key);
netlink::Message delete_element(std::string_view table, std::string_view set,
                                const std::vector<std::string_view>& key);

// type: "filter", "nat"; hook: NF_INET_*; the policy is to accept.
netlink::Message new_chain(std::string_view table, std::string_view chain, std::string_view type,
                           std::uint32_t hook, int priority);

// A rule at the end of a chain: conditions, then what happens.
class Rule {
 public:
  Rule(std::string_view table, std::string_view chain);

  Rule& iifname_in(std::string_view set);
  Rule& oifname_in(std::string_view set);
  Rule& oifname_not_in(std::string_view set);
  Rule& interfaces_in(std::string_view set);  // iifname . oifname
  Rule& oifname_is(std::string_view name);
  Rule& protocol_is(std::uint8_t protocol);        // IPPROTO_*
  Rule& destination_is(const IpAddress& address);  // of IPv4
  Rule& socket_transparent();                      // some socket here waits for it, with IP_TRANSPARENT
  Rule& set_mark(std::uint32_t mark);
  Rule& masquerade();
  Rule& dnat_to(const IpAddress& address);  // of IPv4
  Rule& accept();
  Rule& drop();

  netlink::Message finish() const;

 private:
  // Adds an expression; `data` puts its attributes.
  template <typename Data>
  Rule& expression(std::string_view name, Data&& data);
  Rule& load_meta(std::uint32_t key, std::uint32_t to);
  Rule& lookup(std::string_view set, bool inverted);
  Rule& compare(const void* data, std::size_t size);
  Rule& verdict(std::uint32_t code);

  netlink::Message message_;
  std::vector<std::function<void(netlink::Message&)>> expressions_;
};

}  // namespace knarr::netns::nft
