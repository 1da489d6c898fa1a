// SPDX-License-Identifier: Apache-2.0
// http and https URLs as registries name them in challenges, redirects and Location headers.
#pragma once

#include <string>

namespace knarr::storage {

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; an IPv6 address keeps its brackets
  int port = 0;        // the scheme's own when none is named
  std::string text;    // the whole, without user, password and fragment
};

// Throws InvalidArgument for anything but an http or https URL with a host.
Url parse_url(const std::string& text);
// What `reference`, absolute or relative, means in a document of `base` (RFC 3986).
Url resolve_url(const Url& base, const std::string& reference);
// The same with NAME=VALUE added to its query; the value is escaped.
Url add_query(const Url& url, const std::string& name, const std::string& value);

// Scheme, host and port are equal.
bool is_same_origin(const Url& a, const Url& b);
// "host" or "host:port", as messages name it.
std::string render_host(const Url& url);

// application/x-www-form-urlencoded: all but letters, digits, and -._~ escaped.
std::string escape_form(const std::string& text);

}  // namespace knarr::storage
