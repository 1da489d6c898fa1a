// SPDX-License-Identifier: Apache-2.0
// /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: generated in its run directory and bound
// into it, so that they can change while it runs and never become part of its layer.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/container.h"
#include "engine/network/run_record.h"

namespace knarr::engine {

std::string hostname_of(const ContainerConfig& config, std::string_view host_hostname);

// What is known of the networks when the files are written.
struct NetworkNames {
  std::vector<AttachedNetwork> networks;
  // Where the container reaches the host: host.containers.internal, host.docker.internal, host-gateway.
  std::optional<netns::IpAddress> host;
};

// Pure renderers. Values were checked for control characters when the request was planned.
// Throws Unsupported for an --add-host to host-gateway where no address leads to the host.
// `base`: the content of --hosts-file. Of two lines for a name the first counts.
std::string render_hosts(const ContainerConfig& config, const std::string& hostname,
                         const NetworkNames& names, std::string_view base = {});
// `host_file`: the host's resolv.conf. As it is where the host's network is shared; on networks its search
// domains and options, and its servers where no network has a DNS server of ours.
std::string render_resolv_conf(const ContainerConfig& config, const std::vector<AttachedNetwork>& networks,
                               std::string_view host_file);

// Makes the run directory and writes the three files, in place where they are: a running container sees the
// change.
void write_etc_files(const ContainerConfig& config, const std::string& run_directory,
                     const NetworkNames& names = {});

}  // namespace knarr::engine
