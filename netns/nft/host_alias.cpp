// SPDX-License-Identifier: Apache-2.0
#include "netns/nft/host_alias.h"

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "netns/nft/encode.h"

namespace knarr::netns {

namespace {

constexpr std::string_view table = "knarr-host";
constexpr std::string_view chain = "prerouting";

}  // namespace

void apply_host_alias(netlink::Socket& filter, const std::optional<IpAddress>& host) {
  // Made first, so that there is one to delete.
  std::vector<netlink::Message> messages{nft::new_table(table), nft::delete_table(table)};
  if (host) {
    messages.push_back(nft::new_table(table));
    messages.push_back(nft::new_chain(table, chain, "nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST));
    messages.push_back(nft::Rule(table, chain).destination_is(host_alias).dnat_to(*host).finish());
  }
  const netlink::Answer answer = filter.transact(std::move(messages));
  if (answer.error != 0) throw_refused(answer, "giving the host an address for containers");
}

}  // namespace knarr::netns
