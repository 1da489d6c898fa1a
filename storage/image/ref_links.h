// SPDX-License-Identifier: Apache-2.0
// The links in refs/: full names, each pointing at what it means.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/reference.h"
#include "storage/store.h"

namespace knarr::storage {

// Below the root of the store. A digest says more than a tag, so the tag of "x:1@sha256:..." is dropped.
// Throws InvalidArgument for a name that is too long for a file.
std::string ref_path(Reference name);
// Whatever it pointed at before; at no instant is it missing.
void point_ref_at(const Store& store, const std::string& path, const std::string& target);
// A name of a manifest list points there.
constexpr std::string_view list_link_prefix = "../lists/";
// The id of the list a name means; nullopt when it means none.
std::optional<std::string> read_list_ref(const Store& store, const std::string& path);
void sync_refs(const Store& store);

}  // namespace knarr::storage
