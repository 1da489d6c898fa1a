// SPDX-License-Identifier: Apache-2.0
// System call numbers and verdicts as a classic BPF program (seccomp(2), linux/filter.h). Pure.
//
// The numbers become a search tree, so a call costs some eight comparisons; the kernel runs it once per
// number at load anyway and remembers the calls that are always allowed.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <map>
#include <vector>

#include "engine/seccomp/profile.h"

namespace knarr::engine::seccomp {

using Program = std::vector<sock_filter>;
using Verdict = std::uint32_t;  // SECCOMP_RET_*, with its data

struct Case {
  std::vector<Argument> arguments;  // all must match; none: always
  Verdict verdict = 0;
  bool operator==(const Case&) const = default;
};
using Cases = std::vector<Case>;  // the first that matches counts

// Calls by number, for one value of seccomp_data.arch. x32 is no value of its own: its numbers have bit 30.
constexpr std::uint32_t no_end = ~std::uint32_t{0};  // but -1: what a tracer leaves of a call it skips

struct CallTable {
  std::uint32_t arch = 0;  // AUDIT_ARCH_*
  std::map<std::uint32_t, Cases> calls;
  // Numbers from here on are no calls of this architecture and never will be: ENOSYS, whatever the default.
  std::uint32_t end = no_end;
};

// A call of an architecture without a table kills the process. Throws InvalidArgument when the program is
// longer than the kernel takes (4096 instructions).
Program assemble(const std::vector<CallTable>& tables, Verdict default_verdict);

}  // namespace knarr::engine::seccomp
