// SPDX-License-Identifier: Apache-2.0
// From the names of a profile to a program for this machine. Links libseccomp, for its tables of system call
// numbers.
#pragma once

#include <string>

#include "engine/seccomp/profile.h"
#include "engine/seccomp/program.h"
#include "engine/seccomp/rules.h"

namespace knarr::engine::seccomp {

// As libseccomp calls it; "x86_64".
std::string native_architecture();
// Whether libseccomp knows it.
bool is_architecture(const std::string& name);

// Names that no enabled architecture has are left out: a profile serves many machines and kernels.
//
// Where one call serves many (socketcall(2), ipc(2)), a rule for "connect" holds for that way to connect as
// well. The other arguments then lie in memory, out of a filter's sight: a rule with conditions that allows
// is not applied there, one that denies is applied without its conditions.
//
// Throws InvalidArgument for an unknown architecture and for a program that is too long.
Program compile(const Profile& profile, const Target& target);

}  // namespace knarr::engine::seccomp
