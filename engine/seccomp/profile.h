// SPDX-License-Identifier: Apache-2.0
// A seccomp profile: which system calls a container may make, by name, before anything is known of the
// machine. Data only; select_rules() in rules.h decides what of it applies, compile.h turns that into a
// program.
#pragma once

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "rootless/capability.h"

namespace knarr::engine::seccomp {

enum class Action { allow, error, trap, trace, log, kill_thread, kill_process };

enum class Comparison {
  not_equal,
  less,
  less_equal,
  equal,
  greater_equal,
  greater,
  masked_equal  // (argument & mask) == value
};

// A condition on one of the six arguments, compared as the unsigned 64-bit register the kernel shows. A
// system call that takes an int drops the upper half of it: only masked_equal with a mask of 32 bits sees
// what the call will see.
struct Argument {
  unsigned index = 0;
  Comparison comparison = Comparison::equal;
  std::uint64_t value = 0;
  std::uint64_t mask = 0;  // of masked_equal only
  bool operator==(const Argument&) const = default;
};

struct KernelVersion {
  unsigned major = 0, minor = 0;
  auto operator<=>(const KernelVersion&) const = default;
};

// What a rule depends on besides the call. Nothing set: nothing to depend on.
struct Circumstances {
  rootless::CapabilitySet capabilities = 0;
  std::vector<std::string> machines;  // of the native architecture: "amd64", "arm64", "s390x", ...
  KernelVersion min_kernel;
};

struct Rule {
  std::vector<std::string> names;
  Action action = Action::allow;
  int error = EPERM;                 // of Action::error; of Action::trace the number the tracer gets
  std::vector<Argument> arguments;   // all of them must match
  Circumstances includes, excludes;  // all of the one must hold, none of the other may
};

// The architectures that run on a native one: a filter that leaves one out kills its programs.
struct ArchitectureFamily {
  std::string native;                 // libseccomp's names: "x86_64", "aarch64"
  std::vector<std::string> siblings;  // "x86", "x32"
};

// Of the rules for a call the first that matches counts.
struct Profile {
  Action default_action = Action::error;
  int default_error = EPERM;
  std::vector<ArchitectureFamily> families;  // a native architecture that is not here has no siblings
  std::vector<std::string> architectures;    // besides the native one, whatever it is
  std::vector<Rule> rules;
};

// What a container gets that asks for nothing else.
Profile default_profile();

}  // namespace knarr::engine::seccomp
