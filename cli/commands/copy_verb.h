// SPDX-License-Identifier: Apache-2.0
// `cp` lives in two programs: knarr copies files, knarr-store tar streams. What they share.
#pragma once

#include "cli/verb.h"
#include "engine/copy.h"

namespace knarr::cli {

inline constexpr auto copy_flags = std::to_array<Flag>({
    toggle("archive", 'a', "Give what is copied into a container to its user; otherwise it keeps its owner")
        .with_default("true"),
    toggle("follow-link", 'L', "Accepted for docker's sake: a link given as the source is always followed")
        .unlisted(),
    toggle("overwrite", 0, "Let files and directories replace each other"),
    toggle("quiet", 'q', "Accepted for docker's sake, without effect").unlisted(),
});
static_assert(is_well_formed(copy_flags));

inline constexpr Verb copy_description = {
    .paths = {"cp", "container cp"},
    .usage = "[options] [CONTAINER:]SOURCE [CONTAINER:]DESTINATION",
    .summary = "Copy files between a container and the host",
    .description =
        "With - as SOURCE a tar, compressed or not, is read from standard input and unpacked into the "
        "directory\nDESTINATION; with - as DESTINATION a tar of SOURCE is written to standard output.",
    .examples = "cp web:/etc/hosts .\ncp ./site/. web:/srv\ncp web:/var/log - > log.tar",
    .flags = copy_flags,
    .min_arguments = 2,
    .max_arguments = 2,
    .completion = Completion::container_then_files,
};

struct CopyRequest {
  engine::CopyEnd source, destination;
  engine::CopyOptions options;
};
// Throws UsageError unless one end at least is in a container.
CopyRequest parse_copy(const engine::Engine& engine, const Arguments& arguments);

// "-" is a tar stream, and for knarr-store to do.
bool is_stream(const engine::CopyEnd& end);

// With the code of knarr-store; that of knarr is in verbs.h.
extern const Verb copy_stream_verb;

}  // namespace knarr::cli
