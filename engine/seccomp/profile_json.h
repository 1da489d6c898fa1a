// SPDX-License-Identifier: Apache-2.0
// Profiles in files: linux.seccomp of the OCI runtime spec (config-linux.md), with what Docker and podman add
// to it (archMap, includes, excludes, errno by name).
#pragma once

#include <string_view>

#include "engine/seccomp/profile.h"

namespace knarr::engine::seccomp {

// Comments and unknown members are ignored. Several conditions on the same argument are alternatives, as they
// are for runc and crun: each condition of such a rule becomes a rule of its own.
//
// Throws InvalidArgument with the place of what is wrong ("profile.syscalls[3].action: ..."), Unsupported for
// what would be ignored otherwise: SCMP_ACT_NOTIFY, a listener, flags that change how a filter works.
Profile parse_profile(std::string_view text);

}  // namespace knarr::engine::seccomp
