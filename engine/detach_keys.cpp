// SPDX-License-Identifier: Apache-2.0
#include "engine/detach_keys.h"

#include <algorithm>
#include <utility>

#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

constexpr std::string_view control_prefix = "ctrl-";

// The byte of "a" or "ctrl-a", or -1.
int key_byte(std::string_view key) {
  if (key.size() == 1) return static_cast<unsigned char>(key[0]);
  if (!key.starts_with(control_prefix) || key.size() != control_prefix.size() + 1) return -1;
  const char letter = key.back();
  if (letter >= 'a' && letter <= 'z') return letter - 'a' + 1;
  // A terminal sends these as their ASCII code without its upper bits.
  return std::string_view("@[\\]^_").find(letter) == std::string_view::npos ? -1 : letter - '@';
}

}  // namespace

std::string parse_detach_keys(std::string_view text) {
  std::string sequence;
  if (text.empty()) return sequence;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string_view key = text.substr(at, end - at);
    const int byte = key_byte(key);
    if (byte < 0) {
      InvalidArgument error(concat("invalid detach keys \"", text, "\": no key is called \"", key, '"'));
      error.set_hint("a key is a single character, or ctrl- and one of a-z @ [ \\ ] ^ _");
      throw error;
    }
    sequence += static_cast<char>(byte);
    at = end + 1;
  }
  return sequence;
}

DetachScanner::DetachScanner(std::string sequence) : sequence_(std::move(sequence)), fallback_{0, 0} {
  std::size_t length = 0;
  for (std::size_t i = 1; i < sequence_.size(); ++i) {
    while (length > 0 && sequence_[i] != sequence_[length]) length = fallback_[length];
    if (sequence_[i] == sequence_[length]) ++length;
    fallback_.push_back(length);
  }
}

bool DetachScanner::scan(std::string_view typed, std::string& out) {
  if (!enabled()) {
    out += typed;
    return false;
  }
  for (const char byte : typed) {
    while (matched_ > 0 && byte != sequence_[matched_]) {
      const std::size_t still = fallback_[matched_];
      out.append(sequence_, 0, matched_ - still);
      matched_ = still;
    }
    if (byte != sequence_[matched_]) {
      out += byte;
    } else if (++matched_ == sequence_.size()) {
      return true;
    }
  }
  return false;
}

}  // namespace knarr::engine
