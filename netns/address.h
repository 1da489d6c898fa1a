// SPDX-License-Identifier: Apache-2.0
// Internet and link-layer addresses as plain data: they cross a fork in shared memory and go into kernel
// messages as they are. Pure.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace knarr::netns {

enum class Family : std::uint8_t { v4, v6 };

struct IpAddress {
  Family family = Family::v4;
  std::array<std::uint8_t, 16> bytes{};  // network byte order; v4: the first four, the others are zero

  std::size_t size() const { return family == Family::v4 ? 4 : 16; }
  unsigned bits() const { return family == Family::v4 ? 32 : 128; }
  // By family, then by value.
  auto operator<=>(const IpAddress&) const = default;
};

int domain_of(Family family);  // AF_INET, AF_INET6
// "10.88.0.2", "fd00::2" (inet_pton(3): no zone, no leading zeros in v4). nullopt for anything else.
std::optional<IpAddress> parse_ip(std::string_view text);
std::string render_ip(const IpAddress& address);  // the canonical form of inet_ntop(3)
bool is_unspecified(const IpAddress& address);
bool is_loopback(const IpAddress& address);
// Of ::ffff:a.b.c.d the v4 address; any other one as it is.
IpAddress unmap(const IpAddress& address);

// An address and how many of its bits name the network.
struct Subnet {
  IpAddress address;
  std::uint8_t prefix = 0;
  auto operator<=>(const Subnet&) const = default;
};

// "10.88.0.0/16"; host bits may be set ("10.88.0.1/16", see network_of). nullopt without a valid prefix.
std::optional<Subnet> parse_subnet(std::string_view text);
std::string render_subnet(const Subnet& subnet);
Subnet network_of(const Subnet& subnet);  // host bits cleared
IpAddress last_of(const Subnet& subnet);  // host bits set: of v4 the broadcast address
bool contains(const Subnet& subnet, const IpAddress& address);
bool overlap(const Subnet& one, const Subnet& other);
// `address` + `steps`; nullopt past the end of the family's address space.
std::optional<IpAddress> advance(const IpAddress& address, std::uint64_t steps);

using MacAddress = std::array<std::uint8_t, 6>;

// "02:42:ac:11:00:02", also with '-' between; nullopt for anything else.
std::optional<MacAddress> parse_mac(std::string_view text);
std::string render_mac(const MacAddress& mac);  // lower case, colons
// Whether an interface can have it: neither a group address nor all zero.
bool is_unicast(const MacAddress& mac);

}  // namespace knarr::netns
