// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/container_list.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <unordered_set>
#include <utility>

#include "engine/time_format.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::cli {

namespace {

ListedContainer make_listed(engine::Summary summary) {
  const std::int64_t created_ns = engine::parse_rfc3339(summary.created).value_or(0);
  return {.summary = std::move(summary), .created_ns = created_ns, .status = {}};
}

// Of a container that did not run a moment ago. nullopt when its record says that it was started since, or
// that its monitor was killed: then the engine has to look.
std::optional<engine::ContainerStatus> resting_status(const std::optional<engine::StatusRecord>& record) {
  if (!record) return engine::ContainerStatus{};
  if (record->started_ns == 0 || record->finished_ns < record->started_ns) return std::nullopt;
  return engine::ContainerStatus{.state = engine::State::exited,
                                 .started_ns = record->started_ns,
                                 .finished_ns = record->finished_ns,
                                 .exit_code = record->exit_code,
                                 .restarts = record->restarts,
                                 .stopped_by_user = record->stopped_by_user};
}

}  // namespace

std::vector<ListedContainer> list_summaries(const engine::Engine& engine) {
  std::vector<engine::Summary> summaries = engine.summaries();
  std::vector<ListedContainer> containers;
  containers.reserve(summaries.size());
  for (engine::Summary& summary : summaries) containers.push_back(make_listed(std::move(summary)));
  return containers;
}

std::vector<ListedContainer> list_running(const engine::Engine& engine) {
  std::vector<ListedContainer> containers;
  // What runs has a directory among those of running containers.
  for (const std::string& id : sys::list_directory(AT_FDCWD, engine.run_directory(""))) {
    engine::ContainerStatus status = engine.status(id);
    if (status.state != engine::State::running) continue;
    auto summary = find_summary(engine, id);
    if (!summary) continue;
    containers.push_back(make_listed(std::move(*summary)));
    containers.back().status = std::move(status);
  }
  return containers;
}

std::vector<ListedContainer> list_containers(const engine::Engine& engine) {
  // What runs has a directory among those of running containers: one look there instead of one a container.
  const std::vector<std::string> names = sys::list_directory(AT_FDCWD, engine.run_directory(""));
  const std::unordered_set<std::string_view> live(names.begin(), names.end());
  std::vector<ListedContainer> containers;
  engine.visit_records([&](engine::ContainerRecord record) {
    const std::string& id = record.summary.id;
    auto resting = live.contains(id) ? std::nullopt : resting_status(record.status);
    engine::ContainerStatus status = resting ? std::move(*resting) : engine.status(id);
    containers.push_back(make_listed(std::move(record.summary)));
    containers.back().status = std::move(status);
  });
  return containers;
}

std::optional<engine::Summary> find_summary(const engine::Engine& engine, const std::string& id) {
  const auto text = engine.containers().read_if_exists(id, "summary");
  return text ? engine::parse_summary(*text) : std::nullopt;
}

std::string describe_status(const engine::ContainerStatus& status, std::int64_t now_ns) {
  switch (status.state) {
    case engine::State::created:
      return "Created";
    case engine::State::running:
      return "Up " + engine::human_duration(now_ns - status.started_ns);
    case engine::State::exited: {
      const std::string exited = concat("Exited (", status.exit_code, ')');
      // Unknown when the monitor was killed.
      if (status.finished_ns < status.started_ns) return exited;
      return concat(exited, ' ', engine::human_duration(now_ns - status.finished_ns), " ago");
    }
    case engine::State::removing:
      return "Removing";
  }
  return "Unknown";
}

void sort_containers(std::vector<ListedContainer>& containers, std::string_view key) {
  // Containers are large: their places are sorted, and each is moved once.
  std::vector<std::uint32_t> order(containers.size());
  std::iota(order.begin(), order.end(), 0u);
  const auto sort_by = [&](auto value) {
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return value(containers[a]) < value(containers[b]);
    });
  };
  sort_by([](const ListedContainer& c) { return c.created_ns; });
  if (key == "command")
    sort_by([](const ListedContainer& c) -> const std::string& { return c.summary.command; });
  if (key == "id") sort_by([](const ListedContainer& c) -> const std::string& { return c.summary.id; });
  if (key == "image") sort_by([](const ListedContainer& c) -> const std::string& { return c.summary.image; });
  if (key == "names") sort_by([](const ListedContainer& c) -> const std::string& { return c.summary.name; });
  if (key == "runningfor") sort_by([](const ListedContainer& c) { return c.status.started_ns; });
  if (key == "status") sort_by([](const ListedContainer& c) { return engine::state_name(c.status.state); });
  // In place, cycle by cycle: a second vector would be as much memory once more.
  for (std::uint32_t first = 0; first < order.size(); ++first) {
    if (order[first] == first) continue;
    ListedContainer displaced = std::move(containers[first]);
    std::uint32_t place = first;
    while (order[place] != first) {
      const std::uint32_t from = std::exchange(order[place], place);
      containers[place] = std::move(containers[from]);
      place = from;
    }
    order[place] = place;
    containers[place] = std::move(displaced);
  }
}

}  // namespace knarr::cli
