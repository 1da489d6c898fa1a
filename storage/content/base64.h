// SPDX-License-Identifier: Apache-2.0
// Base64 with the standard alphabet and padding (RFC 4648, section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace knarr::storage {

std::string encode_base64(std::string_view bytes);
// Line breaks are skipped; nullopt for anything else that is no base64.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace knarr::storage
