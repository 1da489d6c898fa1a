// SPDX-License-Identifier: Apache-2.0
// Strings as Go and JSON write them.
#pragma once

#include <string>
#include <string_view>

namespace knarr::cli {

// strconv.Quote: double quotes, backslash escapes, what cannot be printed as \xNN, \uNNNN.
std::string quote_go(std::string_view text);
// A JSON string (RFC 8259): control characters escaped, what is not UTF-8 replaced by U+FFFD.
std::string quote_json(std::string_view text);

}  // namespace knarr::cli
