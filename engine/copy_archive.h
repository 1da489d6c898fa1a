// SPDX-License-Identifier: Apache-2.0
// `cp` between a container and a tar stream. Linked by knarr-store only: it has the archives.
#pragma once

#include "engine/copy.h"

namespace knarr::engine {

// Unpacks standard input, a tar that may be compressed, into a directory of the container. Like copy() the
// last thing the process does.
void copy_from_archive(const Engine& engine, const CopyEnd& destination, const CopyOptions& options);

// Writes what is at the path to standard output as a tar, with the owners that the container sees. A
// directory's own name is the first component of all names, unless the path ends with "/.".
void copy_to_archive(const Engine& engine, const CopyEnd& source);

}  // namespace knarr::engine
