// SPDX-License-Identifier: Apache-2.0
#include "storage/transport.h"

#include <utility>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

constexpr std::pair<std::string_view, Transport> transports[] = {
    {"docker", Transport::docker},
    {"oci", Transport::oci},
    {"oci-archive", Transport::oci_archive},
    {"docker-archive", Transport::docker_archive},
    {"dir", Transport::dir},
    {"containers-storage", Transport::containers_storage},
};
// Of other engines; "docker-daemon:x" cannot mean the tag x of docker-daemon.
constexpr std::string_view unknown_transports[] = {"docker-daemon", "ostree", "sif", "tarball", "atomic"};

bool has_reference(Transport transport) {
  return transport == Transport::oci || transport == Transport::oci_archive ||
         transport == Transport::docker_archive;
}

}  // namespace

std::string_view transport_name(Transport transport) {
  for (const auto& [name, known] : transports) {
    if (known == transport) return name;
  }
  return {};
}

std::string_view strip_store_transport(std::string_view name) {
  for (const std::string_view prefix : {"containers-storage:", "docker://"}) {
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  }
  return name;
}

std::optional<TransportName> parse_transport_name(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view word = text.substr(0, colon);
  std::string_view rest = text.substr(colon + 1);
  for (const std::string_view unknown : unknown_transports) {
    if (word == unknown)
      throw Unsupported(concat('"', text, "\": the transport ", word, " is not supported"));
  }
  for (const auto& [name, transport] : transports) {
    if (word != name) continue;
    if (transport == Transport::docker) {
      // "docker:5000/x" is a registry of that name.
      if (!rest.starts_with("//")) return std::nullopt;
      rest.remove_prefix(2);
    }
    TransportName found{transport, std::string(rest), {}};
    if (const std::size_t next = rest.find(':'); has_reference(transport) && next != std::string_view::npos) {
      found.path = rest.substr(0, next);
      found.reference = rest.substr(next + 1);
    }
    if (found.path.empty())
      throw InvalidArgument(concat('"', text, "\": nothing is named behind ", word, ':'));
    return found;
  }
  return std::nullopt;
}

}  // namespace knarr::storage
