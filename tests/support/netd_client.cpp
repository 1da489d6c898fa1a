// SPDX-License-Identifier: Apache-2.0
// What a container's monitor does about knarr-netd, for tests that make their namespaces by hand.
//
// usage: netd_client device NETNS            the way out's device
//        netd_client ensure DIRECTORY NETD NETNS way-out|names-only NETWORK=GATEWAY[,GATEWAY]...
//                                            prints "PID" of a netd that was started, or "there"
//        netd_client stop DIRECTORY
#include <fcntl.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "engine/netd/start.h"
#include "engine/netd/way_out.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/lock.h"

using namespace knarr;
using namespace knarr::engine;

namespace {

DnsSockets open_network(const std::string& word, int netns_fd) {
  const std::size_t equals = word.find('=');
  std::vector<netns::IpAddress> gateways;
  for (std::string_view rest = std::string_view(word).substr(equals + 1); !rest.empty();) {
    const std::string_view gateway = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), gateway.size() + 1));
    gateways.push_back(netns::parse_ip(gateway).value());
  }
  return {word.substr(0, equals), open_dns_sockets(netns_fd, gateways)};
}

void ensure(const std::vector<std::string>& words) {
  const std::string directory = words.at(0);
  sys::open_at(AT_FDCWD, directory + "/lock", O_WRONLY | O_CREAT, 0600);
  const sys::UniqueFd netns = sys::open_at(AT_FDCWD, words.at(2), O_RDONLY);
  const sys::Lock lock = sys::Lock::acquire(AT_FDCWD, directory + "/lock", sys::Lock::Mode::exclusive);
  std::vector<DnsSockets> networks;
  for (std::size_t i = 4; i < words.size(); ++i) networks.push_back(open_network(words[i], netns.get()));
  const auto started =
      ensure_netd({directory, words.at(1), netns.get(), words.at(3) == "way-out"}, std::move(networks));
  if (started) {
    std::printf("%d\n", started->process.pid);
  } else {
    std::puts("there");
  }
}

void make_device(const std::string& path) {
  const sys::UniqueFd netns_fd = sys::open_at(AT_FDCWD, path, O_RDONLY);
  netns::Namespace engine = netns::open_namespace(netns_fd.get(), netns::Filtering::no);
  make_way_out_device(engine, find_way_out().kind);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const std::string verb = words.at(0);
    if (verb == "ensure") ensure({words.begin() + 1, words.end()});
    if (verb == "stop") stop_netd(words.at(1));
    if (verb == "device") make_device(words.at(1));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "Error: %s\n", error.what());
    return 125;
  }
  return 0;
}
