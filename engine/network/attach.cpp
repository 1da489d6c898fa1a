// SPDX-License-Identifier: Apache-2.0
#include "engine/network/attach.h"

#include "engine/network/leases.h"
#include "engine/network/live_network.h"
#include "engine/network/names.h"
#include "engine/network/plan_attachments.h"
#include "engine/network/reservations.h"
#include "netns/network_plan.h"

namespace knarr::engine {

AttachedNetwork take_attachment(const Engine& engine, const ContainerConfig& config,
                                const NetworkAttachment& wish, const Network& network,
                                const sys::ProcessId& monitor, const std::vector<AttachedNetwork>& others) {
  require_attachable(network);
  const auto exists = [&](const std::string& id) { return engine.containers().find_id(id).has_value(); };
  const LeaseRequest request{
      .wished = wish.addresses,
      .reserved = reserved_addresses(engine.store().root(), network.name, config.id, exists),
      .name_of = [&](const std::string& id) { return engine.load_config(id).name; }};
  const auto addresses = take_leases(engine.paths().run_root, network, request, {monitor, config.id});
  return plan_attachment(config, {wish, network, addresses}, others);
}

void publish_attachment(const Engine& engine, const Network& network, const AttachedNetwork& attached,
                        const std::string& container_id, const sys::ProcessId& monitor) {
  const std::string& run_root = engine.paths().run_root;
  write_live_network(run_root, network, host_address(engine, {network}));
  NameEntry entry{.monitor = monitor, .addresses = {}};
  for (const netns::Subnet& address : attached.addresses) entry.addresses.push_back(address.address);
  publish_names(run_root, attached.network, attached.names, container_id, entry);
}

void give_back_attachment(const Engine& engine, const AttachedNetwork& attached,
                          const std::string& container_id) {
  release_all(engine.paths().run_root, {.networks = {attached}, .ports = {}, .dns_servers = {}},
              container_id);
}

void give_back_networks(const Engine& engine, const std::string& container_id) {
  const auto record = read_network_record(engine.run_directory(container_id));
  if (record) release_all(engine.paths().run_root, *record, container_id);
}

std::optional<netns::IpAddress> host_address(const Engine& engine, const std::vector<Network>& networks) {
  for (const Network& network : networks) {
    if (network.internal || network.subnets.empty()) continue;
    // Rootful, the bridge is the host's.
    return engine.host().rootful ? network.subnets.front().gateway : netns::parse_ip("169.254.1.2");
  }
  return std::nullopt;
}

std::uint32_t default_mtu(const Engine& engine) {
  return engine.host().rootful ? 1500 : netns::rootless_mtu;
}

}  // namespace knarr::engine
