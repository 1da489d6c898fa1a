// SPDX-License-Identifier: Apache-2.0
#include "engine/netd/resolv_conf.h"

#include <fcntl.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine::netd {

namespace {

constexpr std::uint16_t dns_port = 53;
constexpr std::string_view blank = " \t\r";

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(blank), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(blank));
  line.remove_prefix(word.size());
  return word;
}

std::optional<Nameserver> parse_nameserver(std::string_view word) {
  const std::size_t percent = word.find('%');
  const auto address = netns::parse_ip(word.substr(0, percent));
  if (!address) return std::nullopt;
  return Nameserver{*address, percent == std::string_view::npos ? "" : std::string(word.substr(percent + 1))};
}

bool is_same_file(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino && one.st_size == other.st_size &&
         one.st_mtim.tv_sec == other.st_mtim.tv_sec && one.st_mtim.tv_nsec == other.st_mtim.tv_nsec;
}

}  // namespace

std::vector<Nameserver> parse_resolv_conf(std::string_view text) {
  std::vector<Nameserver> servers;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (next_word(line) != "nameserver") continue;
    const auto server = parse_nameserver(next_word(line));
    if (server && std::find(servers.begin(), servers.end(), *server) == servers.end())
      servers.push_back(*server);
  }
  if (servers.empty()) servers.push_back({*netns::parse_ip("127.0.0.1"), ""});
  return servers;
}

std::optional<netns::forward::SocketAddress> nameserver_address(const Nameserver& server) {
  netns::forward::SocketAddress address = netns::forward::to_socket_address({server.address, dns_port});
  if (server.zone.empty() || server.address.family == netns::Family::v4) return address;
  unsigned index = ::if_nametoindex(server.zone.c_str());
  if (index == 0) std::from_chars(server.zone.data(), server.zone.data() + server.zone.size(), index);
  if (index == 0) return std::nullopt;
  address.v6.sin6_scope_id = index;
  return address;
}

const std::vector<Nameserver>& ResolvConf::nameservers() {
  try {
    const auto now = sys::stat_at(AT_FDCWD, path_);
    if (now && !is_same_file(*now, seen_)) {
      nameservers_ = parse_resolv_conf(sys::read_file(AT_FDCWD, path_));
      seen_ = *now;
    }
  } catch (const Error&) {
    // It is being replaced: those of before are asked once more.
  }
  return nameservers_;
}

}  // namespace knarr::engine::netd
