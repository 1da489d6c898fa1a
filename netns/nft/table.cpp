// SPDX-License-Identifier: Apache-2.0
#include "netns/nft/table.h"

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include <initializer_list>
#include <utility>

#include "netns/nft/encode.h"
#include "netns/transparent.h"
#include "rootless/sys/error.h"

namespace knarr::netns {

namespace {

using netlink::Answer;
using netlink::Message;
using Messages = std::vector<Message>;

constexpr std::string_view table = "knarr";
constexpr std::string_view act = "setting up the table knarr of nf_tables";

// The sets. All hold names of bridges.
constexpr std::string_view all = "bridges";
constexpr std::string_view isolated = "isolated";  // strict ones are, too
constexpr std::string_view strict = "strict";
constexpr std::string_view internal = "internal";
constexpr std::string_view same = "same";  // each bridge with itself
constexpr std::string_view name_sets[] = {all, isolated, strict, internal};

void append(Messages& to, Messages from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

void append_chain(Messages& to, std::string_view chain, std::string_view type, std::uint32_t hook,
                  int priority, std::initializer_list<nft::Rule> rules) {
  to.push_back(nft::new_chain(table, chain, type, hook, priority));
  for (const nft::Rule& rule : rules) to.push_back(rule.finish());
}

// Adding what is there and deleting what was just added are both fine, so neither needs to know.
void append_membership(Messages& to, std::string_view set, const std::vector<std::string_view>& key,
                       bool member) {
  to.push_back(nft::add_element(table, set, key));
  if (!member) to.push_back(nft::delete_element(table, set, key));
}

// A table of this name may be there or not; after this it is there and empty.
Messages plan_empty_table() {
  return {nft::new_table(table), nft::delete_table(table), nft::new_table(table)};
}

Messages plan_bridge_rules(const Bridge& bridge) {
  const std::string_view name = bridge.name;
  Messages messages;
  append_membership(messages, all, {name}, true);
  append_membership(messages, isolated, {name}, bridge.isolation != Isolation::none);
  append_membership(messages, strict, {name}, bridge.isolation == Isolation::strict);
  append_membership(messages, internal, {name}, bridge.internal);
  append_membership(messages, same, {name, name}, true);
  return messages;
}

Messages plan_isolation(std::span<const Bridge> bridges) {
  Messages messages;
  std::uint32_t id = 1;
  for (const std::string_view set : name_sets)
    messages.push_back(nft::new_set(table, set, nft::SetOf::names, id++));
  messages.push_back(nft::new_set(table, same, nft::SetOf::pairs, id));
  for (const Bridge& bridge : bridges) append(messages, plan_bridge_rules(bridge));
  const auto rule = [] { return nft::Rule(table, "forward"); };
  append_chain(messages, "forward", "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER,
               {
                   // Comes here where the host lets bridges ask it (br_netfilter).
                   rule().interfaces_in(same).accept(),
                   rule().iifname_in(isolated).oifname_in(isolated).drop(),
                   rule().iifname_in(strict).oifname_in(all).drop(),
                   rule().iifname_in(all).oifname_in(strict).drop(),
                   rule().iifname_in(internal).drop(),
                   rule().oifname_in(internal).drop(),
               });
  return messages;
}

Messages plan_masquerade(const std::string& way_out) {
  nft::Rule rule(table, "postrouting");
  if (way_out.empty())
    rule.iifname_in(all).oifname_not_in(all).masquerade();
  else
    rule.oifname_is(way_out).masquerade();
  Messages messages;
  append_chain(messages, "postrouting", "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC, {rule});
  return messages;
}

Messages plan_transparent() {
  Messages messages;
  append_chain(messages, "prerouting", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE,
               {nft::Rule(table, "prerouting")
                    .protocol_is(IPPROTO_UDP)
                    .socket_transparent()
                    .set_mark(transparent_mark)
                    .accept()});
  return messages;
}

// A kernel without nf_tables, without an expression or without a type of chain.
bool says_no_such_feature(int code) {
  return code == EOPNOTSUPP || code == EPROTONOSUPPORT || code == EAFNOSUPPORT || code == ENOENT ||
         code == EINVAL;
}

bool apply_part(netlink::Socket& filter, Messages messages, std::string& reason) {
  const Answer answer = filter.transact(std::move(messages));
  if (answer.error == 0) return true;
  if (!says_no_such_feature(answer.error)) throw_refused(answer, act);
  reason = answer.reason.empty() ? errno_words(answer.error) : answer.reason;
  return false;
}

TableState apply_elements(netlink::Socket& filter, Messages messages) {
  const Answer answer = filter.transact(std::move(messages));
  if (answer.error == ENOENT) return TableState::missing;
  if (answer.error != 0) throw_refused(answer, act);
  return TableState::there;
}

}  // namespace

Firewall apply_firewall(netlink::Socket& filter, const FirewallPlan& plan) {
  Firewall made;
  if (!filter) {
    made.reason = errno_words(EPROTONOSUPPORT);
    return made;
  }
  Messages base = plan_empty_table();
  append(base, plan_isolation(plan.bridges));
  Messages whole = base;
  append(whole, plan_masquerade(plan.way_out));
  if (plan.transparent) append(whole, plan_transparent());
  if (apply_part(filter, std::move(whole), made.reason)) return {true, true, plan.transparent, {}};
  // Something of it is missing in this kernel; each part is worth having alone.
  made.isolation = apply_part(filter, std::move(base), made.reason);
  if (!made.isolation) return made;
  made.masquerade = apply_part(filter, plan_masquerade(plan.way_out), made.reason);
  made.transparent = plan.transparent && apply_part(filter, plan_transparent(), made.reason);
  return made;
}

TableState apply_bridge_rules(netlink::Socket& filter, const Bridge& bridge) {
  return filter ? apply_elements(filter, plan_bridge_rules(bridge)) : TableState::missing;
}

TableState remove_bridge_rules(netlink::Socket& filter, std::string_view bridge_name) {
  if (!filter) return TableState::missing;
  Messages messages;
  for (const std::string_view set : name_sets) append_membership(messages, set, {bridge_name}, false);
  append_membership(messages, same, {bridge_name, bridge_name}, false);
  return apply_elements(filter, std::move(messages));
}

void remove_firewall(netlink::Socket& filter) {
  if (!filter) return;
  const Answer answer = filter.transact({nft::new_table(table), nft::delete_table(table)});
  if (answer.error != 0) throw_refused(answer, "removing the table knarr of nf_tables");
}

}  // namespace knarr::netns
