// SPDX-License-Identifier: Apache-2.0
#include "engine/etc_files.h"

#include <fcntl.h>
#include <sys/utsname.h>

#include "engine/request/values.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

constexpr std::size_t max_resolv_conf = 64 << 10;
constexpr std::size_t max_hosts_file = 16 << 20;    // lists of names to block are long
constexpr const char* names_domain = "dns.podman";  // podman's, which compose files and scripts rely on
constexpr std::string_view host_gateway = "host-gateway";

// --- hosts ---

// Whose address in there can only be the loopback's.
bool has_own_loopback(const ContainerConfig& config) {
  const std::string& mode = config.namespaces.network;
  return mode == "none" || mode == "private" || mode == "bridge";
}

std::string render_added_host(const ContainerConfig& config, const std::string& entry,
                              const NetworkNames& names) {
  const auto colon = entry.find(':');
  const std::string name = entry.substr(0, colon);
  std::string address = entry.substr(colon + 1);
  if (address == host_gateway) {
    const bool shared = config.namespaces.network == "host";
    if (!shared && !names.host)
      throw Unsupported(concat("--add-host ", name, ":", host_gateway,
                               ": no address leads from the container's networks to the host"));
    address = shared ? "127.0.0.1" : netns::render_ip(*names.host);
  }
  return concat(address, "\t", name, "\n");
}

std::string read_base_hosts(const std::string& path) {
  return with_context("reading the base of /etc/hosts (--hosts-file)",
                      [&] { return sys::read_file(AT_FDCWD, path, max_hosts_file); });
}

// --- resolv.conf ---

struct ResolverSettings {
  std::vector<std::string> search, servers, options;
};

std::vector<std::string> words_of(std::string_view line) {
  std::string text(line);
  for (char& c : text) {
    if (c == '\t' || c == '\r') c = ' ';
  }
  std::vector<std::string> words = split(text, ' ');
  std::erase(words, "");
  return words;
}

ResolverSettings parse_resolver_settings(std::string_view file) {
  ResolverSettings settings;
  for (const std::string& line : split(file, '\n')) {
    std::vector<std::string> words = words_of(line);
    if (words.size() < 2) continue;
    const std::string key = words.front();
    words.erase(words.begin());
    if (key == "nameserver") {
      settings.servers.push_back(words.front());
    } else if (key == "search" || key == "domain") {
      settings.search = words;  // of several the last counts (resolv.conf(5))
    } else if (key == "options") {
      settings.options.insert(settings.options.end(), words.begin(), words.end());
    }
  }
  return settings;
}

std::vector<std::string> choose_search(const ContainerConfig& config,
                                       const std::vector<AttachedNetwork>& networks,
                                       const ResolverSettings& host) {
  if (config.dns_search == std::vector<std::string>{"."}) return {};
  if (!config.dns_search.empty()) return config.dns_search;
  std::vector<std::string> search;
  bool way_out = false;
  for (const AttachedNetwork& network : networks) {
    if (network.dns && search.empty()) search.push_back(names_domain);
    way_out = way_out || !network.routes.empty();
  }
  // The host's domains are no concern of networks that lead nowhere.
  if (way_out) search.insert(search.end(), host.search.begin(), host.search.end());
  return search;
}

// One of each network: its bridge has several addresses, but the same server listens on all.
std::vector<std::string> own_servers(const std::vector<AttachedNetwork>& networks) {
  std::vector<std::string> servers;
  for (const AttachedNetwork& network : networks) {
    if (network.dns && !network.gateways.empty())
      servers.push_back(netns::render_ip(network.gateways.front()));
  }
  return servers;
}

std::vector<std::string> choose_servers(const ContainerConfig& config,
                                        const std::vector<AttachedNetwork>& networks,
                                        const ResolverSettings& host) {
  // Ours asks those of --dns then, else names of containers would be unknown to the container.
  std::vector<std::string> servers = own_servers(networks);
  if (!servers.empty()) return servers;
  if (!config.dns_servers.empty()) return config.dns_servers;
  for (const std::string& server : host.servers) {
    const auto address = netns::parse_ip(server.substr(0, server.find('%')));
    if (address && !netns::is_loopback(*address)) servers.push_back(server);
  }
  return servers;
}

void add_words(std::string& file, std::string_view key, const std::vector<std::string>& words) {
  if (words.empty()) return;
  file += key;
  for (const std::string& word : words) file += concat(" ", word);
  file += "\n";
}

std::string render_settings(const ResolverSettings& settings) {
  std::string file;
  add_words(file, "search", settings.search);
  for (const std::string& server : settings.servers) add_words(file, "nameserver", {server});
  add_words(file, "options", settings.options);
  return file;
}

// Where systemd-resolved listens on the loopback only, its own file names the servers that it asks.
std::string read_host_resolv_conf(const ContainerConfig& config) {
  const auto read = [](const char* path) {
    return sys::read_file_if_exists(AT_FDCWD, path, max_resolv_conf).value_or("");
  };
  const std::string file = read("/etc/resolv.conf");
  if (config.namespaces.network == "host") return file;
  const std::vector<std::string> servers = parse_resolver_settings(file).servers;
  const bool stub = servers == std::vector<std::string>{"127.0.0.53"};
  const std::string resolved = stub ? read("/run/systemd/resolve/resolv.conf") : "";
  return resolved.empty() ? file : resolved;
}

}  // namespace

std::string hostname_of(const ContainerConfig& config, std::string_view host_hostname) {
  if (!config.hostname.empty()) return config.hostname;
  if (config.namespaces.uts == "host" || config.namespaces.network == "host")
    return std::string(host_hostname);
  return config.id.substr(0, 12);
}

std::string render_hosts(const ContainerConfig& config, const std::string& hostname,
                         const NetworkNames& names, std::string_view base) {
  std::string hosts =
      "127.0.0.1\tlocalhost localhost.localdomain\n"
      "::1\tlocalhost localhost.localdomain\n";
  for (const std::string& entry : config.add_hosts) hosts += render_added_host(config, entry, names);
  if (names.host && !config.networks.empty())
    hosts += concat(netns::render_ip(*names.host), "\thost.containers.internal host.docker.internal\n");
  const std::string own = concat("\t", hostname, " ", config.name, "\n");
  bool has_address = false;
  for (const AttachedNetwork& network : names.networks) {
    for (const netns::Subnet& address : network.addresses) {
      hosts += netns::render_ip(address.address) + own;
      has_address = true;
    }
  }
  if (!has_address && has_own_loopback(config)) hosts += "127.0.0.1" + own;
  hosts += base;
  if (!hosts.ends_with('\n')) hosts += '\n';
  return hosts;
}

std::string render_resolv_conf(const ContainerConfig& config, const std::vector<AttachedNetwork>& networks,
                               std::string_view host_file) {
  const bool explicit_settings =
      !config.dns_servers.empty() || !config.dns_search.empty() || !config.dns_options.empty();
  if (!explicit_settings && networks.empty())
    return config.namespaces.network == "host" ? std::string(host_file) : std::string();
  const ResolverSettings host = networks.empty() ? ResolverSettings{} : parse_resolver_settings(host_file);
  ResolverSettings settings;
  settings.search = choose_search(config, networks, host);
  settings.servers = choose_servers(config, networks, host);
  settings.options = config.dns_options.empty() ? host.options : config.dns_options;
  return render_settings(settings);
}

void write_etc_files(const ContainerConfig& config, const std::string& run_directory,
                     const NetworkNames& names) {
  sys::make_directories(AT_FDCWD, run_directory, 0700);
  const sys::UniqueFd directory = sys::open_directory(AT_FDCWD, run_directory);
  utsname host{};
  ::uname(&host);
  const std::string hostname = hostname_of(config, host.nodename);
  const bool needs_host_file = config.namespaces.network == "host" || !names.networks.empty();
  const std::string host_resolv_conf = needs_host_file ? read_host_resolv_conf(config) : "";
  const auto write = [&](const char* name, const std::string& content) {
    const sys::UniqueFd file =
        sys::open_at(directory.get(), name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
    ::fchmod(file.get(), 0644);  // whatever the caller's umask: every user in the container reads them
    sys::write_all(file.get(), content, name);
  };
  const std::string base = config.hosts_file.empty() ? "" : read_base_hosts(config.hosts_file);
  write("hosts", render_hosts(config, hostname, names, base));
  write("hostname", hostname + "\n");
  write("resolv.conf", render_resolv_conf(config, names.networks, host_resolv_conf));
}

}  // namespace knarr::engine
