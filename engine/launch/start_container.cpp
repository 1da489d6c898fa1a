// SPDX-License-Identifier: Apache-2.0
#include "engine/launch/start_container.h"

#include <map>

#include "engine/etc_files.h"
#include "engine/images.h"
#include "engine/live_container.h"
#include "engine/rootfs.h"
#include "engine/seccomp/filter.h"
#include "engine/spec/spec.h"
#include "engine/volumes.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

// The processes behind the container:ID modes; each must run.
std::map<std::string, LivePids> find_joined_containers(const Engine& engine, const NamespaceModes& modes) {
  constexpr std::string_view prefix = "container:";
  std::map<std::string, LivePids> joined;
  for (const std::string* mode :
       {&modes.user, &modes.pid, &modes.ipc, &modes.uts, &modes.cgroup, &modes.network}) {
    if (!mode->starts_with(prefix)) continue;
    const std::string id = engine.containers().get_id(mode->substr(prefix.size()));
    const ContainerStatus status = engine.status(id);
    if (status.state != State::running) {
      throw Conflict(
          concat("cannot join the namespaces of container ", id.substr(0, 12), ": it is not running"));
    }
    joined[id] = {status.monitor, joinable_process(status.init)};
  }
  return joined;
}

// The trees behind mounts of type image, topmost first.
std::map<std::string, std::vector<std::string>> find_mounted_images(const Engine& engine,
                                                                    const ContainerConfig& config) {
  std::map<std::string, std::vector<std::string>> trees;
  for (const MountRequest& mount : config.mounts) {
    if (mount.type != MountRequest::Type::image) continue;
    const auto image = find_image_record(engine, mount.source);
    if (!image) throw NotFound(concat(mount.source, ": image not known"));
    trees[mount.source] = image_trees(engine, image->id, image->store);
  }
  return trees;
}

monitor::LogDriver log_driver(const std::string& name) {
  if (name == "none") return monitor::LogDriver::none;
  return name == "json-file" ? monitor::LogDriver::json_file : monitor::LogDriver::k8s_file;
}

const char* text_or_null(Arena& arena, const std::string& text) {
  return text.empty() ? nullptr : arena.text(text);
}

monitor::Plan plan_monitor(const Engine& engine, const ContainerConfig& config, const StartMode& mode,
                           Arena& arena) {
  monitor::Plan plan;
  const std::string directory = engine.containers().path(config.id);
  plan.container_id = arena.text(config.id);
  plan.container_name = arena.text(config.name);
  plan.run_directory = arena.text(engine.run_directory(config.id));
  plan.container_directory = arena.text(directory);
  plan.store_root = arena.text(engine.store().root());
  plan.terminal = config.terminal;
  plan.keep_stdin_open = config.interactive;
  plan.stdin_once = config.interactive && mode.input_attached;
  plan.log_driver = log_driver(config.log.driver);
  plan.log_path = arena.text(config.log.path.empty() ? directory + "/ctr.log" : config.log.path);
  plan.log_max_size = config.log.max_size;
  plan.log_max_files = config.log.max_files;
  plan.log_tag = text_or_null(arena, config.log.tag);
  plan.remove_on_exit = config.auto_remove;
  plan.anonymous_volumes = arena.text_array(anonymous_volumes(config));
  plan.cid_file = text_or_null(arena, config.cid_file);
  plan.pid_file = text_or_null(arena, config.pid_file);
  plan.monitor_pid_file = text_or_null(arena, config.monitor_pid_file);
  plan.timeout_seconds = config.timeout;
  plan.make_record_durable = mode.make_durable;
  return plan;
}

}  // namespace

Launched start_container(const Engine& engine, const ContainerConfig& stored, Launcher& launcher,
                         StartMode mode) {
  require_own_tmpfs(engine, stored);
  const ContainerConfig config = resolve_volumes(engine, stored);
  Arena& arena = launcher.arena();
  const std::string run_directory = engine.run_directory(config.id);
  NetworkStart network(engine, config, launcher.monitor(), std::move(mode.held_ports));
  write_etc_files(config, run_directory, network.names());
  network.write_record();
  launcher.done("wrote /etc files");

  Spec spec = build_spec({.config = config,
                          .host = engine.host(),
                          .root = plan_rootfs(engine, config),
                          .run_directory = run_directory,
                          .volumes_directory = engine.store().path("volumes"),
                          .containers = find_joined_containers(engine, config.namespaces),
                          .container_directory = engine.containers().path(config.id),
                          .image_layers = find_mounted_images(engine, config),
                          .facts = gather_spec_facts(config, engine.host())});
  launcher.done("built the spec");
  prepare_rootfs(engine, config, spec.root);
  prepare_volumes(engine, stored, spec.root);
  give_volumes(engine, config, spec.root);
  prepare_mounts(engine.store(), spec);

  monitor::Plan plan = plan_monitor(engine, config, mode, arena);
  InitPlanWords words;
  plan.namespaces = plan_namespaces(spec, engine.host(), arena);
  plan.init = plan_init(spec, engine.host(), engine.store().path("mnt"), load_filter(engine, spec, arena),
                        arena, words);
  plan.network = network.lay_out(arena);
  Launched launched = launcher.launch(engine, plan, words, network.descriptors());
  network.succeeded();
  return launched;
}

}  // namespace knarr::engine
