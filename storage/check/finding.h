// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace knarr::storage {

// What a check of the store has found, in words, and what can be done about it.
struct Finding {
  enum class Kind : std::uint8_t {
    damage,   // something is missing or not what it should be
    garbage,  // nobody needs it: what a killed command left
    unproven  // nothing to do, but no proof either that it is whole
  };
  Kind kind = Kind::damage;
  std::string object;   // "layer sha256:..."
  std::string problem;  // "its tree is missing"
  // What the user has to do: after the repair, or instead of it when there is none.
  std::string cure = {};
  // Called under the exclusive gc lock, soon after the object was looked at. Empty: nothing can be done.
  std::function<void()> repair = {};
  std::string repaired = {};     // what that did: "moved to trash/"
  bool costs_container = false;  // the repair removes a container: only who insists wants that
  // What a pull of these images brings back when it is not there, below the store's root; empty: nothing.
  std::string path = {};
  std::vector<std::string> image_ids = {};
};

}  // namespace knarr::storage
