// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"

#include "cli/log.h"
#include "cli/text.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

// podman's spellings: "additionalimagestore=", "overlay.imagestore=" and what is between.
std::vector<std::string> additional_image_stores(const std::vector<std::string>& options) {
  std::vector<std::string> stores;
  for (const std::string& option : options) {
    const KeyValue pair = split_key_value(option);
    const std::string key = pair.key.starts_with("overlay.") ? pair.key.substr(8) : pair.key;
    if (key != "additionalimagestore" && key != "imagestore")
      throw Unsupported(
          concat("--storage-opt ", option, " is not supported: only additionalimagestore=DIR is"));
    if (!pair.value.starts_with('/'))
      throw UsageError(concat("--storage-opt ", option, ": the directory must be an absolute path"));
    stores.push_back(pair.value);
  }
  return stores;
}

}  // namespace

engine::Engine open_engine(const Invocation& invocation) {
  const Settings& settings = invocation.settings;
  return engine::Engine({.paths = {.root = settings.root, .runroot = settings.runroot},
                         .storage_driver = settings.storage_driver,
                         .network_config_dir = settings.network_config_dir,
                         .additional_image_stores = additional_image_stores(settings.storage_options),
                         .warn = [](const std::string& line) { log_warning(line); },
                         .trace = is_logged(LogLevel::trace)
                                      ? [](const std::string& line) { log(LogLevel::trace, line); }
                                      : std::function<void(const std::string&)>()});
}

}  // namespace knarr::cli
