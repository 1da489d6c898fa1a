// SPDX-License-Identifier: Apache-2.0
// Reading JSON documents of others and our own records. A reader knows where in the document it is, so an
// error names the place: "manifest.layers[1].digest: expected a string, found number".
// Include it in *_json.cpp files only: nlohmann/json.hpp costs two seconds of compile time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace knarr::storage {

using Json = nlohmann::json;

constexpr std::size_t max_json_depth = 64;

// Parses a whole document; `name` is what errors call it ("manifest"). Throws InvalidArgument when it is
// longer than max_bytes, nested deeper than max_json_depth or no JSON (RFC 8259; of equal keys the last one
// counts).
Json parse_json(std::string_view text, std::string_view name, std::size_t max_bytes = 16u << 20);

// One line of JSON, members sorted, so equal values give equal bytes. Bytes that are no UTF-8 become U+FFFD.
std::string render_json(const Json& value);

// A value and its place. It borrows the value: the document must outlive it. Unknown members are ignored;
// a member that is null counts as missing, as it does for the Go programs that write these documents.
class JsonReader {
 public:
  JsonReader(const Json& value, std::string path) : value_(&value), path_(std::move(path)) {}

  const Json& value() const { return *value_; }
  const std::string& path() const { return path_; }

  // Throws InvalidArgument "PATH: MESSAGE".
  [[noreturn]] void fail(std::string_view message) const;

  // Conversions of this very value; they throw when it is of another type or does not fit. Strings with a
  // NUL are refused: what the kernel or a file would get is only their beginning.
  std::string as_string() const;
  bool as_bool() const;
  std::int64_t as_int() const;
  std::uint64_t as_unsigned() const;
  std::vector<JsonReader> as_array() const;
  std::vector<std::pair<std::string, JsonReader>> as_object() const;  // sorted by key
  std::vector<std::string> as_strings() const;
  std::map<std::string, std::string> as_string_map() const;
  std::vector<std::string> as_keys() const;  // an object used as a set: {"80/tcp": {}}

  // Members of this object.
  std::optional<JsonReader> find(const char* key) const;  // nullopt: missing or null
  JsonReader get(const char* key) const;                  // throws when missing or null
  bool has(const char* key) const { return find(key).has_value(); }

  // The same with a default for a missing member.
  std::string read_string(const char* key, std::string_view missing = {}) const;
  bool read_bool(const char* key, bool missing = false) const;
  std::int64_t read_int(const char* key, std::int64_t missing = 0) const;
  std::uint64_t read_unsigned(const char* key, std::uint64_t missing = 0) const;
  std::vector<std::string> read_strings(const char* key) const;
  std::map<std::string, std::string> read_string_map(const char* key) const;
  std::vector<std::string> read_keys(const char* key) const;
  std::vector<JsonReader> read_array(const char* key) const;

  // Our records carry "version". Throws Unsupported when it is newer than `newest`, InvalidArgument without
  // one.
  void check_version(std::uint64_t newest) const;

 private:
  JsonReader child(const Json& value, std::string_view key) const;
  [[noreturn]] void fail_type(std::string_view expected) const;

  const Json* value_;
  std::string path_;
};

}  // namespace knarr::storage
