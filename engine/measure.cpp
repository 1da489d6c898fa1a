// SPDX-License-Identifier: Apache-2.0
#include "engine/measure.h"

#include <charconv>

#include "engine/in_r.h"
#include "rootless/sys/error.h"
#include "storage/tree_usage.h"

namespace knarr::engine {

std::vector<std::uint64_t> measure_in_store(const Engine& engine, const std::vector<std::string>& paths) {
  std::vector<std::uint64_t> sizes(paths.size());
  if (paths.empty()) return sizes;
  const std::string text = read_in_r(engine, [&] {
    std::string lines;
    for (const std::string& path : paths)
      lines += concat(storage::measure_path(engine.store().fd(), path), '\n');
    return lines;
  });
  const char* at = text.data();
  for (std::uint64_t& size : sizes) at = std::from_chars(at, text.data() + text.size(), size).ptr + 1;
  return sizes;
}

}  // namespace knarr::engine
