// SPDX-License-Identifier: Apache-2.0
#include "engine/request/names.h"

#include <arpa/inet.h>

#include <algorithm>

#include "engine/request/namespaces.h"
#include "engine/request/values.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

constexpr std::size_t max_hostname = 64;  // __NEW_UTS_LEN

void plan_resolvers(const CreateRequest& request, ContainerConfig& config) {
  const auto& servers = request.dns_servers;
  for (const std::string& server : servers) {
    if (server == "none" ? servers.size() > 1 : !is_ip_address(server)) {
      fail_flag("dns", server,
                server == "none" ? "none cannot be combined with others" : "not an IP address");
    }
  }
  for (const std::string& domain : request.dns_search) {
    // "." stands for an empty list.
    if (domain != "." && !is_hostname(domain)) fail_flag("dns-search", domain, "not a domain name");
  }
  for (const std::string& option : request.dns_options) {
    if (option.empty() || has_control_character(option) || option.find(' ') != std::string::npos) {
      fail_flag("dns-option", option, "not an option of resolv.conf(5)");
    }
  }
  config.dns_servers = servers;
  config.dns_search = request.dns_search;
  config.dns_options = request.dns_options;
}

// "none" is what happens without the flag, too.
std::string plan_hosts_file(const CreateRequest& request) {
  const std::string& path = request.hosts_file;
  if (path.empty() || path == "none") return {};
  if (request.no_hosts) throw InvalidArgument("--no-hosts and --hosts-file cannot be set together");
  if (path == "image")
    throw Unsupported("--hosts-file image is not supported; --no-hosts keeps the image's file");
  if (path.front() != '/') fail_flag("hosts-file", path, "expected an absolute path, or none");
  return path;
}

void require_way_to_host(const ContainerConfig& config, std::string_view text) {
  const std::string& mode = config.namespaces.network;
  if (mode != "bridge" && mode != "host")
    throw Unsupported(concat("--add-host ", text, ": host-gateway needs a network, and the mode is ", mode));
}

void plan_hostname(const CreateRequest& request, ContainerConfig& config) {
  config.hostname = request.hostname;
  config.no_hostname = request.no_hostname;
  if (request.hostname.empty()) return;
  check_hostname(request.hostname);
  if (parse_namespace_mode(config.namespaces.uts).kind != NamespaceMode::Kind::own) {
    fail_flag("hostname", request.hostname,
              concat("cannot set hostname when running in the UTS namespace ", config.namespaces.uts));
  }
}

}  // namespace

bool is_hostname(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  };
  return !name.empty() && name.front() != '-' && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), allowed);
}

void check_hostname(std::string_view hostname) {
  if (!is_hostname(hostname))
    fail_flag("hostname", hostname, "not a host name: letters, digits, '-', '.', '_'");
  if (hostname.size() > max_hostname) fail_flag("hostname", hostname, "longer than 64 bytes");
}

bool is_ip_address(std::string_view text) {
  // inet_pton(3) stops at a NUL byte and would let what follows pass.
  if (has_control_character(text)) return false;
  const std::size_t percent = text.find('%');
  const std::string address(text.substr(0, percent));
  unsigned char bytes[16];
  const bool six = ::inet_pton(AF_INET6, address.c_str(), bytes) == 1;
  if (percent != std::string_view::npos) return six && is_hostname(text.substr(percent + 1));
  return six || ::inet_pton(AF_INET, address.c_str(), bytes) == 1;
}

std::vector<std::string> parse_add_host(std::string_view text) {
  const auto parts = split_once(text, ':');
  if (!parts) fail_flag("add-host", text, "expected NAME[;NAME...]:IP");
  std::string address = parts->second;
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
  }
  if (address != "host-gateway" && !is_ip_address(address)) {
    fail_flag("add-host", text, concat("invalid IP address in add-host: \"", parts->second, "\""));
  }
  std::vector<std::string> hosts;
  for (const std::string& name : split(parts->first, ';')) {
    if (!is_hostname(name))
      fail_flag("add-host", text, concat("invalid host name in add-host: \"", name, "\""));
    hosts.push_back(concat(name, ":", address));
  }
  return hosts;
}

void plan_names(const CreateRequest& request, ContainerConfig& config) {
  plan_hostname(request, config);
  plan_resolvers(request, config);
  config.no_hosts = request.no_hosts;
  config.hosts_file = plan_hosts_file(request);
  if (request.no_hosts && !request.add_hosts.empty()) {
    throw InvalidArgument("--no-hosts and --add-host cannot be set together");
  }
  for (const std::string& text : request.add_hosts) {
    for (std::string& host : parse_add_host(text)) {
      if (host.ends_with(":host-gateway")) require_way_to_host(config, text);
      config.add_hosts.push_back(std::move(host));
    }
  }
}

}  // namespace knarr::engine
