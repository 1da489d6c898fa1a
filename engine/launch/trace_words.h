// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "engine/launch/launch_plan.h"

namespace knarr::engine {

// A line for each mark, in the order of time: "    2.104 ms  +0.031  init: mounting /proc". Those of the
// processes interleave; the difference is to the mark before of the same process.
void tell_trace(const init::Trace& trace, const InitPlanWords& words,
                const std::function<void(const std::string&)>& tell);

}  // namespace knarr::engine
