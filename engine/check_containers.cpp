// SPDX-License-Identifier: Apache-2.0
#include "engine/check_containers.h"

#include <fcntl.h>

#include <algorithm>

#include "engine/lifecycle.h"
#include "engine/monitor/record_files.h"
#include "engine/record.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

using storage::Finding;
using Names = std::map<std::string, std::string>;  // name to id

// Looks at one container. Its findings' repairs keep no reference to this.
class ContainerCheck {
 public:
  ContainerCheck(const Engine& engine, std::string id, const Names& names, bool was_running)
      : engine_(engine),
        id_(std::move(id)),
        names_(names),
        was_running_(was_running),
        path_(engine.containers().relative_path(id_)) {}

  std::vector<Finding> run() {
    if (!read_config()) return std::move(findings_);
    if (engine_.containers().has_cut_rename(id_)) {
      report_cut_rename();
    } else {
      check_summary();
      check_name();
    }
    check_directories();
    check_image();
    check_volumes();
    return std::move(findings_);
  }

 private:
  std::string label() const {
    const std::string short_id = id_.substr(0, 12);
    for (const auto& [name, id] : names_) {
      if (id == id_) return concat("container ", name, " (", short_id, ')');
    }
    return concat("container ", short_id);
  }

  void report(std::string problem, std::function<void()> repair, std::string repaired,
              std::string cure = {}) {
    findings_.push_back({.object = label(),
                         .problem = std::move(problem),
                         .cure = std::move(cure),
                         .repair = std::move(repair),
                         .repaired = std::move(repaired)});
  }

  // Only its removal helps.
  void report_lost(std::string problem, std::string cure) {
    report(
        std::move(problem),
        [&engine = engine_, id = id_] {
          remove(engine, id, {.force = true, .timeout_seconds = std::nullopt});
        },
        "the container is removed", std::move(cure));
    findings_.back().costs_container = true;
  }

  bool read_config() {
    try {
      config_ = parse_config(sys::read_file(engine_.store().fd(), path_ + "/config.json"));
      if (config_.id == id_) return true;
      report_lost(concat("its config.json is that of container ", config_.id), "knarr rm -f " + id_);
    } catch (const Error& error) {
      report_lost(concat("its config.json cannot be read: ", error.message()), "knarr rm -f " + id_);
    }
    return false;
  }

  // Killed in the middle of it, the container has two names, or the old one in its summary.
  void report_cut_rename() {
    report(
        "its renaming was cut short",
        [&engine = engine_, config = config_] {
          write_summary(engine, config);
          engine.containers().end_rename(config.id, config.name);
        },
        concat("it is called ", config_.name));
    findings_.back().kind = Finding::Kind::garbage;
  }

  static void write_summary(const Engine& engine, const ContainerConfig& config) {
    const std::string path = engine.containers().relative_path(config.id) + "/summary";
    const auto found = sys::stat_at(engine.store().fd(), path, AT_SYMLINK_NOFOLLOW);
    if (found && !S_ISREG(found->st_mode)) engine.store().move_to_trash(path);
    monitor::replace_summary(engine.containers().path(config.id).c_str(), render_summary(summarize(config)));
    engine.containers().make_durable(config.id);
  }

  void check_summary() {
    std::string text;
    try {
      text = sys::read_file(engine_.store().fd(), path_ + "/summary");
    } catch (const Error&) {
      // As bad as an empty one.
    }
    const auto summary = parse_summary(text);
    if (summary && *summary == summarize(config_)) return check_status(status_line(text));
    report(
        "its summary is not that of its config.json",
        [&engine = engine_, config = config_] { write_summary(engine, config); }, "made again");
  }

  void check_status(std::string_view line) {
    if (line.empty() || parse_status(line)) return;
    report(
        "its status cannot be read",
        [&engine = engine_, id = id_] {
          monitor::update_status(engine.containers().path(id).c_str(), [](StatusRecord&) {});
        },
        "it counts as never started");
  }

  void check_directories() {
    for (const auto& [name, mode] : {std::pair("upper", mode_t{0755}), std::pair("work", mode_t{0700})}) {
      const std::string path = concat(path_, '/', name);
      const auto info = sys::stat_at(engine_.store().fd(), path, AT_SYMLINK_NOFOLLOW);
      if (info && S_ISDIR(info->st_mode)) continue;
      report(
          concat("its directory ", name, " is missing"),
          [&engine = engine_, path, mode = mode] {
            engine.store().move_to_trash(path);
            sys::make_directory(engine.store().fd(), path, mode);
          },
          "made again, empty");
    }
  }

  void check_name() {
    const auto owner = names_.find(config_.name);
    if (owner != names_.end() && owner->second == id_) {
      check_other_names();
    } else if (owner == names_.end()) {
      // Its monitor removes it without the lock, the name first.
      if (was_running_ && config_.auto_remove) return;
      report(
          concat("its name ", config_.name, " is missing"),
          [&engine = engine_, id = id_, name = config_.name] { engine.containers().give_name(id, name); },
          "it has its name again");
    } else {
      report(concat("its name ", config_.name, " belongs to another container"), {}, {},
             concat("knarr rename ", id_, " NEW-NAME"));
    }
  }

  void check_other_names() {
    for (const auto& [name, id] : names_) {
      if (id != id_ || name == config_.name) continue;
      report(
          concat("it has a second name, ", name),
          [&engine = engine_, id = id_, name = name] { engine.containers().take_name(id, name); },
          concat("the name ", name, " is free"));
    }
  }

  void check_image() {
    if (config_.image_id.empty()) return;
    const std::string record = concat("images/", config_.image_id, ".json");
    if (sys::stat_at(engine_.store().fd(), record, AT_SYMLINK_NOFOLLOW)) return;
    report_lost(concat("its image ", config_.image_name, " (", config_.image_id.substr(0, 12), ") is gone"),
                concat("get the image again (knarr pull ", config_.image_name, "), or knarr rm ", id_));
  }

  void check_volumes() {
    for (const MountRequest& mount : config_.mounts) {
      if (mount.type != MountRequest::Type::volume || engine_.volumes().has_volume(mount.source)) continue;
      report(concat("its volume ", mount.source, " is gone"), {}, {}, "knarr volume create " + mount.source);
    }
  }

  const Engine& engine_;
  const std::string id_;
  const Names& names_;
  const bool was_running_;
  const std::string path_;
  ContainerConfig config_;
  std::vector<Finding> findings_;
};

void check_names(const Engine& engine, const Names& names, std::vector<Finding>& findings) {
  for (const auto& [name, id] : names) {
    const bool leads_somewhere =
        !id.empty() &&
        sys::stat_at(engine.store().fd(), engine.containers().relative_path(id), AT_SYMLINK_NOFOLLOW);
    // Removal takes the name first.
    if (leads_somewhere || (!id.empty() && engine.containers().find_id(name) != id)) continue;
    findings.push_back(
        {.object = concat("container name ", name),
         .problem = id.empty() ? "it is no link to a container" : concat("its container ", id, " is gone"),
         .repair = [&engine, name = name, id = id] { engine.containers().take_name(id, name); },
         .repaired = "the name is free"});
  }
}

// Cut short while it was made or removed; who does either holds the container's lock.
Finding half_made(const Engine& engine, const std::string& id) {
  return {.kind = Finding::Kind::garbage,
          .object = concat("container ", id.substr(0, 12)),
          .problem = "it was never finished, or is half removed",
          .cure = "knarr system prune",
          .repair = [&engine, id] { engine.containers().remove_garbage(id); },
          .repaired = "removed"};
}

std::optional<sys::Lock> try_lock(const Engine& engine, const std::string& id) {
  try {
    return sys::Lock::try_acquire(engine.store().fd(), engine.containers().relative_path(id),
                                  sys::Lock::Mode::exclusive);
  } catch (const Error&) {
    return std::nullopt;  // gone
  }
}

// A container that some command is just making, starting or removing has nothing to say.
std::vector<Finding> check_container(const Engine& engine, const std::string& id, const Names& names) {
  const bool was_running = engine.is_running(id);
  const auto lock = try_lock(engine, id);
  if (!lock && !was_running) return {};
  if (ContainerCheck(engine, id, names, was_running).run().empty()) return {};
  // Names may have changed since they were listed.
  const Names now = engine.containers().names();
  std::vector<Finding> findings = ContainerCheck(engine, id, now, was_running).run();
  // What ran may have ended and be gone by now.
  if (!sys::stat_at(engine.store().fd(), engine.containers().relative_path(id), AT_SYMLINK_NOFOLLOW))
    return {};
  if (!lock && !engine.is_running(id)) return {};
  return findings;
}

}  // namespace

std::vector<Finding> check_containers(const Engine& engine) {
  std::vector<Finding> findings;
  const Names names = engine.containers().names();
  check_names(engine, names, findings);
  const std::vector<std::string> garbage = engine.containers().find_garbage();
  for (const std::string& id : garbage) findings.push_back(half_made(engine, id));
  for (const std::string& id : sys::list_directory(engine.store().fd(), "containers")) {
    if (std::find(garbage.begin(), garbage.end(), id) != garbage.end()) continue;
    for (Finding& finding : check_container(engine, id, names)) findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace knarr::engine
