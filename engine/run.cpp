// SPDX-License-Identifier: Apache-2.0
#include "engine/run.h"

#include "engine/attached.h"
#include "engine/create.h"
#include "engine/detach_keys.h"
#include "engine/launch/launcher.h"
#include "engine/launch/start_container.h"
#include "engine/lifecycle.h"

namespace knarr::engine {

namespace {

// The lock is gone when this returns or throws.
Launched start_new(const Engine& engine, CreatedRecord record, Launcher& launcher,
                   const RunOptions& options) {
  return start_container(engine, record.config, launcher,
                         {.attached = !options.detach,
                          .input_attached = !options.detach && options.streams.input,
                          .make_durable = !record.config.transient});
}

Launched start_or_discard(const Engine& engine, CreatedRecord record, Launcher& launcher,
                          const RunOptions& options) {
  const ContainerConfig config = record.config;
  try {
    return start_new(engine, std::move(record), launcher, options);
  } catch (...) {
    // Without --rm it stays, as created: `start` may succeed later.
    if (config.transient)
      discard(engine, config);
    else
      engine.containers().make_durable(config.id);
    throw;
  }
}

}  // namespace

RunResult run(const Engine& engine, const RunOptions& options) {
  if (!options.detach) parse_detach_keys(options.detach_keys);  // an error before anything is made
  // The monitor enters R while this process resolves the image and writes the record.
  Launcher launcher = Launcher::begin(engine, !options.detach);
  CreatedRecord record = create_record(engine, options.create, sys::Durability::none);
  launcher.done("resolved the image, wrote the record");
  const ContainerConfig config = record.config;
  Launched launched = start_or_discard(engine, std::move(record), launcher, options);
  repair(engine);
  if (options.detach) return {config.id, std::nullopt};
  return {config.id, stay_attached(engine, config, std::move(launched.client),
                                   {.streams = options.streams,
                                    .detach_keys = options.detach_keys,
                                    .signal_proxy = options.signal_proxy})};
}

}  // namespace knarr::engine
