// SPDX-License-Identifier: Apache-2.0
#include "netns/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace knarr::netns {

namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// The bits of byte `index` that lie in the first `prefix` bits.
std::uint8_t mask_of(std::size_t index, unsigned prefix) {
  const unsigned before = static_cast<unsigned>(index) * 8;
  if (prefix >= before + 8) return 0xff;
  if (prefix <= before) return 0;
  return static_cast<std::uint8_t>(0xff << (8 - (prefix - before)));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

int domain_of(Family family) {
  return family == Family::v4 ? AF_INET : AF_INET6;
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  // inet_pton(3) stops at a NUL byte and would let what follows pass.
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  for (const Family family : {Family::v4, Family::v6}) {
    IpAddress address{.family = family};
    if (::inet_pton(domain_of(family), terminated.c_str(), address.bytes.data()) == 1) return address;
  }
  return std::nullopt;
}

std::string render_ip(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN];
  ::inet_ntop(domain_of(address.family), address.bytes.data(), text, sizeof text);
  return text;
}

bool is_unspecified(const IpAddress& address) {
  return std::all_of(address.bytes.begin(), address.bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool is_loopback(const IpAddress& address) {
  if (address.family == Family::v4) return address.bytes[0] == 127;
  IpAddress one{.family = Family::v6};
  one.bytes[15] = 1;
  return address == one;
}

IpAddress unmap(const IpAddress& address) {
  const bool mapped = address.family == Family::v6 &&
                      std::equal(mapped_prefix.begin(), mapped_prefix.end(), address.bytes.begin());
  if (!mapped) return address;
  IpAddress plain;
  std::copy_n(address.bytes.begin() + mapped_prefix.size(), 4, plain.bytes.begin());
  return plain;
}

std::optional<Subnet> parse_subnet(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse_ip(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  std::uint8_t prefix = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  if (!address || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (digits.front() == '0' && digits.size() > 1) return std::nullopt;
  if (prefix > address->bits()) return std::nullopt;
  return Subnet{*address, prefix};
}

std::string render_subnet(const Subnet& subnet) {
  return render_ip(subnet.address) + '/' + std::to_string(subnet.prefix);
}

Subnet network_of(const Subnet& subnet) {
  Subnet network = subnet;
  for (std::size_t i = 0; i < subnet.address.size(); ++i)
    network.address.bytes[i] &= mask_of(i, subnet.prefix);
  return network;
}

IpAddress last_of(const Subnet& subnet) {
  IpAddress last = subnet.address;
  for (std::size_t i = 0; i < last.size(); ++i)
    last.bytes[i] |= static_cast<std::uint8_t>(~mask_of(i, subnet.prefix));
  return last;
}

bool contains(const Subnet& subnet, const IpAddress& address) {
  return subnet.address.family == address.family &&
         network_of(subnet) == network_of({address, subnet.prefix});
}

bool overlap(const Subnet& one, const Subnet& other) {
  const Subnet& wider = one.prefix <= other.prefix ? one : other;
  return contains(wider, (&wider == &one ? other : one).address);
}

std::optional<IpAddress> advance(const IpAddress& address, std::uint64_t steps) {
  IpAddress next = address;
  for (std::size_t i = address.size(); i-- > 0 && steps != 0;) {
    // At most 2^56 - 1 remains of 64 bits after one byte, so the sum does not overflow.
    const std::uint64_t low = steps & 0xff;
    const std::uint64_t sum = next.bytes[i] + low;
    next.bytes[i] = static_cast<std::uint8_t>(sum);
    steps = (steps >> 8) + (sum >> 8);
  }
  if (steps != 0) return std::nullopt;
  return next;
}

std::optional<MacAddress> parse_mac(std::string_view text) {
  MacAddress mac{};
  if (text.size() != mac.size() * 3 - 1) return std::nullopt;
  const char separator = text[2];
  if (separator != ':' && separator != '-') return std::nullopt;
  for (std::size_t i = 0; i < mac.size(); ++i) {
    const int high = hex_digit(text[i * 3]);
    const int low = hex_digit(text[i * 3 + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    if (i + 1 < mac.size() && text[i * 3 + 2] != separator) return std::nullopt;
    mac[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return mac;
}

std::string render_mac(const MacAddress& mac) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                mac[5]);
  return text;
}

bool is_unicast(const MacAddress& mac) {
  return (mac[0] & 1) == 0 &&
         std::any_of(mac.begin(), mac.end(), [](std::uint8_t byte) { return byte != 0; });
}

}  // namespace knarr::netns
