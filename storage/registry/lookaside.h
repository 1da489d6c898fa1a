// SPDX-License-Identifier: Apache-2.0
// Signatures that are kept beside a registry: on a web server or in a directory, told by registries.d
// (containers-registries.d(5)).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "storage/reference.h"
#include "storage/registry/http.h"
#include "storage/registry/registries_conf.h"

namespace knarr::storage {

struct LookasideConfig {
  std::map<std::string, std::string> places;  // scope ("host[:port][/path][:tag]", "*.host") → URL
  std::string fallback;                       // default-docker
  // Where each came from: no two files may say it.
  std::map<std::string, std::string> files;
  std::string fallback_file;
};

// One file of registries.d. Throws InvalidArgument for what is no YAML of that form, or said before. Pure.
void merge_registries_d(LookasideConfig& config, const std::string& yaml, const std::string& file);
// Of all *.yaml: of the user's directory, else of the system's.
LookasideConfig load_lookaside_config(const ConfigPlaces& places);

// The URL below which the signatures of an image are. The most specific scope that names a place counts; of
// no place at all the user's own directory. Pure.
std::string lookaside_url(const LookasideConfig& config, const ConfigPlaces& places, const Reference& name,
                          const Digest& manifest);

// All of them, in their order: simple signatures, as they are. None is no error.
std::vector<std::string> fetch_simple_signatures(const ConfigPlaces& places, const Reference& name,
                                                 const Digest& manifest, const RetryPolicy& retry);

}  // namespace knarr::storage
