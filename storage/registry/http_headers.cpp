// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/http_headers.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace knarr::storage {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) { return lower(c); });
  return result;
}

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (is_space(text.front()) || text.front() == '\r')) text.remove_prefix(1);
  while (!text.empty() && (is_space(text.back()) || text.back() == '\r' || text.back() == '\n')) {
    text.remove_suffix(1);
  }
  return text;
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// RFC 9110, 5.6.2
bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Takes words off the front of a field.
class FieldReader {
 public:
  explicit FieldReader(std::string_view text) : rest_(text) {}

  void skip_spaces() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
  }
  bool at_end() const { return rest_.empty(); }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view token() {
    std::size_t length = 0;
    while (length < rest_.size() && is_token_character(rest_[length])) ++length;
    return cut(length);
  }
  // Characters up to one of `ends`.
  std::string_view until(std::string_view ends) {
    return cut(std::min(rest_.find_first_of(ends), rest_.size()));
  }
  // What stands between quotes, with backslashes undone; nullopt when the end is missing.
  std::optional<std::string> quoted() {
    if (!take('"')) return std::nullopt;
    std::string text;
    while (!rest_.empty()) {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return text;
      if (c == '\\' && !rest_.empty()) {
        c = rest_.front();
        rest_.remove_prefix(1);
      }
      text += c;
    }
    return std::nullopt;
  }
  std::optional<std::string> value() {
    if (rest_.starts_with('"')) return quoted();
    // Some write what is no token without quotes.
    return std::string(trim(until(",")));
  }

 private:
  std::string_view cut(std::size_t length) {
    const std::string_view front = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return front;
  }
  std::string_view rest_;
};

// NAME=VALUE after a challenge's scheme; false leaves `reader` where it was.
bool read_parameter(FieldReader& reader, Challenge& challenge, bool& broken) {
  FieldReader ahead = reader;
  const std::string_view name = ahead.token();
  ahead.skip_spaces();
  if (name.empty() || !ahead.take('=')) return false;
  ahead.skip_spaces();
  std::optional<std::string> value = ahead.value();
  broken = !value;
  if (value) challenge.parameters.emplace(lower(name), *std::move(value));
  reader = ahead;
  return true;
}

void skip_commas(FieldReader& reader) {
  do {
    reader.skip_spaces();
  } while (reader.take(','));
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

void HttpHeaders::add_line(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return;
  add(std::string(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1))));
}

std::string HttpHeaders::get(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (equals_ignoring_case(field, name)) return value;
  }
  return {};
}

std::vector<std::string> HttpHeaders::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [field, value] : fields_) {
    if (equals_ignoring_case(field, name)) values.push_back(value);
  }
  return values;
}

std::optional<int> parse_retry_after(std::string_view value, std::time_t now) {
  value = trim(value);
  if (!value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos) {
    return parse_number<int>(value).value_or(std::numeric_limits<int>::max());
  }
  const std::time_t date = ::curl_getdate(std::string(value).c_str(), nullptr);
  if (date < 0) return std::nullopt;
  constexpr std::time_t most = std::numeric_limits<int>::max();
  return static_cast<int>(std::clamp<std::time_t>(date - now, 0, most));
}

std::optional<ContentRange> parse_content_range(std::string_view value) {
  value = trim(value);
  if (!equals_ignoring_case(value.substr(0, 6), "bytes ")) return std::nullopt;
  value = trim(value.substr(6));
  const auto dash = value.find('-'), slash = value.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) return std::nullopt;
  const auto first = parse_number<std::uint64_t>(value.substr(0, dash));
  const auto last = parse_number<std::uint64_t>(value.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *last < *first) return std::nullopt;
  ContentRange range{*first, *last, std::nullopt};
  const std::string_view total = value.substr(slash + 1);
  if (total == "*") return range;
  range.total = parse_number<std::uint64_t>(total);
  if (!range.total || *range.total <= *last) return std::nullopt;
  return range;
}

std::optional<std::uint64_t> parse_upload_range(std::string_view value) {
  value = trim(value);
  if (equals_ignoring_case(value.substr(0, 6), "bytes=")) value.remove_prefix(6);
  const auto dash = value.find('-');
  if (dash == std::string_view::npos || value.substr(0, dash) != "0") return std::nullopt;
  return parse_number<std::uint64_t>(value.substr(dash + 1));
}

std::string find_next_link(const std::vector<std::string>& link_fields) {
  for (const std::string& field : link_fields) {
    FieldReader reader(field);
    for (skip_commas(reader); reader.take('<'); skip_commas(reader)) {
      const std::string target(reader.until(">"));
      if (!reader.take('>')) break;
      bool is_next = false;
      for (reader.skip_spaces(); reader.take(';'); reader.skip_spaces()) {
        reader.skip_spaces();
        const std::string name = lower(reader.token());
        if (!reader.take('=')) continue;
        const std::string value = reader.quoted().value_or("");
        const std::string text = value.empty() ? std::string(reader.until(",; ")) : value;
        if (name == "rel" && equals_ignoring_case(text, "next")) is_next = true;
      }
      if (is_next) return target;
    }
  }
  return {};
}

std::string media_type_of(std::string_view content_type) {
  return lower(trim(content_type.substr(0, content_type.find(';'))));
}

std::vector<Challenge> parse_challenges(std::string_view field) {
  std::vector<Challenge> challenges;
  FieldReader reader(field);
  bool broken = false;
  for (skip_commas(reader); !reader.at_end() && !broken; skip_commas(reader)) {
    Challenge challenge;
    challenge.scheme = lower(reader.token());
    if (challenge.scheme.empty()) break;
    // A scheme follows a comma as a parameter does; only what has "=" behind it is a parameter.
    for (skip_commas(reader); read_parameter(reader, challenge, broken) && !broken;) skip_commas(reader);
    if (!broken) challenges.push_back(std::move(challenge));
  }
  return challenges;
}

}  // namespace knarr::storage
