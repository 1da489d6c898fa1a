// SPDX-License-Identifier: Apache-2.0
// What one start of a container takes of networks, by the command: the host's ports, addresses, names. The
// interfaces are the monitor's work (monitor/network.h), and giving everything back at the end is, too.
#pragma once

#include <vector>

#include "engine/engine.h"
#include "engine/etc_files.h"
#include "engine/launch/arena.h"
#include "engine/monitor/network.h"
#include "engine/network/run_record.h"
#include "netns/forward/bind.h"

namespace knarr::engine {

// Whether a start has anything to do with networks.
bool has_networks(const ContainerConfig& config);

// The ports of a running container, for its next run: between the two nobody else gets them, and who connects
// meanwhile waits.
struct HeldPorts {
  std::vector<PortMapping> wanted;  // with the host's ports
  struct Port {
    netns::forward::Transport transport;
    std::uint16_t container_port;
    sys::UniqueFd socket;
  };
  std::vector<Port> ports;
};
// Empty when it publishes none, or when its monitor's descriptors are out of reach.
HeldPorts hold_ports(const Engine& engine, const std::string& container_id);

class NetworkStart {
 public:
  // Takes ports and addresses, for as long as `monitor` lives; publishes the names. Throws Conflict
  // that names who has what was asked for; then nothing is kept. Does nothing for a container without
  // networks.
  NetworkStart(const Engine& engine, const ContainerConfig& config, const sys::ProcessId& monitor,
               HeldPorts held);
  // Gives back what was taken unless the start has succeeded.
  ~NetworkStart();
  NetworkStart(const NetworkStart&) = delete;
  NetworkStart& operator=(const NetworkStart&) = delete;

  const NetworkRunRecord& record() const { return record_; }
  NetworkNames names() const;
  // In the run directory, which must exist: what the monitor gives back.
  void write_record() const;
  // nullptr without networks. Its ports refer to descriptors().
  const monitor::NetworkPlan* lay_out(Arena& arena) const;
  std::vector<int> descriptors() const;
  // Tells the user once what this machine lacks for networks.
  void succeeded();

 private:
  bool take_held_ports(HeldPorts held);
  void take_ports();
  void take_addresses();
  void publish();
  void give_back() noexcept;

  const Engine& engine_;
  const ContainerConfig& config_;
  const sys::ProcessId monitor_;
  std::vector<Network> networks_;
  NetworkRunRecord record_;
  std::vector<HeldPorts::Port> ports_;
  bool give_back_ = true;
};

}  // namespace knarr::engine
