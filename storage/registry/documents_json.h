// SPDX-License-Identifier: Apache-2.0
// The small documents registries answer with (distribution-spec). What comes from outside is bounded and made
// fit for a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/image/image_config_json.h"

namespace knarr::storage {

// {"errors": [{"code", "message"}]}
struct ServerError {
  std::string code;  // "MANIFEST_UNKNOWN"
  std::string message;
};
// Empty for anything else: an error page is no document.
std::vector<ServerError> parse_errors(std::string_view body);
// The messages in one line, or their codes where they say nothing; empty when there are none.
std::string describe_errors(std::string_view body);
// "the registry answered 503 (service unavailable): MESSAGE"
std::string describe_status(int status, std::string_view body);

struct TokenReply {
  std::string token;
  std::int64_t expires_in = 0;  // seconds; 0: not said
};
TokenReply parse_token_reply(std::string_view body);

// The media type a manifest gives itself; empty when it gives none. Throws InvalidArgument for no JSON.
std::string read_media_type(std::string_view manifest);
bool looks_like_index(std::string_view manifest);

std::vector<std::string> parse_tags(std::string_view body);
std::vector<std::string> parse_catalog(std::string_view body);

// GET /v1/search
struct SearchResult {
  std::string name;
  std::string description;
  std::uint64_t stars = 0;
  bool is_official = false;
  bool is_automated = false;
};
std::vector<SearchResult> parse_search(std::string_view body);

}  // namespace knarr::storage
