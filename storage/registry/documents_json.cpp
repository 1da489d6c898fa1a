// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/documents_json.h"

#include "rootless/sys/error.h"
#include "storage/meta/json_reader.h"

namespace knarr::storage {
namespace {

constexpr std::size_t max_list_bytes = 8u << 20;
constexpr std::size_t max_message = 300;

// What a server says goes to a terminal: no control characters, one line, not a page of them.
std::string printable(std::string_view text) {
  std::string clean;
  for (const char c : text.substr(0, max_message)) {
    const auto byte = static_cast<unsigned char>(c);
    clean += byte < 0x20 || byte == 0x7f ? ' ' : c;
  }
  while (!clean.empty() && (clean.back() == ' ' || clean.back() == '.')) clean.pop_back();
  return clean;
}

std::string status_words(int status) {
  switch (status) {
    case 400:
      return "bad request";
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "not found";
    case 405:
      return "method not allowed";
    case 408:
      return "request timeout";
    case 413:
      return "content too large";
    case 416:
      return "range not satisfiable";
    case 429:
      return "too many requests";
    case 500:
      return "internal server error";
    case 501:
      return "not implemented";
    case 502:
      return "bad gateway";
    case 503:
      return "service unavailable";
    case 504:
      return "gateway timeout";
    default:
      return {};
  }
}

std::vector<std::string> parse_list(std::string_view body, const char* name, const char* key) {
  const Json document = parse_json(body, name, max_list_bytes);
  std::vector<std::string> texts;
  for (const JsonReader& element : JsonReader(document, name).read_array(key)) {
    texts.push_back(element.as_string());
  }
  return texts;
}

}  // namespace

std::vector<ServerError> parse_errors(std::string_view body) {
  std::vector<ServerError> errors;
  try {
    const Json document = parse_json(body, "errors", max_list_bytes);
    const JsonReader reader(document, "errors");
    for (const JsonReader& error : reader.read_array("errors")) {
      errors.push_back({printable(error.read_string("code")), printable(error.read_string("message"))});
    }
    // Token servers know {"details": "..."} too.
    if (errors.empty() && reader.has("details"))
      errors.push_back({"", printable(reader.read_string("details"))});
  } catch (const InvalidArgument&) {
    errors.clear();
  }
  return errors;
}

std::string describe_errors(std::string_view body) {
  std::string text;
  for (const ServerError& error : parse_errors(body)) {
    const std::string& words = error.message.empty() ? error.code : error.message;
    if (words.empty() || text.size() > max_message) continue;
    text += (text.empty() ? "" : "; ") + words;
  }
  return text;
}

std::string describe_status(int status, std::string_view body) {
  const std::string words = status_words(status);
  std::string text = concat("the server answered ", status);
  if (!words.empty()) text += concat(" (", words, ")");
  if (const std::string errors = describe_errors(body); !errors.empty()) text += ": " + errors;
  return text;
}

TokenReply parse_token_reply(std::string_view body) {
  const Json document = parse_json(body, "token", max_list_bytes);
  const JsonReader reader(document, "token");
  TokenReply reply;
  reply.token = reader.read_string("token");
  if (reply.token.empty()) reply.token = reader.read_string("access_token");
  if (reply.token.empty()) reader.fail("there is none");
  // It becomes a header field.
  if (reply.token.find_first_of("\r\n") != std::string::npos) reader.fail("it has a line break");
  reply.expires_in = reader.read_int("expires_in");
  return reply;
}

std::string read_media_type(std::string_view manifest) {
  const Json document = parse_json(manifest, "manifest", max_manifest_bytes);
  const JsonReader reader(document, "manifest");
  if (const auto version = reader.find("schemaVersion"); version && version->as_unsigned() == 1) {
    reader.fail("schema version 1 is no longer supported: push the image anew");
  }
  return reader.read_string("mediaType");
}

bool looks_like_index(std::string_view manifest) {
  const Json document = parse_json(manifest, "manifest", max_manifest_bytes);
  return JsonReader(document, "manifest").has("manifests");
}

std::vector<std::string> parse_tags(std::string_view body) {
  return parse_list(body, "tags", "tags");
}

std::vector<std::string> parse_catalog(std::string_view body) {
  return parse_list(body, "catalog", "repositories");
}

std::vector<SearchResult> parse_search(std::string_view body) {
  const Json document = parse_json(body, "search", max_list_bytes);
  std::vector<SearchResult> results;
  for (const JsonReader& result : JsonReader(document, "search").read_array("results")) {
    results.push_back({.name = printable(result.read_string("name")),
                       .description = printable(result.read_string("description")),
                       .stars = result.read_unsigned("star_count"),
                       .is_official = result.read_bool("is_official"),
                       .is_automated = result.read_bool("is_automated")});
  }
  return results;
}

}  // namespace knarr::storage
