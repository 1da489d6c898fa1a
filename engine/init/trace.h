// SPDX-License-Identifier: Apache-2.0
// Time stamps of a launch. Command, monitor and init write them side by side into one region that all three
// share (launch/arena.h); the names are string literals, at the same address in all of them. Without a trace
// a mark costs one comparison, with one no system call (vdso(7)).
#pragma once

#include <time.h>

#include <cstdint>

namespace knarr::engine::init {

struct Trace {
  struct Mark {
    std::int64_t ns = 0;  // CLOCK_MONOTONIC
    const char* who = nullptr;
    const char* what = nullptr;   // what has just been done
    std::int64_t operation = -1;  // of Plan::operations; -1: none
  };
  static constexpr std::uint32_t capacity = 256;
  std::uint32_t count = 0;  // of marks asked for, which may be more than there is room for
  Mark marks[capacity] = {};
};

inline void mark(Trace* trace, const char* who, const char* what, std::int64_t operation = -1) {
  if (trace == nullptr) return;
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::uint32_t index = __atomic_fetch_add(&trace->count, 1u, __ATOMIC_RELAXED);
  if (index >= Trace::capacity) return;
  trace->marks[index] = {std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec, who, what, operation};
}

}  // namespace knarr::engine::init
