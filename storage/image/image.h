// SPDX-License-Identifier: Apache-2.0
// An image as the engine sees it: the OCI image config (image-spec config.md) and the layers by diffID.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/digest.h"

namespace knarr::storage {

struct HealthCheck {  // docker's extension of the config; intervals in nanoseconds
  std::vector<std::string> test;
  std::int64_t interval = 0;
  std::int64_t timeout = 0;
  std::int64_t start_period = 0;
  int retries = 0;
};

struct ImageConfig {
  std::vector<std::string> env;  // NAME=VALUE
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::string user;
  std::string working_dir;
  std::string stop_signal;
  std::vector<std::string> volumes;        // container paths, sorted
  std::vector<std::string> exposed_ports;  // "80/tcp", sorted
  std::map<std::string, std::string> labels;
  std::optional<HealthCheck> health_check;
  std::vector<std::string> on_build;  // docker's: instructions for a build on top of it
};

struct ImageHistory {
  std::string created;
  std::string created_by;
  std::string author;
  std::string comment;
  bool empty_layer = false;
  bool operator==(const ImageHistory&) const = default;
};

struct Image {
  std::string id;               // hex of the config's digest
  Digest manifest;              // of the manifest it came with
  std::vector<Digest> indexes;  // that a registry offered this manifest in
  std::string manifest_type;    // media type
  std::string created;          // RFC 3339, from the config
  std::string author;
  std::string architecture;
  std::string os;
  std::string variant;
  std::string comment;
  ImageConfig config;
  std::vector<ImageHistory> history;
  std::vector<Digest> layers;              // diffIDs, lowest first
  std::vector<std::uint64_t> layer_sizes;  // bytes of the unpacked files, same order
  std::uint64_t size = 0;                  // their sum
  std::vector<std::string> names;          // full names that point at it, sorted; filled on reading
  // The directory of the additional store it was found in, which is only read; empty: our own store.
  std::string store;
};

}  // namespace knarr::storage
