// SPDX-License-Identifier: Apache-2.0
#include "engine/network/live.h"

#include <fcntl.h>

#include "engine/network/run_paths.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

[[noreturn]] void refuse(std::string_view act, const std::string& container) {
  throw Unsupported(
      concat(act, " container ", container, ": it runs, and that is not supported yet; stop it first"));
}

}  // namespace

void attach_live(const Engine&, const ContainerConfig& config, const NetworkAttachment& attachment) {
  refuse(concat("connecting network ", attachment.network, " to"), config.name);
}

void detach_live(const Engine&, const ContainerConfig& config, const std::string& network) {
  refuse(concat("disconnecting network ", network, " from"), config.name);
}

void reload_networks(const Engine& engine, const std::string& container_id) {
  if (!engine.is_running(container_id))
    throw Conflict(concat("container ", container_id.substr(0, 12), " is not running"));
  refuse("reloading the networks of", container_id.substr(0, 12));
}

void remove_live_network(const Engine& engine, const Network& network) {
  sys::remove_tree(AT_FDCWD, network_run_directory(engine.paths().run_root, network.name));
}

}  // namespace knarr::engine
