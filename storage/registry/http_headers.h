// SPDX-License-Identifier: Apache-2.0
// HTTP header fields and the few grammars in them that registries use. Pure.
#pragma once

#include <cstdint>
#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace knarr::storage {

bool equals_ignoring_case(std::string_view a, std::string_view b);  // ASCII

class HttpHeaders {
 public:
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  // "Name: value" as it comes over the wire; what is no field is left out.
  void add_line(std::string_view line);
  void clear() { fields_.clear(); }
  // The value of the first field of that name, in any case; empty when there is none.
  std::string get(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// Retry-After: seconds, or an HTTP date (RFC 9110, 10.2.3). nullopt for anything else; a date that has passed
// is 0.
std::optional<int> parse_retry_after(std::string_view value, std::time_t now);

// Content-Range: "bytes 5-9/10" (RFC 9110, 14.4).
struct ContentRange {
  std::uint64_t first = 0, last = 0;
  std::optional<std::uint64_t> total;  // nullopt: "*"
};
std::optional<ContentRange> parse_content_range(std::string_view value);

// Range of an upload that goes on: "0-99", also "bytes=0-99". The last byte that is there.
std::optional<std::uint64_t> parse_upload_range(std::string_view value);

// The target of the link with rel="next" (RFC 8288), as it is written; empty when there is none.
std::string find_next_link(const std::vector<std::string>& link_fields);

// "application/json; charset=utf-8" → "application/json", in lower case.
std::string media_type_of(std::string_view content_type);

// WWW-Authenticate (RFC 9110, 11.6.1): one field may hold several challenges.
struct Challenge {
  std::string scheme;                             // lower case: "basic", "bearer"
  std::map<std::string, std::string> parameters;  // names in lower case
};
// What is malformed ends the list: what came before it counts.
std::vector<Challenge> parse_challenges(std::string_view field);

}  // namespace knarr::storage
