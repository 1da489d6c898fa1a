// SPDX-License-Identifier: Apache-2.0
// /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: generated in its run directory and bound
// into it, so that they can change while it runs and never become part of its layer.
#pragma once

#include <string>
#include <string_view>

#include "engine/container.h"

namespace knarr::engine {

std::string hostname_of(const ContainerConfig& config, std::string_view host_hostname);

// Pure renderers. Values were checked for control characters when the request was planned.
std::string render_hosts(const ContainerConfig& config, const std::string& hostname);
// `host_file`: the host's resolv.conf, used where the container shares the host's network and nothing else
// was said; loopback resolvers make sense only there.
std::string render_resolv_conf(const ContainerConfig& config, std::string_view host_file);

// Makes the run directory and writes the three files.
void write_etc_files(const ContainerConfig& config, const std::string& run_directory);

}  // namespace knarr::engine
