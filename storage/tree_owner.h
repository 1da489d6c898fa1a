// SPDX-License-Identifier: Apache-2.0
// Giving a whole tree to somebody.
#pragma once

#include <sys/types.h>

namespace knarr::storage {

// Changes the owner of what an open file or directory (O_PATH will do) is and of all below it. Links change
// their owner and are never followed, other file systems that are mounted in it are left alone, and so is
// what has the owner already. Set-id bits go where the owner changes (chown(2)). Run inside R.
void give_tree(int fd, uid_t uid, gid_t gid);

}  // namespace knarr::storage
