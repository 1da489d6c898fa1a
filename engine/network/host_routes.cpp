// SPDX-License-Identifier: Apache-2.0
#include "engine/network/host_routes.h"

#include <fcntl.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "engine/request/values.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

using netns::Family;
using netns::Subnet;

std::vector<std::string> words_of(std::string_view line) {
  std::string text(line);
  std::replace(text.begin(), text.end(), '\t', ' ');
  std::vector<std::string> words = split(text, ' ');
  std::erase(words, "");
  return words;
}

std::optional<std::uint32_t> parse_hex(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "Iface Destination Gateway Flags RefCnt Use Metric Mask ...": hexadecimal, as the machine's words.
std::optional<Subnet> parse_v4_line(std::string_view line) {
  const std::vector<std::string> words = words_of(line);
  if (words.size() < 8) return std::nullopt;
  const auto destination = parse_hex(words[1]);
  const auto mask = parse_hex(words[7]);
  if (!destination || !mask) return std::nullopt;
  Subnet subnet;
  std::memcpy(subnet.address.bytes.data(), &*destination, sizeof *destination);
  subnet.prefix = static_cast<std::uint8_t>(std::popcount(*mask));
  return subnet;
}

// "DESTINATION PREFIX ...": 32 and 2 hexadecimal digits.
std::optional<Subnet> parse_v6_line(std::string_view line) {
  const std::vector<std::string> words = words_of(line);
  if (words.size() < 10 || words[0].size() != 32) return std::nullopt;
  Subnet subnet{.address = {.family = Family::v6}};
  for (std::size_t i = 0; i < subnet.address.bytes.size(); ++i) {
    const auto byte = parse_hex(std::string_view(words[0]).substr(i * 2, 2));
    if (!byte) return std::nullopt;
    subnet.address.bytes[i] = static_cast<std::uint8_t>(*byte);
  }
  const auto prefix = parse_hex(words[1]);
  if (!prefix || *prefix > subnet.address.bits()) return std::nullopt;
  subnet.prefix = static_cast<std::uint8_t>(*prefix);
  return subnet;
}

bool is_taken(const Subnet& route) {
  if (route.prefix == 0 || route.prefix == route.address.bits()) return false;
  const auto& bytes = route.address.bytes;
  if (route.address.family == Family::v4) return bytes[0] != 169 || bytes[1] != 254;
  const bool link_local = bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
  return bytes[0] != 0xff && !link_local;
}

template <typename ParseLine>
std::vector<Subnet> parse_routes(std::string_view table, ParseLine parse_line) {
  std::vector<Subnet> routes;
  for (const std::string& line : split(table, '\n')) {
    const auto route = parse_line(line);
    if (route && is_taken(*route)) routes.push_back(netns::network_of(*route));
  }
  return routes;
}

}  // namespace

std::vector<Subnet> parse_v4_routes(std::string_view table) {
  return parse_routes(table, parse_v4_line);
}

std::vector<Subnet> parse_v6_routes(std::string_view table) {
  return parse_routes(table, parse_v6_line);
}

std::vector<Subnet> read_host_routes() {
  const auto read = [](const char* path) { return sys::read_file_if_exists(AT_FDCWD, path).value_or(""); };
  std::vector<Subnet> routes = parse_v4_routes(read("/proc/net/route"));
  const std::vector<Subnet> v6 = parse_v6_routes(read("/proc/net/ipv6_route"));
  routes.insert(routes.end(), v6.begin(), v6.end());
  return routes;
}

std::vector<std::string> list_host_interfaces() {
  return sys::list_directory(AT_FDCWD, "/sys/class/net");
}

}  // namespace knarr::engine
