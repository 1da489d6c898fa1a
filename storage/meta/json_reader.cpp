// SPDX-License-Identifier: Apache-2.0
#include "storage/meta/json_reader.h"

#include <algorithm>
#include <limits>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

// Counts brackets outside strings, so a document cannot make the parser or a destructor recurse without end
// before anybody looks at it. On text that is no JSON the count may be off: the parser refuses that anyway.
bool is_nested_too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > max_json_depth) return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

bool is_plain_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
}

// The library's text without its own prefix: "[json.exception.parse_error.101] parse error at line 1, ...".
std::string_view parse_error_words(std::string_view what) {
  const auto end = what.find("] ");
  return end == std::string_view::npos ? what : what.substr(end + 2);
}

}  // namespace

Json parse_json(std::string_view text, std::string_view name, std::size_t max_bytes) {
  if (text.size() > max_bytes) {
    throw InvalidArgument(concat(name, ": ", text.size(), " bytes are more than the limit of ", max_bytes));
  }
  if (is_nested_too_deep(text)) {
    throw InvalidArgument(concat(name, ": nested deeper than ", max_json_depth, " levels"));
  }
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    throw InvalidArgument(concat(name, ": not valid JSON: ", parse_error_words(error.what())));
  }
}

std::string render_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void JsonReader::fail(std::string_view message) const {
  throw InvalidArgument(concat(path_, ": ", message));
}

void JsonReader::fail_type(std::string_view expected) const {
  fail(concat("expected ", expected, ", found ", value_->type_name()));
}

JsonReader JsonReader::child(const Json& value, std::string_view key) const {
  return JsonReader(value, is_plain_key(key) ? concat(path_, '.', key) : concat(path_, "[\"", key, "\"]"));
}

std::string JsonReader::as_string() const {
  if (!value_->is_string()) fail_type("a string");
  const auto& text = value_->get_ref<const std::string&>();
  if (text.find('\0') != std::string::npos) fail("contains a NUL character");
  return text;
}

bool JsonReader::as_bool() const {
  if (!value_->is_boolean()) fail_type("true or false");
  return value_->get<bool>();
}

std::int64_t JsonReader::as_int() const {
  if (!value_->is_number_integer()) fail_type("an integer");
  if (value_->is_number_unsigned() &&
      value_->get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
    fail("number out of range");
  }
  return value_->get<std::int64_t>();
}

std::uint64_t JsonReader::as_unsigned() const {
  if (!value_->is_number_integer()) fail_type("an integer");
  if (!value_->is_number_unsigned() && value_->get<std::int64_t>() < 0) fail("number must not be negative");
  return value_->get<std::uint64_t>();
}

std::vector<JsonReader> JsonReader::as_array() const {
  if (!value_->is_array()) fail_type("an array");
  std::vector<JsonReader> elements;
  elements.reserve(value_->size());
  std::size_t index = 0;
  for (const Json& element : *value_) elements.emplace_back(element, concat(path_, '[', index++, ']'));
  return elements;
}

std::vector<std::pair<std::string, JsonReader>> JsonReader::as_object() const {
  if (!value_->is_object()) fail_type("an object");
  std::vector<std::pair<std::string, JsonReader>> members;
  members.reserve(value_->size());
  for (const auto& [key, member] : value_->items()) {
    if (key.find('\0') != std::string::npos) fail("a key contains a NUL character");
    members.emplace_back(key, child(member, key));
  }
  return members;
}

std::vector<std::string> JsonReader::as_strings() const {
  std::vector<std::string> strings;
  for (const JsonReader& element : as_array()) strings.push_back(element.as_string());
  return strings;
}

std::map<std::string, std::string> JsonReader::as_string_map() const {
  std::map<std::string, std::string> strings;
  for (const auto& [key, member] : as_object()) {
    strings.emplace(key, member.value().is_null() ? std::string() : member.as_string());
  }
  return strings;
}

std::vector<std::string> JsonReader::as_keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, member] : as_object()) keys.push_back(key);
  return keys;
}

std::optional<JsonReader> JsonReader::find(const char* key) const {
  if (!value_->is_object()) fail_type("an object");
  const auto member = value_->find(key);
  if (member == value_->end() || member->is_null()) return std::nullopt;
  return child(*member, key);
}

JsonReader JsonReader::get(const char* key) const {
  std::optional<JsonReader> member = find(key);
  if (!member) child(*value_, key).fail("missing");
  return *std::move(member);
}

std::string JsonReader::read_string(const char* key, std::string_view missing) const {
  const auto member = find(key);
  return member ? member->as_string() : std::string(missing);
}

bool JsonReader::read_bool(const char* key, bool missing) const {
  const auto member = find(key);
  return member ? member->as_bool() : missing;
}

std::int64_t JsonReader::read_int(const char* key, std::int64_t missing) const {
  const auto member = find(key);
  return member ? member->as_int() : missing;
}

std::uint64_t JsonReader::read_unsigned(const char* key, std::uint64_t missing) const {
  const auto member = find(key);
  return member ? member->as_unsigned() : missing;
}

std::vector<std::string> JsonReader::read_strings(const char* key) const {
  const auto member = find(key);
  return member ? member->as_strings() : std::vector<std::string>();
}

std::map<std::string, std::string> JsonReader::read_string_map(const char* key) const {
  const auto member = find(key);
  return member ? member->as_string_map() : std::map<std::string, std::string>();
}

std::vector<std::string> JsonReader::read_keys(const char* key) const {
  const auto member = find(key);
  return member ? member->as_keys() : std::vector<std::string>();
}

std::vector<JsonReader> JsonReader::read_array(const char* key) const {
  const auto member = find(key);
  return member ? member->as_array() : std::vector<JsonReader>();
}

void JsonReader::check_version(std::uint64_t newest) const {
  const std::uint64_t version = get("version").as_unsigned();
  if (version > newest) {
    throw Unsupported(
        concat(path_, ": version ", version, " was written by a newer knarr (this one knows ", newest, ")"));
  }
}

}  // namespace knarr::storage
