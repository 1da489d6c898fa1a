// SPDX-License-Identifier: Apache-2.0
// Making the view of an additional store (storage/image/additional_store.h).
#pragma once

#include <string>
#include <vector>

#include "storage/image/additional_store.h"

namespace knarr::storage {

// Replaces the view by one of the store as it is now. Images that cannot be used as they are do not show in
// it; the result says why not. Must run inside R. Trees the last view had are not looked at again.
std::vector<std::string> make_view(const Store& store, const AdditionalStore& additional);

}  // namespace knarr::storage
