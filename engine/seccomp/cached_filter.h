// SPDX-License-Identifier: Apache-2.0
// Compiled filters as files of <store>/cache/seccomp. A file's name says what it was compiled from, its head
// what it must hold.
#pragma once

#include <linux/filter.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rootless/capability.h"

namespace knarr::engine::seccomp {

constexpr const char* cache_directory = "cache/seccomp";  // below the store's root

// What a filter is compiled from: the profile's bytes (nullopt: the default profile), the capabilities, this
// kernel, and this build's compiler.
std::string filter_key(const std::optional<std::string>& profile, rootless::CapabilitySet capabilities);

std::string render_filter(const std::string& key, const std::vector<sock_filter>& program);

// nullopt for anything but what render_filter makes for this key.
std::optional<std::vector<sock_filter>> parse_filter(const std::string& key, std::string_view file);
constexpr std::size_t max_filter_file = 64u << 10;

}  // namespace knarr::engine::seccomp
