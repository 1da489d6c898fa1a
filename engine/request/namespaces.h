// SPDX-License-Identifier: Apache-2.0
// Namespace modes: what NamespaceModes' strings mean. All pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/request.h"
#include "rootless/id_map.h"

namespace knarr::engine {

struct NamespaceMode {
  enum class Kind {
    own,        // "private", "shareable", "none": a new namespace
    host,       // that of the caller
    container,  // argument: the other container
    path        // argument: a namespace file
  };
  Kind kind = Kind::own;
  std::string argument;
};
NamespaceMode parse_namespace_mode(std::string_view text);

// Whether a mode is "container:NAME" or "ns:PATH", which are the same for all types; checked, and the path
// made absolute.
bool is_checked_reference(const CreateRequest& request, std::string_view flag, std::string& mode);

struct UserNamespaceMode {
  enum class Kind {
    host,       // the user's own map; rootless that is a nested namespace with the ids of R
    own,        // the same ids, in a namespace of its own even for root
    keep_id,    // the user's ids are the same inside
    no_map,     // the user's ids do not exist inside
    automatic,  // ids no other container has
    container,
    path
  };
  Kind kind = Kind::host;
  std::string argument;
  std::optional<std::uint32_t> uid, gid, size;  // keep_id; automatic: size alone
  rootless::IdMap uid_mapping, gid_mapping;     // automatic: extents the user chose, inside → R
};
// Throws InvalidArgument for what is no mode.
UserNamespaceMode parse_user_namespace_mode(std::string_view text);

// Checks each mode and fills in the defaults.
NamespaceModes plan_namespace_modes(const CreateRequest& request, const rootless::HostFacts& host);

}  // namespace knarr::engine
