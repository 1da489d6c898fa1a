// SPDX-License-Identifier: Apache-2.0
// What `system check` prints.
#pragma once

#include <string>
#include <vector>

#include "storage/check/finding.h"

namespace knarr::cli {

// What became of a finding.
enum class Outcome : std::uint8_t {
  reported,  // no repair was asked for, or there is none
  repaired,
  needs_force,  // the repair would remove a container
  failed        // see `failure`
};

struct CheckedFinding {
  storage::Finding finding;
  Outcome outcome = Outcome::reported;
  std::string failure = {};
};

// The object, what is wrong, what was done, what the user has to do.
std::string render_finding(const CheckedFinding& checked);
// "2 damaged, 1 left behind; 1 repaired", or that all is well.
std::string render_verdict(const std::vector<CheckedFinding>& findings);
// 1 as long as damage remains, or something only the user can bring back; garbage is none.
int check_status(const std::vector<CheckedFinding>& findings);

}  // namespace knarr::cli
