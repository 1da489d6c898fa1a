// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/auth_file_json.h"

#include <algorithm>

#include "storage/meta/json_reader.h"

namespace knarr::storage {
namespace {

Json parse_document(std::string_view json, const std::string& file) {
  const bool is_blank = json.find_first_not_of(" \t\r\n") == std::string_view::npos;
  Json document = is_blank ? Json::object() : parse_json(json, file);
  if (!document.is_object()) JsonReader(document, file).fail("expected an object");
  return document;
}

AuthEntry read_entry(const JsonReader& reader) {
  return {.auth = reader.read_string("auth"),
          .username = reader.read_string("username"),
          .password = reader.read_string("password"),
          .identity_token = reader.read_string("identitytoken")};
}

std::map<std::string, AuthEntry> read_entries(const JsonReader& entries) {
  std::map<std::string, AuthEntry> auths;
  for (const auto& [key, entry] : entries.as_object()) {
    // "host": null is an entry without content.
    auths[key] = entry.value().is_null() ? AuthEntry{} : read_entry(entry);
  }
  return auths;
}

Json& entries_of(Json& document, const std::string& file) {
  Json& entries = document["auths"];
  if (entries.is_null()) entries = Json::object();
  if (!entries.is_object()) JsonReader(entries, file + ".auths").fail("expected an object");
  return entries;
}

// Indented, for people edit these files.
std::string render_document(const Json& document) {
  return document.dump(1, '\t', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

AuthFile parse_auth_file(std::string_view json, const std::string& file, bool legacy) {
  const Json document = parse_document(json, file);
  const JsonReader reader(document, file);
  AuthFile parsed;
  if (legacy) {
    parsed.auths = read_entries(reader);
    return parsed;
  }
  if (const auto auths = reader.find("auths")) parsed.auths = read_entries(*auths);
  parsed.helpers = reader.read_string_map("credHelpers");
  parsed.store = reader.read_string("credsStore");
  return parsed;
}

std::string with_auth_entry(std::string_view json, const std::string& file, const std::string& key,
                            const std::string& auth) {
  Json document = parse_document(json, file);
  entries_of(document, file)[key] = {{"auth", auth}};
  return render_document(document);
}

std::string without_auth_entry(std::string_view json, const std::string& file, const std::string& key) {
  Json document = parse_document(json, file);
  entries_of(document, file).erase(key);
  return render_document(document);
}

std::string without_auth_entries(std::string_view json, const std::string& file) {
  Json document = parse_document(json, file);
  entries_of(document, file) = Json::object();
  return render_document(document);
}

}  // namespace knarr::storage
