// SPDX-License-Identifier: Apache-2.0
#include "engine/etc_files.h"

#include <fcntl.h>
#include <sys/utsname.h>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

std::string hostname_of(const ContainerConfig& config, std::string_view host_hostname) {
  if (!config.hostname.empty()) return config.hostname;
  if (config.namespaces.uts == "host" || config.namespaces.network == "host")
    return std::string(host_hostname);
  return config.id.substr(0, 12);
}

std::string render_hosts(const ContainerConfig& config, const std::string& hostname) {
  std::string hosts =
      "127.0.0.1\tlocalhost localhost.localdomain\n"
      "::1\tlocalhost localhost.localdomain\n";
  for (const std::string& entry : config.add_hosts) {
    const auto colon = entry.find(':');
    hosts += concat(entry.substr(colon + 1), "\t", entry.substr(0, colon), "\n");
  }
  if (config.namespaces.network == "none" || config.namespaces.network == "private") {
    hosts += concat("127.0.0.1\t", hostname, " ", config.name, "\n");
  }
  return hosts;
}

std::string render_resolv_conf(const ContainerConfig& config, std::string_view host_file) {
  const bool explicit_settings =
      !config.dns_servers.empty() || !config.dns_search.empty() || !config.dns_options.empty();
  if (!explicit_settings) return config.namespaces.network == "host" ? std::string(host_file) : std::string();
  std::string file;
  if (!config.dns_search.empty()) {
    file += "search";
    for (const std::string& domain : config.dns_search) file += concat(" ", domain);
    file += "\n";
  }
  for (const std::string& server : config.dns_servers) file += concat("nameserver ", server, "\n");
  if (!config.dns_options.empty()) {
    file += "options";
    for (const std::string& option : config.dns_options) file += concat(" ", option);
    file += "\n";
  }
  return file;
}

void write_etc_files(const ContainerConfig& config, const std::string& run_directory) {
  sys::make_directories(AT_FDCWD, run_directory, 0700);
  const sys::UniqueFd directory = sys::open_directory(AT_FDCWD, run_directory);
  utsname host{};
  ::uname(&host);
  const std::string hostname = hostname_of(config, host.nodename);
  const std::string host_resolv_conf =
      config.namespaces.network == "host"
          ? sys::read_file_if_exists(AT_FDCWD, "/etc/resolv.conf", 64 << 10).value_or("")
          : "";
  const auto write = [&](const char* name, const std::string& content) {
    const sys::UniqueFd file =
        sys::open_at(directory.get(), name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
    ::fchmod(file.get(), 0644);  // whatever the caller's umask: every user in the container reads them
    sys::write_all(file.get(), content, name);
  };
  write("hosts", render_hosts(config, hostname));
  write("hostname", hostname + "\n");
  write("resolv.conf", render_resolv_conf(config, host_resolv_conf));
}

}  // namespace knarr::engine
