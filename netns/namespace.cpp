// SPDX-License-Identifier: Apache-2.0
#include "netns/namespace.h"

#include <fcntl.h>
#include <unistd.h>

#include "netns/enter.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::netns {

namespace {

netlink::Socket open_filter() {
  try {
    return netlink::open_netlink(NETLINK_NETFILTER);
  } catch (const SysError& error) {
    if (error.code() != EPROTONOSUPPORT) throw;
    return {};
  }
}

}  // namespace

Namespace open_namespace(int netns_fd, Filtering filtering, const std::function<void(Namespace&)>& act) {
  Namespace opened;
  opened.fd = netns_fd;
  in_network_namespace(netns_fd, [&] {
    opened.route = netlink::open_netlink(NETLINK_ROUTE);
    if (filtering == Filtering::yes) opened.filter = open_filter();
    opened.ipv6 = ::access("/proc/sys/net/ipv6/conf/all", F_OK) == 0;
    if (act) act(opened);
  });
  return opened;
}

bool write_net_sysctl(const std::string& name, std::string_view value) {
  const std::string path = "/proc/sys/net/" + name;
  const sys::UniqueFd file = sys::find_at(AT_FDCWD, path, O_WRONLY);
  if (!file) return false;
  sys::write_all(file.get(), value, path);
  return true;
}

bool says_no_ipv6(int code) {
  return code == EAFNOSUPPORT || code == EOPNOTSUPP || code == EACCES;
}

}  // namespace knarr::netns
