// SPDX-License-Identifier: Apache-2.0
// Which containers a verb acts on: names, --all, --latest, --cidfile, --filter; and doing it to each.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/verb.h"
#include "engine/engine.h"

namespace knarr::cli {

inline constexpr Flag all_flag = toggle("all", 'a', "Act on all containers");
inline constexpr Flag latest_flag = toggle("latest", 'l', "Act on the container made last");
inline constexpr Flag cidfile_flag =
    array_flag("cidfile", 0, "FILE", "Read the container's ID from a file").completed_by(Completion::files);
inline constexpr Flag filter_flag =
    array_flag("filter", 'f', "NAME=VALUE", "Act on the containers that match");

struct Chosen {
  std::string name;  // as given; the id for --all, --latest and --filter
  std::string id;    // full; empty: there is no such container
};

struct Choice {
  bool ignore_missing = false;
  bool only_running = false;  // of those that --all and --filter choose
};

// Throws UsageError when the line names no container, or mixes ways to name them.
std::vector<Chosen> choose_containers(const engine::Engine& engine, const Arguments& arguments,
                                      const Choice& choice);

// Acts on each and prints what `act` returns, a line each (nothing for an empty text). A failure is printed
// and the others still get their turn. Returns 0, or the status of the last failure: `missing_status` for a
// container that does not exist, `conflict_status` for one in the wrong state, 125.
struct FailureStatus {
  int missing = 125;
  int conflict = 125;
};
int act_on_each(Output& out, const std::vector<Chosen>& containers,
                const std::function<std::string(const Chosen&)>& act, const FailureStatus& failures = {});

// The container's full id, from one name on the line or --latest.
std::string choose_one(const engine::Engine& engine, const Arguments& arguments);
// Without a name on the line.
std::string latest_container(const engine::Engine& engine);

}  // namespace knarr::cli
