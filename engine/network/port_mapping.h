// SPDX-License-Identifier: Apache-2.0
// Published ports: --publish, --publish-all, --expose.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "netns/address.h"

namespace knarr::engine {

enum class PortProtocol : std::uint8_t { tcp, udp };
std::string_view protocol_name(PortProtocol protocol);

// `count` ports one after another, from host_port and container_port on.
struct PortMapping {
  std::optional<netns::IpAddress> host_address;  // none: all addresses of the host, of both families
  std::uint16_t host_port = 0;                   // 0: a free one
  std::uint16_t container_port = 0;
  std::uint16_t count = 1;
  PortProtocol protocol = PortProtocol::tcp;
  bool operator==(const PortMapping&) const = default;
};

// "[[IP:][HOSTPORT[-END]]:]CONTAINERPORT[-END][/PROTOCOL]". Throws InvalidArgument naming the value.
PortMapping parse_publish(std::string_view text);
// As `ps` shows it: "0.0.0.0:8080->80/tcp", "[::1]:8000-8002->80-82/udp".
std::string render_port(const PortMapping& mapping);

// "PORT[-END][/PROTOCOL]" of --expose and of an image.
struct ExposedPorts {
  std::uint16_t first = 0, count = 1;
  PortProtocol protocol = PortProtocol::tcp;
  bool operator==(const ExposedPorts&) const = default;
};
ExposedPorts parse_exposed(std::string_view text);
std::string render_exposed(const ExposedPorts& ports);  // "80/tcp", "80-90/udp"

// All of --publish, then `published_too` (--publish-all) where they are not published yet, each on a free
// port. Throws InvalidArgument for two that want the same port of the host.
std::vector<PortMapping> plan_ports(const std::vector<std::string>& publish,
                                    const std::vector<ExposedPorts>& published_too);

}  // namespace knarr::engine
