// SPDX-License-Identifier: Apache-2.0
#include "engine/attached.h"
#include "engine/launch/launcher.h"
#include "engine/launch/start_container.h"
#include "engine/lifecycle.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

std::optional<int> start(const Engine& engine, const std::string& id, const StartOptions& options) {
  Launcher launcher = Launcher::begin(engine, options.attach);
  auto lock = engine.containers().lock(id);
  const ContainerConfig config = engine.load_config(id);
  if (engine.status(id).state == State::running) {
    if (!options.attach) return std::nullopt;
    return attach(engine, id,
                  {.input = options.interactive,
                   .detach_keys = options.detach_keys,
                   .signal_proxy = options.signal_proxy});
  }
  Launched launched = with_context(concat("starting container \"", config.name, "\""), [&] {
    return start_container(engine, config, launcher,
                           {.attached = options.attach, .input_attached = options.interactive});
  });
  lock.release().reset();
  if (!options.attach) return std::nullopt;
  return stay_attached(engine, config, std::move(launched.client),
                       {.streams = {.input = options.interactive && config.interactive},
                        .detach_keys = options.detach_keys,
                        .signal_proxy = options.signal_proxy});
}

void restart(const Engine& engine, const std::string& id, std::optional<int> timeout_seconds) {
  stop(engine, id, timeout_seconds);
  start(engine, id, {});
}

}  // namespace knarr::engine
