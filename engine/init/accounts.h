// SPDX-License-Identifier: Apache-2.0
// Entries for users and groups that the image does not know.
#pragma once

#include "engine/init/plan.h"

namespace knarr::engine::init {

// Operation::Kind::user_entry and group_entry. An image without the file is left as it is, and so is a
// file that is not on the root's own mount (a volume's).
bool add_account(int root_fd, const Operation& operation);

}  // namespace knarr::engine::init
