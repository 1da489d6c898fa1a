// SPDX-License-Identifier: Apache-2.0
// The keys that leave an attached container running, "ctrl-p,ctrl-q".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::engine {

constexpr const char* default_detach_keys = "ctrl-p,ctrl-q";

// Comma-separated: a single character, or ctrl- and one of a-z @ [ \ ] ^ _. The bytes that a terminal in raw
// mode sends for them; empty text disables. Throws InvalidArgument that names the key.
std::string parse_detach_keys(std::string_view text);

// Looks for the sequence in what is typed. The bytes of a sequence that has begun are held back: they belong
// to the container only when it is not completed.
class DetachScanner {
 public:
  explicit DetachScanner(std::string sequence);

  // Appends to `out` what is for the container; true when the sequence is complete (what follows it is
  // dropped).
  bool scan(std::string_view typed, std::string& out);
  bool enabled() const { return !sequence_.empty(); }

 private:
  std::string sequence_;
  std::vector<std::size_t> fallback_;  // of each prefix: its longest proper prefix that is also its suffix
  std::size_t matched_ = 0;
};

}  // namespace knarr::engine
