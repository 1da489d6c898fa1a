// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"

#include "cli/log.h"

namespace knarr::cli {

engine::Engine open_engine(const Invocation& invocation) {
  const Settings& settings = invocation.settings;
  return engine::Engine({.paths = {.root = settings.root, .runroot = settings.runroot},
                         .storage_driver = settings.storage_driver,
                         .warn = [](const std::string& line) { log_warning(line); },
                         .trace = is_logged(LogLevel::trace)
                                      ? [](const std::string& line) { log(LogLevel::trace, line); }
                                      : std::function<void(const std::string&)>()});
}

}  // namespace knarr::cli
