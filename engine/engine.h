// SPDX-License-Identifier: Apache-2.0
// The verbs. Each is a table of contents in a file of its own: run.cpp, start.cpp, stop.cpp, ...
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/container.h"
#include "engine/network/network_store.h"
#include "engine/record.h"
#include "rootless/host.h"
#include "rootless/paths.h"
#include "storage/container_store.h"
#include "storage/image/image_store.h"
#include "storage/overlay/driver.h"
#include "storage/store.h"
#include "storage/volume/volume_store.h"

namespace knarr::engine {

struct EngineOptions {
  rootless::PathOptions paths;
  std::string storage_driver;                        // --storage-driver
  std::string network_config_dir;                    // --network-config-dir
  std::vector<std::string> additional_image_stores;  // --storage-opt; empty: those of storage.conf
  std::function<void(const std::string&)> warn;      // one line for the user, not an error
  std::function<void(const std::string&)> trace;     // a launch's steps and times; null: nobody asks
};

class Engine {
 public:
  explicit Engine(EngineOptions options);

  const rootless::HostFacts& host() const { return host_; }
  const rootless::Paths& paths() const { return paths_; }
  const storage::Store& store() const { return store_; }
  storage::ContainerStore containers() const { return storage::ContainerStore(store_); }
  storage::ImageStore images() const { return storage::ImageStore(store_); }
  storage::VolumeStore volumes() const { return storage::VolumeStore(store_); }
  NetworkStore networks() const;
  const EngineOptions& options() const { return options_; }
  void warn(const std::string& line) const { options_.warn(line); }

  std::string run_directory(const std::string& container_id) const;
  ContainerConfig load_config(const std::string& container_id) const;
  // What its summary file says of its starts; nullopt when it had none, or nothing could be understood.
  std::optional<StatusRecord> read_status(const std::string& container_id) const;
  // Of all containers, in no order. One whose summary is damaged is summed up from its configuration; of one
  // that has lost that, too, the user is warned.
  void visit_records(const std::function<void(ContainerRecord)>& visit) const;
  std::vector<Summary> summaries() const;
  ContainerStatus status(const std::string& container_id) const;  // lock-free
  bool is_running(const std::string& container_id) const;         // the cheapest question

  // Processes that may be in R: monitors of running containers, netd.
  std::vector<sys::ProcessId> r_candidates() const;
  // Moves this process into R (rootless::enter_r), warning about a single id.
  void enter_r() const;
  // Once per boot; `about` names it among the others.
  void warn_once(const std::string& about, const std::string& line) const;
  // Tells the user once per boot that R has one id only, and what is lost.
  void warn_single_id() const;
  // Tells the user once which running containers keep the ids of an R that /etc/subuid no longer describes.
  // For who has made a new R.
  void warn_other_maps() const;
  // The driver for this store; probed once per boot.
  storage::OverlayFacts overlay() const;

 private:
  EngineOptions options_;
  rootless::HostFacts host_;
  rootless::Paths paths_;
  storage::Store store_;
};

}  // namespace knarr::engine
