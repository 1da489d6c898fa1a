// SPDX-License-Identifier: Apache-2.0
// The host's resolvers: resolv.conf(5), as it is now.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "netns/forward/socket_address.h"

namespace knarr::engine::netd {

constexpr const char* resolv_conf_path = "/etc/resolv.conf";

struct Nameserver {
  netns::IpAddress address;
  std::string zone;  // of a link-local address, an interface
  bool operator==(const Nameserver&) const = default;
};

// In order. Without any it is the host itself, as for the C library.
std::vector<Nameserver> parse_resolv_conf(std::string_view text);

// Where a nameserver is asked; nullopt when its zone is no interface here.
std::optional<netns::forward::SocketAddress> nameserver_address(const Nameserver& server);

// The file, read again when it is another one. What cannot be read leaves things as they were.
class ResolvConf {
 public:
  explicit ResolvConf(std::string path) : path_(std::move(path)) {}
  const std::vector<Nameserver>& nameservers();

 private:
  std::string path_;
  struct stat seen_ {};
  std::vector<Nameserver> nameservers_ = parse_resolv_conf("");
};

}  // namespace knarr::engine::netd
