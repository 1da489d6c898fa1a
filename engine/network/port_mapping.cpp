// SPDX-License-Identifier: Apache-2.0
#include "engine/network/port_mapping.h"

#include <algorithm>

#include "engine/request/values.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

using netns::IpAddress;

struct PortRange {
  std::uint16_t first = 0, count = 1;
};

std::uint16_t parse_port(std::string_view flag, std::string_view value, std::string_view text) {
  const auto number = parse_unsigned(text, UINT32_MAX);
  if (!number) fail_flag(flag, value, concat("invalid port number \"", text, "\""));
  if (*number < 1 || *number > UINT16_MAX)
    fail_flag(flag, value, concat("port numbers must be between 1 and 65535 (inclusive), got ", *number));
  return static_cast<std::uint16_t>(*number);
}

// "PORT" or "FIRST-LAST"
PortRange parse_range(std::string_view flag, std::string_view value, std::string_view text) {
  const auto ends = split_once(text, '-');
  if (!ends) return {.first = parse_port(flag, value, text), .count = 1};
  const std::uint16_t first = parse_port(flag, value, ends->first);
  const std::uint16_t last = parse_port(flag, value, ends->second);
  if (last < first)
    fail_flag(flag, value, concat("the range ends (", last, ") before it starts (", first, ")"));
  return {.first = first, .count = static_cast<std::uint16_t>(last - first + 1)};
}

// Cuts "/PROTOCOL" off.
PortProtocol take_protocol(std::string_view flag, std::string_view value, std::string_view& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return PortProtocol::tcp;
  std::string name(text.substr(slash + 1));
  text = text.substr(0, slash);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (name == "tcp") return PortProtocol::tcp;
  if (name == "udp") return PortProtocol::udp;
  if (name == "sctp") throw Unsupported(concat("--", flag, " ", value, ": SCTP ports cannot be published"));
  fail_flag(flag, value, concat("unknown protocol \"", name, "\": expected tcp or udp"));
}

// Cuts "IP:" or "[IP]:" off; what is left has the ports.
std::optional<IpAddress> take_address(std::string_view value, std::string_view& text) {
  std::string_view address;
  if (text.starts_with('[')) {
    const std::size_t end = text.find("]:");
    if (end == std::string_view::npos)
      fail_flag("publish", value, "expected [IPv6]:[HOSTPORT]:CONTAINERPORT");
    address = text.substr(1, end - 1);
    text.remove_prefix(end + 2);
  } else {
    if (std::count(text.begin(), text.end(), ':') < 2) return std::nullopt;
    const std::size_t end = text.find(':');
    address = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (address.empty()) return std::nullopt;  // "::80"
  }
  const auto parsed = netns::parse_ip(address);
  if (!parsed) fail_flag("publish", value, concat("\"", address, "\" is no IP address"));
  return parsed;
}

std::string render_range(std::uint16_t first, std::uint16_t count) {
  return count == 1 ? std::to_string(first) : concat(first, "-", first + count - 1);
}

bool overlap(std::uint16_t one, std::uint16_t one_count, std::uint16_t other, std::uint16_t other_count) {
  return one < other + other_count && other < one + one_count;
}

bool share_address(const PortMapping& one, const PortMapping& other) {
  const auto every = [](const PortMapping& mapping, const PortMapping& than) {
    if (!mapping.host_address) return true;
    return netns::is_unspecified(*mapping.host_address) &&
           (!than.host_address || than.host_address->family == mapping.host_address->family);
  };
  return one.host_address == other.host_address || every(one, other) || every(other, one);
}

bool conflict(const PortMapping& one, const PortMapping& other) {
  return one.protocol == other.protocol && one.host_port != 0 && other.host_port != 0 &&
         overlap(one.host_port, one.count, other.host_port, other.count) && share_address(one, other);
}

bool is_published(const std::vector<PortMapping>& mappings, std::uint16_t port, PortProtocol protocol) {
  return std::any_of(mappings.begin(), mappings.end(), [&](const PortMapping& mapping) {
    return mapping.protocol == protocol && overlap(mapping.container_port, mapping.count, port, 1);
  });
}

}  // namespace

std::string_view protocol_name(PortProtocol protocol) {
  return protocol == PortProtocol::tcp ? "tcp" : "udp";
}

PortMapping parse_publish(std::string_view text) {
  std::string_view rest = text;
  PortMapping mapping;
  mapping.protocol = take_protocol("publish", text, rest);
  mapping.host_address = take_address(text, rest);
  const std::vector<std::string> ports = split(rest, ':');
  if (ports.size() > 2 || ports.back().empty())
    fail_flag("publish", text, "expected [[IP:][HOSTPORT]:]CONTAINERPORT[/PROTOCOL]");
  // An address alone ("127.0.0.1:80") would leave open which of the two ports is meant.
  if (ports.size() == 1 && mapping.host_address)
    fail_flag("publish", text, "after an address both ports are needed; the host's may be empty: IP::PORT");
  const PortRange container = parse_range("publish", text, ports.back());
  mapping.container_port = container.first;
  mapping.count = container.count;
  if (ports.size() == 1 || ports.front().empty()) return mapping;
  const PortRange host = parse_range("publish", text, ports.front());
  if (host.count != container.count)
    fail_flag("publish", text,
              concat("host and container port ranges have different lengths: ", host.count, " vs ",
                     container.count));
  mapping.host_port = host.first;
  return mapping;
}

std::string render_port(const PortMapping& mapping) {
  std::string address = "0.0.0.0";
  if (mapping.host_address) {
    address = netns::render_ip(*mapping.host_address);
    if (mapping.host_address->family == netns::Family::v6) address = concat("[", address, "]");
  }
  // Before it is bound a free port has no number.
  const std::string host = mapping.host_port == 0 ? "" : render_range(mapping.host_port, mapping.count);
  return concat(address, ":", host, "->", render_range(mapping.container_port, mapping.count), "/",
                protocol_name(mapping.protocol));
}

ExposedPorts parse_exposed(std::string_view text) {
  std::string_view rest = text;
  ExposedPorts ports;
  ports.protocol = take_protocol("expose", text, rest);
  const PortRange range = parse_range("expose", text, rest);
  ports.first = range.first;
  ports.count = range.count;
  return ports;
}

std::string render_exposed(const ExposedPorts& ports) {
  return concat(render_range(ports.first, ports.count), "/", protocol_name(ports.protocol));
}

std::vector<PortMapping> plan_ports(const std::vector<std::string>& publish,
                                    const std::vector<ExposedPorts>& published_too) {
  std::vector<PortMapping> mappings;
  for (const std::string& text : publish) {
    const PortMapping mapping = parse_publish(text);
    if (std::find(mappings.begin(), mappings.end(), mapping) != mappings.end() && mapping.host_port != 0)
      continue;
    for (const PortMapping& other : mappings) {
      if (conflict(mapping, other))
        throw InvalidArgument(
            concat("conflicting port mappings: ", render_port(other), " and ", render_port(mapping)));
    }
    mappings.push_back(mapping);
  }
  for (const ExposedPorts& exposed : published_too) {
    for (std::uint32_t port = exposed.first; port < std::uint32_t{exposed.first} + exposed.count; ++port) {
      const auto number = static_cast<std::uint16_t>(port);
      if (!is_published(mappings, number, exposed.protocol))
        mappings.push_back({.container_port = number, .protocol = exposed.protocol});
    }
  }
  return mappings;
}

}  // namespace knarr::engine
