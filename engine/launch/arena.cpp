// SPDX-License-Identifier: Apache-2.0
#include "engine/launch/arena.h"

#include <sys/mman.h>

#include <new>

#include "rootless/sys/error.h"

namespace knarr::engine {

Arena::Arena(std::size_t capacity) : capacity_(capacity) {
  void* region =
      ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (region == MAP_FAILED) throw_errno("reserving ", capacity, " bytes for a launch plan");
  base_ = static_cast<char*>(region);
}

Arena::~Arena() {
  ::munmap(base_, capacity_);
}

const char* Arena::text(std::string_view string) {
  char* copy = static_cast<char*>(allocate(string.size() + 1, 1));
  std::memcpy(copy, string.data(), string.size());
  copy[string.size()] = '\0';
  return copy;
}

const char** Arena::text_array(const std::vector<std::string>& strings, std::size_t spare) {
  const char** pointers = make_array<const char*>(strings.size() + spare + 1);
  for (std::size_t i = 0; i < strings.size(); ++i) pointers[i] = text(strings[i]);
  return pointers;
}

void* Arena::allocate(std::size_t size, std::size_t alignment) {
  const std::size_t start = (used_ + alignment - 1) / alignment * alignment;
  if (size > capacity_ || start > capacity_ - size)
    throw Error("launch plan too large: more than 16 MiB of arguments, environment and mounts");
  used_ = start + size;
  return base_ + start;
}

}  // namespace knarr::engine
