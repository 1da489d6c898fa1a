// SPDX-License-Identifier: Apache-2.0
#include "engine/request/networks.h"

#include <algorithm>

#include "engine/network/network_store.h"
#include "engine/request/names.h"
#include "engine/request/namespaces.h"
#include "engine/request/values.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

using netns::Family;
using netns::IpAddress;

// What is in front of the options, and those: "web:ip=10.89.0.5,alias=db".
struct Parts {
  std::string name, options;
  bool has_options = false;
};

Parts cut_options(std::string_view text) {
  const auto parts = split_once(text, ':');
  if (!parts) return {.name = std::string(text)};
  return {.name = parts->first, .options = parts->second, .has_options = true};
}

// "container:" and "ns:" are cut here, too.
bool is_lone_mode(std::string_view name) {
  return name == "none" || name == "host" || name == "container" || name == "ns" || name == "pasta" ||
         name == "slirp4netns";
}

bool names_default(std::string_view name) {
  return name == "bridge" || name == "private" || name == "default";
}

std::string plan_lone_mode(const CreateRequest& request, const std::string& text, const Parts& parts) {
  if (parts.name == "pasta" || parts.name == "slirp4netns")
    throw Unsupported(
        concat("--network ", text, ": a network of its own by ", parts.name, " is not supported yet"));
  if (parts.name == "none" || parts.name == "host") {
    if (parts.has_options) fail_flag("network", text, concat(parts.name, " takes no options"));
    return parts.name;
  }
  std::string mode = text;
  if (!is_checked_reference(request, "network", mode))
    fail_flag("network", text, concat("namespace mode ", parts.name, " requires a value"));
  return mode;
}

void apply_option(NetworkAttachment& attachment, std::string_view text, std::string_view option) {
  const auto parts = split_once(option, '=');
  const std::string name = parts ? parts->first : std::string(option);
  const std::string value = parts ? parts->second : "";
  if (name == "ip" || name == "ip6") {
    wish_address(attachment, "network", value);
  } else if (name == "mac") {
    wish_mac(attachment, "network", value);
  } else if (name == "alias") {
    add_alias(attachment, "network", value);
  } else if (name == "interface_name" || name == "host_interface_name") {
    if (!is_interface_name(value))
      fail_flag("network", text, concat("\"", value, "\" is no name of an interface"));
    (name == "interface_name" ? attachment.interface : attachment.host_interface) = value;
  } else {
    fail_flag("network", text, concat("unknown bridge network option: ", name));
  }
}

// podman's older spelling of several: "one,two", without options.
std::vector<NetworkAttachment> parse_attachments(std::string_view text) {
  if (text.find(':') != std::string_view::npos) return {parse_network_attachment(text)};
  std::vector<NetworkAttachment> attachments;
  for (const std::string& name : split(text, ',')) attachments.push_back(parse_network_attachment(name));
  return attachments;
}

struct LoneFlag {
  std::string_view name;
  bool given;
};

void apply_flags(const CreateRequest& request, std::vector<NetworkAttachment>& networks) {
  for (NetworkAttachment& attachment : networks) {
    for (const std::string& alias : request.network_aliases) add_alias(attachment, "network-alias", alias);
  }
  for (const LoneFlag& flag : {LoneFlag{"ip", !request.ip.empty()}, LoneFlag{"ip6", !request.ip6.empty()},
                               LoneFlag{"mac-address", !request.mac_address.empty()}}) {
    if (flag.given && networks.size() > 1)
      throw InvalidArgument(
          concat("--", flag.name, " can only be set for a single network: invalid argument"));
  }
  if (!request.ip.empty()) wish_address(networks.front(), "ip", request.ip);
  if (!request.ip6.empty()) wish_address(networks.front(), "ip6", request.ip6);
  if (!request.mac_address.empty()) wish_mac(networks.front(), "mac-address", request.mac_address);
}

void refuse_flags_of_bridges(const CreateRequest& request) {
  for (const LoneFlag& flag : {LoneFlag{"ip", !request.ip.empty()}, LoneFlag{"ip6", !request.ip6.empty()},
                               LoneFlag{"mac-address", !request.mac_address.empty()},
                               LoneFlag{"network-alias", !request.network_aliases.empty()}}) {
    if (flag.given)
      throw InvalidArgument(
          concat("--", flag.name, " can only be set when the network mode is bridge: invalid argument"));
  }
}

std::vector<ExposedPorts> plan_exposed(const CreateRequest& request, const storage::ImageConfig& image) {
  std::vector<ExposedPorts> exposed;
  const auto add = [&](const ExposedPorts& ports) {
    if (std::find(exposed.begin(), exposed.end(), ports) == exposed.end()) exposed.push_back(ports);
  };
  for (const std::string& text : image.exposed_ports) {
    try {
      add(parse_exposed(text));
    } catch (const Error&) {
      // An image's mistake, or a protocol that cannot be published, must not keep its user from running it.
    }
  }
  for (const std::string& text : request.expose) add(parse_exposed(text));
  return exposed;
}

bool serves(const Network& network, const IpAddress& address) {
  return std::any_of(network.subnets.begin(), network.subnets.end(),
                     [&](const NetworkSubnet& one) { return netns::contains(one.subnet, address); });
}

bool is_gateway(const Network& network, const IpAddress& address) {
  return std::any_of(network.subnets.begin(), network.subnets.end(),
                     [&](const NetworkSubnet& one) { return one.gateway == address; });
}

bool belongs_to_nobody(const Network& network, const IpAddress& address) {
  return std::any_of(network.subnets.begin(), network.subnets.end(), [&](const NetworkSubnet& one) {
    return address == one.subnet.address ||
           (address.family == Family::v4 && address == netns::last_of(one.subnet));
  });
}

}  // namespace

std::string plan_network_mode(const CreateRequest& request) {
  if (request.networks.empty() || request.networks.front().empty()) return "bridge";
  const std::string& first = request.networks.front();
  const Parts parts = cut_options(first);
  if (is_lone_mode(parts.name)) {
    std::string mode = plan_lone_mode(request, first, parts);
    if (request.networks.size() > 1)
      throw InvalidArgument(concat("cannot set multiple networks without bridge network mode, selected mode ",
                                   mode, ": invalid argument"));
    return mode;
  }
  for (const std::string& text : request.networks) {
    const std::string other = cut_options(text).name;
    if (is_lone_mode(other))
      throw InvalidArgument(concat("can only set extra network names, selected mode ", other,
                                   " conflicts with bridge: invalid argument"));
  }
  return "bridge";
}

NetworkAttachment parse_network_attachment(std::string_view text) {
  const Parts parts = cut_options(text);
  if (parts.name.empty()) fail_flag("network", text, "a network's name is needed");
  NetworkAttachment attachment;
  attachment.network = names_default(parts.name) ? default_network_name : parts.name;
  if (!parts.has_options) return attachment;
  for (const std::string& option : split(parts.options, ',')) apply_option(attachment, text, option);
  return attachment;
}

void wish_address(NetworkAttachment& attachment, std::string_view flag, std::string_view text) {
  const auto address = netns::parse_ip(text);
  if (!address) fail_flag(flag, text, "not an IP address");
  for (const IpAddress& other : attachment.addresses) {
    if (other.family == address->family)
      fail_flag(flag, text,
                concat(netns::render_ip(other), " is wished for already on network ", attachment.network));
  }
  attachment.addresses.push_back(*address);
}

void wish_mac(NetworkAttachment& attachment, std::string_view flag, std::string_view text) {
  const auto mac = netns::parse_mac(text);
  if (!mac) fail_flag(flag, text, "invalid MAC address");
  if (!netns::is_unicast(*mac)) fail_flag(flag, text, "not an address that an interface can have");
  if (attachment.mac)
    fail_flag(flag, text,
              concat("the MAC address ", netns::render_mac(*attachment.mac), " is wished for already"));
  attachment.mac = mac;
}

void add_alias(NetworkAttachment& attachment, std::string_view flag, std::string_view text) {
  if (!is_hostname(text)) fail_flag(flag, text, "not a host name: letters, digits, '-', '.', '_'");
  auto& aliases = attachment.aliases;
  if (std::find(aliases.begin(), aliases.end(), text) == aliases.end()) aliases.emplace_back(text);
}

void plan_networks(const CreateRequest& request, const storage::ImageConfig& image, ContainerConfig& config) {
  config.exposed = plan_exposed(request, image);
  config.publish_all = request.publish_all;
  std::vector<PortMapping> ports =
      plan_ports(request.publish, request.publish_all ? config.exposed : std::vector<ExposedPorts>());
  if (config.namespaces.network != "bridge") {
    refuse_flags_of_bridges(request);
    return;
  }
  config.ports = std::move(ports);
  const bool none_said = request.networks.empty() || request.networks.front().empty();
  for (const std::string& text : none_said ? std::vector<std::string>{"bridge"} : request.networks) {
    for (NetworkAttachment& attachment : parse_attachments(text))
      config.networks.push_back(std::move(attachment));
  }
  apply_flags(request, config.networks);
}

bool discards_ports(const CreateRequest& request, const ContainerConfig& config) {
  return config.namespaces.network != "bridge" && (!request.publish.empty() || request.publish_all);
}

void resolve_networks(std::vector<NetworkAttachment>& attachments,
                      const std::function<Network(const std::string& name_or_id)>& find) {
  for (auto attachment = attachments.begin(); attachment != attachments.end(); ++attachment) {
    const Network network = find(attachment->network);
    attachment->network = network.name;
    check_wishes(*attachment, network);
    for (auto other = attachments.begin(); other != attachment; ++other) {
      if (other->network == attachment->network)
        throw InvalidArgument(concat("network ", network.name, " is given twice"));
      if (!other->interface.empty() && other->interface == attachment->interface)
        throw InvalidArgument(concat("interface_name ", other->interface, " is given twice"));
    }
  }
}

void check_wishes(const NetworkAttachment& attachment, const Network& network) {
  for (const IpAddress& address : attachment.addresses) {
    const std::string text = netns::render_ip(address);
    if (!serves(network, address))
      throw InvalidArgument(
          concat("requested static ip ", text, " not in any subnet on network ", network.name));
    if (is_gateway(network, address))
      throw InvalidArgument(
          concat("requested static ip ", text, " is the gateway of network ", network.name));
    if (belongs_to_nobody(network, address))
      throw InvalidArgument(
          concat("requested static ip ", text, " is no host's address on network ", network.name));
  }
  if (!attachment.aliases.empty() && !network.dns)
    throw InvalidArgument(concat("cannot set network aliases on network ", network.name, ": it has no DNS"));
}

}  // namespace knarr::engine
