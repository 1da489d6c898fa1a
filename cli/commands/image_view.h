// SPDX-License-Identifier: Apache-2.0
// Images as users see them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/template/value.h"
#include "engine/engine.h"
#include "storage/image/image.h"
#include "storage/image/manifest_list.h"

namespace knarr::cli {

// "localhost/bb:1" → {"localhost/bb", "1"}; what is missing is "<none>".
struct ImageName {
  std::string repository, tag;
};
ImageName split_image_name(const std::string& full_name);

// Whether the image's layers and history are those of `parent` and more: what `commit` makes of it.
// A manifest list as lists of images show it.
storage::Image as_image(const storage::ManifestList& list);
bool is_list(const storage::Image& image);

bool is_made_of(const storage::Image& image, const storage::Image& parent);

std::int64_t image_created_ns(const storage::Image& image);
// "localhost/bb@sha256:...": each repository with each manifest and index the image came as.
std::vector<std::string> repository_digests(const storage::Image& image);
// Those of its names that are no digests.
std::vector<std::string> repository_tags(const storage::Image& image);
// How many containers were made from each image, by image id.
std::map<std::string, std::vector<std::string>> containers_by_image(const engine::Engine& engine);

// The document of `inspect`.
templates::Value inspect_image(const engine::Engine& engine, const storage::Image& image);
// The `Config` member: the image's configuration in docker's words.
templates::Value image_config_value(const storage::ImageConfig& config);

}  // namespace knarr::cli
