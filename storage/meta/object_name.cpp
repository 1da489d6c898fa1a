// SPDX-License-Identifier: Apache-2.0
#include "storage/meta/object_name.h"

#include <algorithm>
#include <climits>

#include "rootless/sys/error.h"

namespace knarr::storage {

bool is_object_name(std::string_view name) {
  const auto is_alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return !name.empty() && name.size() <= NAME_MAX && is_alphanumeric(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

void require_object_name(std::string_view kind, std::string_view name) {
  if (is_object_name(name)) return;
  throw InvalidArgument(concat(kind, " name \"", name, "\": names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*",
                               name.size() > NAME_MAX ? " and be at most 255 characters" : ""));
}

}  // namespace knarr::storage
