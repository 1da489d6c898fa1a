// SPDX-License-Identifier: Apache-2.0
#include "engine/network/network.h"

#include "engine/request/values.h"
#include "storage/meta/object_name.h"

namespace knarr::engine {

bool is_interface_name(std::string_view name) {
  return name.size() < netns::interface_name_size && storage::is_object_name(name);
}

const std::string* find_option(const Network& network, const std::string& name) {
  const auto found = network.options.find(name);
  return found == network.options.end() ? nullptr : &found->second;
}

netns::Isolation isolation_of(const Network& network) {
  const std::string* const value = find_option(network, "isolate");
  if (value == nullptr) return netns::Isolation::isolated;
  if (*value == "strict") return netns::Isolation::strict;
  return parse_bool(*value).value_or(true) ? netns::Isolation::isolated : netns::Isolation::none;
}

}  // namespace knarr::engine
