// SPDX-License-Identifier: Apache-2.0
// One shared memory region for a launch: mapped before the monitor is forked and written by the command
// after, so a plan reaches monitor and init without being copied, and neither carries the command's heap.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/init/plan.h"

namespace knarr::engine {

class Arena {
 public:
  // Reserves address space (MAP_SHARED, anonymous); pages are used as they are written.
  explicit Arena(std::size_t capacity = 16u << 20);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  template <typename T>
  T* make(T value = {}) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (allocate(sizeof(T), alignof(T))) T(std::move(value));
  }
  template <typename T>
  T* make_array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* items = static_cast<T*>(allocate(sizeof(T) * count, alignof(T)));
    for (std::size_t i = 0; i < count; ++i) new (items + i) T{};
    return items;
  }
  template <typename T>
  init::Span<T> span(const std::vector<T>& items) {
    T* copy = make_array<T>(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) copy[i] = items[i];
    return {copy, static_cast<std::uint32_t>(items.size())};
  }
  const char* text(std::string_view string);  // a null-terminated copy
  // A null-terminated array of copies, with room for `spare` more pointers before the terminator's place.
  const char** text_array(const std::vector<std::string>& strings, std::size_t spare = 0);

 private:
  void* allocate(std::size_t size, std::size_t alignment);  // throws Error when the region is full
  char* base_;
  std::size_t capacity_;
  std::size_t used_ = 0;
};

}  // namespace knarr::engine
