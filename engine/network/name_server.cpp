// SPDX-License-Identifier: Apache-2.0
#include "engine/network/name_server.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "engine/netd/start.h"
#include "engine/network/run_paths.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

// Beside each network: the netd that it was given to.
constexpr const char* served_name = "/served";

std::string read_netd(const NetworkPlace& place) {
  return sys::read_file_if_exists(AT_FDCWD, place.directory() + netd_process_name).value_or("");
}

void write_text(const std::string& path, const std::string& text) {
  sys::replace_file(AT_FDCWD, path, text, 0600, sys::Durability::none);
}

std::string served_path(const NetworkPlace& place, const std::string& network) {
  return network_run_directory(place.run_root, network) + served_name;
}

// Who serves which RN: after /etc/subuid was edited there may be another one.
std::string describe_service(const std::string& netd, int engine_netns) {
  struct stat status {};
  ::fstat(engine_netns, &status);
  return concat(netd, " ", status.st_ino);
}

// A socket that is given to netd again takes the place of the one before, in which questions may wait.
std::vector<NamedNetwork> not_served_by(const NetworkPlace& place, const std::string& service,
                                        const std::vector<NamedNetwork>& networks) {
  std::vector<NamedNetwork> missing;
  for (const NamedNetwork& network : networks) {
    if (sys::read_file_if_exists(AT_FDCWD, served_path(place, network.name)) != service)
      missing.push_back(network);
  }
  return missing;
}

}  // namespace

void ensure_name_server(const NetworkPlace& place, const std::string& program, int engine_netns,
                        const std::vector<NamedNetwork>& networks) {
  const std::string directory = place.directory();
  const bool running = is_netd_running(directory);
  const auto missing =
      running ? not_served_by(place, describe_service(read_netd(place), engine_netns), networks) : networks;
  if (running && missing.empty()) return;
  std::vector<DnsSockets> sockets;
  for (const NamedNetwork& network : missing)
    sockets.push_back({network.name, open_dns_sockets(engine_netns, network.gateways)});
  const auto started = ensure_netd(
      {.directory = directory, .program = program, .engine_netns = engine_netns, .way_out = !place.rootful},
      std::move(sockets));
  if (started) {
    write_text(directory + netd_process_name, render_process(started->process));
    if (!place.rootful) record_netns_holder(place, started->process, started->engine_netns);
  }
  const std::string service = describe_service(read_netd(place), engine_netns);
  for (const NamedNetwork& network : missing) write_text(served_path(place, network.name), service);
}

}  // namespace knarr::engine
