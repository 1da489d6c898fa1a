// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/volume_view.h"

#include <algorithm>
#include <functional>

#include "cli/commands/filter.h"
#include "cli/flags.h"
#include "cli/log.h"
#include "cli/quote.h"
#include "cli/text.h"
#include "engine/lifecycle.h"
#include "engine/record.h"
#include "engine/time_format.h"
#include "engine/trash.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

using templates::Value;
using Test = std::function<bool(const storage::Volume&)>;

constexpr std::string_view known_filters = "after dangling driver label label! name opt scope since until";

std::int64_t created_ns(const storage::Volume& volume) {
  return engine::parse_rfc3339(volume.created).value_or(0);
}

Test match_dangling(const engine::Engine& engine, const std::string& value) {
  const auto wanted = parse_boolean(value);
  if (!wanted) throw InvalidArgument(concat("invalid value ", quote_go(value), " for filter dangling"));
  return [users = containers_by_volume(engine), wanted = *wanted](const storage::Volume& volume) {
    return users.contains(volume.name) != wanted;
  };
}

Test make_test(const engine::Engine& engine, const std::string& name, const std::string& value) {
  if (name == "dangling") return match_dangling(engine, value);
  if (name == "driver") return [value](const storage::Volume& volume) { return volume.driver == value; };
  if (name == "scope") return [value](const storage::Volume&) { return value == "local"; };
  if (name == "opt")
    return [value](const storage::Volume& volume) { return has_label(volume.options, value); };
  if (name == "name") {
    return [pattern = std::make_shared<Pattern>(value)](const storage::Volume& volume) {
      return pattern->matches(volume.name);
    };
  }
  if (name == "label" || name == "label!") {
    return [value, wanted = name == "label"](const storage::Volume& volume) {
      return has_label(volume.labels, value) == wanted;
    };
  }
  if (name == "until") {
    return [time = parse_filter_time(value)](const storage::Volume& volume) {
      return created_ns(volume) < time;
    };
  }
  const std::int64_t time = created_ns(engine.volumes().get_volume(value));
  return [time](const storage::Volume& volume) { return created_ns(volume) > time; };
}

std::vector<std::string> volumes_of(const engine::Engine& engine, const std::string& container_id) {
  std::vector<std::string> names;
  try {
    for (const engine::MountRequest& mount : engine.load_config(container_id).mounts) {
      if (mount.type == engine::MountRequest::Type::volume) names.push_back(mount.source);
    }
  } catch (const Error&) {
    // Removed meanwhile, so it uses nothing any more; or damaged, and then nobody knows
    // (find_unreadable_container).
  }
  return names;
}

}  // namespace

Value inspect_volume(const storage::Volume& volume) {
  return Value::structure("Volume")
      .set("Name", volume.name)
      .set("Driver", volume.driver)
      .set("Mountpoint", volume.mountpoint)
      .set("CreatedAt", Value::time(created_ns(volume)))
      .set("Labels", volume.labels)
      .set("Scope", "local")
      .set("Options", volume.options)
      .set("Anonymous", volume.anonymous)
      .set("MountCount", 0)
      .set("NeedsCopyUp", volume.needs_copy_up)
      .set("NeedsChown", volume.needs_copy_up)
      .set("LockNumber", 0);
}

std::map<std::string, std::vector<std::string>> containers_by_volume(const engine::Engine& engine) {
  std::map<std::string, std::vector<std::string>> containers;
  for (const engine::Summary& summary : engine.summaries()) {
    // Without mounts in the summary there is nothing to look up.
    if (summary.mounts.empty() && !summary.truncated) continue;
    for (const std::string& name : volumes_of(engine, summary.id)) containers[name].push_back(summary.id);
  }
  return containers;
}

std::vector<storage::Volume> list_healthy_volumes(const engine::Engine& engine) {
  return engine.volumes().list_volumes([](const Error& damage) { log_warning(damage.message()); });
}

std::optional<std::string> find_unreadable_container(const engine::Engine& engine) {
  for (const storage::ContainerEntry& entry : engine.containers().list()) {
    try {
      engine.load_config(entry.id);
    } catch (const NotFound&) {
      if (!entry.summary.empty()) return entry.id;  // else it is just being made or removed
    } catch (const Error&) {
      return entry.id;
    }
  }
  return std::nullopt;
}

std::vector<storage::Volume> filter_volumes(const engine::Engine& engine,
                                            std::vector<storage::Volume> volumes,
                                            const std::vector<std::string>& texts) {
  for (const auto& [name, values] : parse_filters(texts, known_filters)) {
    std::vector<Test> tests;
    for (const std::string& value : values) tests.push_back(make_test(engine, name, value));
    const bool all = name == "label" || name == "label!";
    std::erase_if(volumes, [&](const storage::Volume& volume) {
      const auto passes = [&](const Test& test) { return test(volume); };
      return all ? !std::all_of(tests.begin(), tests.end(), passes)
                 : std::none_of(tests.begin(), tests.end(), passes);
    });
  }
  return volumes;
}

void remove_volume(const engine::Engine& engine, const std::string& name, bool force,
                   std::optional<int> timeout_seconds) {
  // A damaged record must not keep a volume from being removed.
  if (!engine.volumes().has_volume(name)) throw NotFound(concat("no volume with name \"", name, "\" found"));
  if (force) {
    const auto by_volume = containers_by_volume(engine);
    if (const auto users = by_volume.find(name); users != by_volume.end()) {
      for (const std::string& id : users->second) {
        engine::remove(engine, id, {.force = true, .timeout_seconds = timeout_seconds});
      }
    }
  }
  {
    // Whoever makes a container holds this lock shared until its record names the volume.
    const auto references = engine.store().lock_gc(sys::Lock::Mode::exclusive);
    const auto by_volume = containers_by_volume(engine);
    if (const auto users = by_volume.find(name); users != by_volume.end()) {
      throw Conflict(concat("volume ", name, " is being used by the following container(s): ",
                            join(users->second, ", "), ": volume is being used"));
    }
    engine.volumes().remove_volume(name);
  }
  engine::empty_trash_in_background(engine);
}

}  // namespace knarr::cli
