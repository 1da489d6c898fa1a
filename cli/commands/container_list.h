// SPDX-License-Identifier: Apache-2.0
// Containers as `ps` sees them: one line of summary each, and whether they run. No JSON is read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/record.h"

namespace knarr::cli {

struct ListedContainer {
  engine::Summary summary;
  std::int64_t created_ns = 0;
  engine::ContainerStatus status;
};

// In no order. Records that vanish or cannot be read meanwhile are left out.
std::vector<ListedContainer> list_containers(const engine::Engine& engine);
// Only those that run: looks at no other, however many there are.
std::vector<ListedContainer> list_running(const engine::Engine& engine);
// The same as list_containers() without asking whether they run.
std::vector<ListedContainer> list_summaries(const engine::Engine& engine);

// nullopt when the container is gone.
std::optional<engine::Summary> find_summary(const engine::Engine& engine, const std::string& id);

// "Up 3 seconds", "Exited (0) 2 minutes ago", "Created".
std::string describe_status(const engine::ContainerStatus& status, std::int64_t now_ns);

// Sorts by one of container_sort_keys, "created" by time: oldest first.
constexpr std::string_view container_sort_keys = "command created id image names runningfor status";
void sort_containers(std::vector<ListedContainer>& containers, std::string_view key);

}  // namespace knarr::cli
