// SPDX-License-Identifier: Apache-2.0
#include "engine/monitor/protocol.h"

#include <algorithm>
#include <cstring>

namespace knarr::engine::monitor {

namespace {

template <std::size_t size>
void copy_text(char (&target)[size], const std::string& text) {
  const std::size_t length = std::min(text.size(), size - 1);
  std::memcpy(target, text.data(), length);
  target[length] = '\0';
}

}  // namespace

void tell(Told& told, const Error& error) {
  copy_text(told.error, error.message());
  copy_text(told.hint, error.hint());
}

}  // namespace knarr::engine::monitor
