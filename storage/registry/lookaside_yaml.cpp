// SPDX-License-Identifier: Apache-2.0
// Files of registries.d.
#include <yaml.h>

#include "rootless/sys/error.h"
#include "storage/registry/lookaside.h"

namespace knarr::storage {
namespace {

class YamlDocument {
 public:
  YamlDocument(const std::string& text, const std::string& file) : file_(file) {
    yaml_parser_t parser;
    if (::yaml_parser_initialize(&parser) == 0) throw Error("reading YAML: no memory");
    ::yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char*>(text.data()), text.size());
    const bool is_read = ::yaml_parser_load(&parser, &document_) != 0;
    const std::string problem =
        is_read ? "" : concat(file, ':', parser.problem_mark.line + 1, ": ", parser.problem);
    ::yaml_parser_delete(&parser);
    if (!is_read) throw InvalidArgument(problem);
  }
  YamlDocument(const YamlDocument&) = delete;
  YamlDocument& operator=(const YamlDocument&) = delete;
  ~YamlDocument() { ::yaml_document_delete(&document_); }

  const yaml_node_t* root() { return ::yaml_document_get_root_node(&document_); }  // nullptr: it is empty

  // nullptr: it is missing, or there is nothing behind its colon.
  const yaml_node_t* find(const yaml_node_t* map, std::string_view wanted) {
    const yaml_node_t* found = nullptr;
    for_each(map, [&](std::string_view key, const yaml_node_t* value) {
      if (key == wanted) found = value;
    });
    return found;
  }

  template <typename Act>
  void for_each(const yaml_node_t* map, const Act& act) {
    if (map == nullptr || is_null(map)) return;
    if (map->type != YAML_MAPPING_NODE) fail(map, "expected names with values");
    for (const yaml_node_pair_t* pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top;
         ++pair) {
      const yaml_node_t* const value = node(pair->value);
      act(text(node(pair->key)), is_null(value) ? nullptr : value);
    }
  }

  std::string text(const yaml_node_t* scalar) {
    if (scalar->type != YAML_SCALAR_NODE) fail(scalar, "expected a text");
    return {reinterpret_cast<const char*>(scalar->data.scalar.value), scalar->data.scalar.length};
  }

  [[noreturn]] void fail(const yaml_node_t* where, std::string_view problem) const {
    throw InvalidArgument(concat(file_, ':', where->start_mark.line + 1, ": ", problem));
  }

 private:
  const yaml_node_t* node(int index) { return ::yaml_document_get_node(&document_, index); }
  static bool is_null(const yaml_node_t* value) {
    return value->type == YAML_SCALAR_NODE && value->data.scalar.length == 0 &&
           value->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  }

  const std::string& file_;
  yaml_document_t document_;
};

// Where signatures are read from; "sigstore" is what it was called first. Empty: it is not said.
std::string place_of(YamlDocument& document, const yaml_node_t* scope) {
  for (const char* key : {"lookaside", "sigstore"}) {
    const yaml_node_t* const value = document.find(scope, key);
    if (value == nullptr) continue;
    std::string url = document.text(value);
    for (const char* scheme : {"file:///", "http://", "https://"}) {
      if (url.starts_with(scheme)) return url;
    }
    document.fail(value, concat('"', url, "\" is no URL of file:, http: or https:"));
  }
  return {};
}

}  // namespace

void merge_registries_d(LookasideConfig& config, const std::string& yaml, const std::string& file) {
  YamlDocument document(yaml, file);
  const yaml_node_t* const root = document.root();
  if (const yaml_node_t* const fallback = document.find(root, "default-docker")) {
    if (!config.fallback_file.empty())
      document.fail(fallback, concat("default-docker is in ", config.fallback_file, " already"));
    config.fallback_file = file;
    config.fallback = place_of(document, fallback);
  }
  document.for_each(document.find(root, "docker"), [&](const std::string& scope, const yaml_node_t* value) {
    const auto [known, is_new] = config.files.emplace(scope, file);
    if (!is_new)
      document.fail(value == nullptr ? root : value, concat(scope, " is in ", known->second, " already"));
    std::string place = place_of(document, value);
    if (!place.empty()) config.places[scope] = std::move(place);
  });
}

}  // namespace knarr::storage
