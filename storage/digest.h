// SPDX-License-Identifier: Apache-2.0
// Content digests (OCI image spec, descriptor.md). Parsed before any use as a path or a URL.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace knarr::storage {

struct Digest {
  std::string algorithm;  // "sha256" or "sha512"
  std::string hex;        // 64 or 128 lower-case digits
  bool operator==(const Digest&) const = default;
  auto operator<=>(const Digest&) const = default;
};

// nullopt for anything but sha256:[0-9a-f]{64} and sha512:[0-9a-f]{128}.
std::optional<Digest> parse_digest(std::string_view text);
std::string render(const Digest& digest);  // "sha256:..."

}  // namespace knarr::storage
