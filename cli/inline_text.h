// SPDX-License-Identifier: Apache-2.0
// Text for tables, held in the table itself. The program lies at another address each time it starts, so a
// table of pointers is written to before main(): a page fault and a copied page for every few dozen entries.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>

namespace knarr::cli {

template <std::size_t Capacity>
class InlineText {
 public:
  constexpr InlineText() = default;
  constexpr InlineText(std::string_view text) : size_(static_cast<std::uint8_t>(text.size())) {
    static_assert(Capacity <= UINT8_MAX);
    if (text.size() > Capacity) throw std::length_error("text longer than its place in the table");
    std::copy(text.begin(), text.end(), text_);
  }

  constexpr operator std::string_view() const { return {text_, size_}; }
  constexpr bool empty() const { return size_ == 0; }

  friend constexpr bool operator==(const InlineText& left, const InlineText& right) {
    return std::string_view(left) == std::string_view(right);
  }
  friend constexpr auto operator<=>(const InlineText& left, const InlineText& right) {
    return std::string_view(left) <=> std::string_view(right);
  }
  friend constexpr bool operator==(const InlineText& left, std::string_view right) {
    return std::string_view(left) == right;
  }

 private:
  char text_[Capacity]{};
  std::uint8_t size_ = 0;
};

}  // namespace knarr::cli
