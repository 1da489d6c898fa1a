// SPDX-License-Identifier: Apache-2.0
#include "engine/attached.h"
#include "engine/launch/launcher.h"
#include "engine/launch/start_container.h"
#include "engine/lifecycle.h"
#include "engine/live_container.h"
#include "engine/network/attach.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

// nullopt when it runs already. Under the container's lock, which is gone when this returns.
std::optional<Launched> launch_resting(const Engine& engine, const ContainerConfig& config,
                                       Launcher& launcher, const StartOptions& options, HeldPorts ports) {
  const auto lock = engine.containers().lock(config.id);
  if (engine.is_running(config.id)) return std::nullopt;
  end_orphaned_init(engine.run_directory(config.id));
  give_back_networks(engine, config.id);
  return with_context(concat("starting container \"", config.name, "\""), [&] {
    return start_container(
        engine, config, launcher,
        {.attached = options.attach, .input_attached = options.interactive, .held_ports = std::move(ports)});
  });
}

std::optional<int> start_with(const Engine& engine, const std::string& id, const StartOptions& options,
                              HeldPorts ports) {
  Launcher launcher = Launcher::begin(engine, options.attach);
  const ContainerConfig config = engine.load_config(id);
  std::optional<Launched> launched = launch_resting(engine, config, launcher, options, std::move(ports));
  repair(engine);
  if (!options.attach) return std::nullopt;
  if (!launched) {
    return attach(engine, id,
                  {.input = options.interactive,
                   .detach_keys = options.detach_keys,
                   .signal_proxy = options.signal_proxy});
  }
  return stay_attached(engine, config, std::move(launched->client),
                       {.streams = {.input = options.interactive && config.interactive},
                        .detach_keys = options.detach_keys,
                        .signal_proxy = options.signal_proxy});
}

}  // namespace

std::optional<int> start(const Engine& engine, const std::string& id, const StartOptions& options) {
  return start_with(engine, id, options, {});
}

void restart(const Engine& engine, const std::string& id, std::optional<int> timeout_seconds) {
  HeldPorts ports = hold_ports(engine, id);
  stop(engine, id, timeout_seconds);
  start_with(engine, id, {}, std::move(ports));
}

}  // namespace knarr::engine
