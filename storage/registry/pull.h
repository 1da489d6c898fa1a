// SPDX-License-Identifier: Apache-2.0
// From a name to an image in the store: who is asked, which manifest, its config, its layers.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/image/image_store.h"
#include "storage/image/platform.h"
#include "storage/image/pull_policy.h"
#include "storage/registry/progress.h"
#include "storage/registry/registry_access.h"

namespace knarr::storage {

struct PullRequest {
  std::string name;   // as the user wrote it; "docker://" in front is allowed
  Platform platform;  // what is empty is this machine's
  PullPolicy policy = PullPolicy::always;
  RegistryAccess access;
  std::string signature_policy;  // --signature-policy; empty: the usual file
  Settling settling = Settling::in_background;
  std::function<void(const std::string& line)> say;  // "Trying to pull NAME..."
  // Asks which of several full names is meant; empty: there is nobody to ask.
  std::function<std::size_t(const std::vector<Reference>&)> choose;
  ProgressListener progress;  // called from several threads, one at a time
};

struct PulledImage {
  Image image;
  std::string name;          // full
  bool was_present = false;  // nothing was fetched
};

// Run inside R. Throws PolicyRejection for what the policy does not let in, NotFound when no registry has it,
// an error that lists all sources when all fail.
PulledImage pull_image(const Store& store, const RegistriesConfig& config, const PullRequest& request);

// The full names, with their tags, of all that a repository has (--all-tags).
std::vector<std::string> list_all_tags(const RegistriesConfig& config, const PullRequest& request);

}  // namespace knarr::storage
