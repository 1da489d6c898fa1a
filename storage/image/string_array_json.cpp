// SPDX-License-Identifier: Apache-2.0
#include "storage/image/string_array_json.h"

#include "rootless/sys/error.h"
#include "storage/meta/json_reader.h"

namespace knarr::storage {

std::optional<std::vector<std::string>> parse_string_array(std::string_view text) {
  if (!text.starts_with('[')) return std::nullopt;
  try {
    const Json array = parse_json(text, "array");
    return JsonReader(array, "array").as_strings();
  } catch (const InvalidArgument&) {
    return std::nullopt;
  }
}

}  // namespace knarr::storage
