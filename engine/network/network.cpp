// SPDX-License-Identifier: Apache-2.0
#include "engine/network/network.h"

#include "netns/network_plan.h"
#include "storage/meta/object_name.h"

namespace knarr::engine {

bool is_interface_name(std::string_view name) {
  return name.size() < netns::interface_name_size && storage::is_object_name(name);
}

const std::string* find_option(const Network& network, const std::string& name) {
  const auto found = network.options.find(name);
  return found == network.options.end() ? nullptr : &found->second;
}

}  // namespace knarr::engine
