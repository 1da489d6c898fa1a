// SPDX-License-Identifier: Apache-2.0
// `commit`: an image of what a container has changed. Linked by knarr-store only: it has the digests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "storage/commit.h"

namespace knarr::engine {

struct CommitOptions {
  std::string author, message;
  std::vector<std::string> changes;            // Dockerfile instructions
  std::optional<storage::ImageConfig> config;  // --config: merged before them
  storage::ManifestKind format = storage::ManifestKind::oci;
  bool include_volumes = false, pause = false, squash = false;
  std::optional<storage::Reference> name;
  std::optional<std::int64_t> source_date;  // seconds since the epoch
};

// What an image made of the container says of itself, but for its layers. Pure.
storage::Image plan_commit(const ContainerConfig& container, const storage::Image& base,
                           const CommitOptions& options, const std::string& created);

// Moves this process into R.
storage::Image commit(const Engine& engine, const std::string& id, const CommitOptions& options);

}  // namespace knarr::engine
