// SPDX-License-Identifier: Apache-2.0
// Names with a transport in front (containers-transports(5)): where an image is when it is in no registry.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace knarr::storage {

enum class Transport { docker, oci, oci_archive, docker_archive, dir, containers_storage };
std::string_view transport_name(Transport transport);

struct TransportName {
  Transport transport = Transport::docker;
  std::string path;       // of a file or directory; of docker: and containers-storage: the name of the image
  std::string reference;  // which image of it: "oci:PATH:REFERENCE"; may be empty
};

// A name of this store without "containers-storage:" or "docker://" in front, which say no more of it.
std::string_view strip_store_transport(std::string_view name);

// nullopt: no transport is in front. Throws Unsupported for one we do not know how to use, InvalidArgument
// when nothing is behind it.
std::optional<TransportName> parse_transport_name(std::string_view text);

}  // namespace knarr::storage
