// SPDX-License-Identifier: Apache-2.0
#include "storage/digest.h"

#include <algorithm>

namespace knarr::storage {

std::optional<Digest> parse_digest(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view algorithm = text.substr(0, colon);
  const std::string_view hex = text.substr(colon + 1);
  const std::size_t digits = algorithm == "sha256" ? 64 : algorithm == "sha512" ? 128 : 0;
  if (digits == 0 || hex.size() != digits) return std::nullopt;
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (!std::all_of(hex.begin(), hex.end(), is_digit)) return std::nullopt;
  return Digest{std::string(algorithm), std::string(hex)};
}

std::string render(const Digest& digest) {
  return digest.algorithm + ":" + digest.hex;
}

}  // namespace knarr::storage
