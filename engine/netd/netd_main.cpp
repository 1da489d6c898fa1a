// SPDX-License-Identifier: Apache-2.0
// knarr-netd DIRECTORY way-out|names-only [NETWORK:SOCKETS...]; started by ensure_netd() alone.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "engine/netd/confine.h"
#include "engine/netd/control.h"
#include "engine/netd/netd.h"
#include "engine/netd/way_out_runner.h"
#include "netns/forward/descriptor_limit.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace {

using namespace knarr;
using namespace knarr::engine;

struct Arguments {
  std::string directory;
  bool way_out = false;
  std::vector<DnsSockets> networks;
};

void take_network(std::string_view word, int& next_fd, Arguments& arguments) {
  const std::size_t colon = word.rfind(':');
  int count = -1;
  if (colon != std::string_view::npos)
    std::from_chars(word.data() + colon + 1, word.data() + word.size(), count);
  if (count < 0 || count > most_dns_sockets)
    throw InvalidArgument(concat("no network with its sockets: ", word));
  DnsSockets network{std::string(word.substr(0, colon)), {}};
  for (int i = 0; i < count; ++i) {
    ::fcntl(next_fd, F_SETFD, FD_CLOEXEC);
    network.sockets.emplace_back(next_fd++);
  }
  arguments.networks.push_back(std::move(network));
}

Arguments parse_arguments(int argc, char** argv) {
  if (argc < 3 || ::fcntl(netd_netns_fd, F_GETFD) < 0)
    throw InvalidArgument("this program is started by knarr; it does nothing by itself");
  Arguments arguments{argv[1], std::string_view(argv[2]) == "way-out", {}};
  int next_fd = netd_first_socket_fd;
  for (int i = 3; i < argc; ++i) take_network(argv[i], next_fd, arguments);
  for (const int fd : {netd_lock_fd, netd_control_fd, netd_netns_fd}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return arguments;
}

void open_log(const std::string& directory) {
  const sys::UniqueFd log = sys::open_at(AT_FDCWD, concat(directory, '/', netd_log_name),
                                         O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
  ::dup2(log.get(), STDERR_FILENO);
}

void serve(Arguments arguments) {
  ::umask(077);
  ::signal(SIGPIPE, SIG_IGN);
  open_log(arguments.directory);
  pid_t way_out = -1;
  if (arguments.way_out) way_out = netd::start_way_out(arguments.directory, netd_netns_fd);
  netns::forward::raise_descriptor_limit();
  netd::Netd netd(arguments.directory, std::move(arguments.networks));
  if (way_out > 0) netd.watch_way_out(way_out);
  netd::confine(arguments.directory, netd::resolv_conf_path);
  netd.run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    serve(parse_arguments(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "Error: %s\n", error.what());
    return 125;
  }
  return 0;
}
