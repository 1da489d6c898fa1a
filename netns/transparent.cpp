// SPDX-License-Identifier: Apache-2.0
#include "netns/transparent.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "netns/links.h"
#include "rootless/sys/error.h"

namespace knarr::netns {

namespace {

using netlink::Message;

netlink::Answer add_mark_rule(netlink::Socket& route, std::uint8_t domain) {
  fib_rule_hdr header{};
  header.family = domain;
  header.action = FR_ACT_TO_TBL;
  header.table = RT_TABLE_UNSPEC;
  Message message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, header);
  message.put_u32(FRA_FWMARK, transparent_mark);
  message.put_u32(FRA_TABLE, transparent_table);
  message.put_u32(FRA_PRIORITY, transparent_rule_priority);
  return route.ask(std::move(message));
}

netlink::Answer add_everything_local(netlink::Socket& route, std::uint8_t domain) {
  rtmsg header{};
  header.rtm_family = domain;
  header.rtm_table = RT_TABLE_UNSPEC;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = RT_SCOPE_HOST;
  header.rtm_type = RTN_LOCAL;
  Message message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, header);
  message.put_u32(RTA_TABLE, transparent_table);
  message.put_u32(RTA_OIF, loopback_index);
  // Servers answer published ports within the machine: pacing for a network (bbr) would only cost.
  message.nest(RTA_METRICS, [&] { message.put_string(RTAX_CC_ALGO, "reno"); });
  return route.ask(std::move(message));
}

}  // namespace

void apply_transparent_replies(Namespace& netns) {
  for (const std::uint8_t domain : {AF_INET, AF_INET6}) {
    if (domain == AF_INET6 && !netns.ipv6) continue;
    for (const netlink::Answer& answer :
         {add_mark_rule(netns.route, domain), add_everything_local(netns.route, domain)}) {
      if (domain == AF_INET6 && says_no_ipv6(answer.error)) continue;
      if (answer.error != 0 && answer.error != EEXIST)
        throw_refused(answer, "setting up the way back of published ports");
    }
  }
}

}  // namespace knarr::netns
