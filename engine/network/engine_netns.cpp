// SPDX-License-Identifier: Apache-2.0
#include "engine/network/engine_netns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/netd/way_out.h"
#include "engine/network/live_network.h"
#include "netns/bridge.h"
#include "netns/engine_netns.h"
#include "netns/enter.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

constexpr const char* lock_name = "/lock";
constexpr const char* holders_name = "/holders";
// What this kernel's packet filter lacks.
constexpr const char* firewall_name = "/firewall";
// Why there is no device for the way out.
constexpr const char* way_out_lack_name = "/no-way-out";

struct Holder {
  sys::ProcessId process;
  int fd = -1;
};

std::string render_holder(const Holder& holder) {
  return concat(holder.process.pid, ' ', holder.process.start_time, ' ', holder.fd, '\n');
}

// A line that a full disk cut short is nobody's.
std::optional<Holder> parse_holder(const std::string& line) {
  Holder holder;
  int end = 0;
  const int fields = std::sscanf(line.c_str(), "%d %" SCNu64 " %d%n", &holder.process.pid,
                                 &holder.process.start_time, &holder.fd, &end);
  if (fields != 3 || static_cast<std::size_t>(end) != line.size()) return std::nullopt;
  return holder;
}

std::vector<Holder> read_holders(const NetworkPlace& place) {
  const std::string text = sys::read_file_if_exists(AT_FDCWD, place.directory() + holders_name).value_or("");
  std::vector<Holder> holders;
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    if (const auto holder = parse_holder(text.substr(begin, end - begin))) holders.push_back(*holder);
  }
  return holders;
}

// Whether it is a network namespace that belongs to the user namespace this process is in: that of another R
// (/etc/subuid was edited meanwhile) could not be entered.
bool is_ours(int netns_fd) {
  if (::ioctl(netns_fd, NS_GET_NSTYPE) != CLONE_NEWNET) return false;
  const sys::UniqueFd owner(::ioctl(netns_fd, NS_GET_USERNS));
  struct stat theirs, ours;
  return owner && ::fstat(owner.get(), &theirs) == 0 && ::stat("/proc/self/ns/user", &ours) == 0 &&
         theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
}

sys::UniqueFd open_held(const Holder& holder) {
  const sys::UniqueFd process = sys::open_process(holder.process);
  if (!process) return {};
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/fd/%d", holder.process.pid, holder.fd);
  sys::UniqueFd netns(::open(path, O_RDONLY | O_CLOEXEC));
  // Alive after it was opened: then the descriptor was its own and not that of a later process.
  if (!netns || !sys::send_signal(process.get(), 0) || !is_ours(netns.get())) return {};
  return netns;
}

// The list is cleaned when its first line is of the dead and each time it has grown by as many.
constexpr std::size_t prune_interval = 256;

void prune_holders(const NetworkPlace& place, const std::vector<Holder>& holders) {
  std::string alive;
  for (const Holder& holder : holders) {
    if (sys::is_alive(holder.process)) alive += render_holder(holder);
  }
  sys::replace_file(AT_FDCWD, place.directory() + holders_name, alive, 0600, sys::Durability::none);
}

// What the packet filter needs of all networks that have been used in this boot.
std::vector<netns::Bridge> live_bridges(const NetworkPlace& place) {
  std::vector<netns::Bridge> bridges;
  for (const std::string& name : sys::list_directory(AT_FDCWD, place.directory() + "/networks")) {
    const auto live = read_live_network(place.run_root, name);
    if (!live || live->bridge.size() >= netns::interface_name_size) continue;
    netns::Bridge& bridge = bridges.emplace_back();
    live->bridge.copy(bridge.name, sizeof bridge.name - 1);
    bridge.internal = live->internal;
    bridge.isolation = live->isolation;
  }
  return bridges;
}

void note_lack(const NetworkPlace& place, const char* name, const std::string& words) {
  const std::string path = place.directory() + name;
  if (words.empty()) {
    sys::unlink_if_exists(AT_FDCWD, path);
  } else {
    sys::replace_file(AT_FDCWD, path, words, 0600, sys::Durability::none);
  }
}

void note_firewall(const NetworkPlace& place, const netns::Firewall& firewall) {
  note_lack(place, firewall_name, firewall.reason);
}

// Containers run without it, too.
void prepare_way_out(const NetworkPlace& place, netns::Namespace& engine) {
  const WayOutKind kind = find_way_out().kind;
  std::string lack;
  try {
    if (kind != WayOutKind::none) make_way_out_device(engine, kind);
  } catch (const Error& error) {
    lack = error.message();
  }
  note_lack(place, way_out_lack_name, lack);
}

sys::UniqueFd make_engine_netns(const NetworkPlace& place) {
  sys::UniqueFd netns = netns::make_network_namespace();
  // Closed with the process, once per RN: the kernel makes who closes a socket of nf_tables wait 10 ms for
  // the change of its rules.
  auto* const engine = new netns::Namespace(netns::open_namespace(netns.get(), netns::Filtering::yes));
  note_firewall(place, netns::apply_engine_netns(*engine, way_out_interface, live_bridges(place)));
  prepare_way_out(place, *engine);
  return netns;
}

bool has_ipv6(const netns::Bridge& bridge) {
  return std::any_of(bridge.addresses, bridge.addresses + bridge.address_count,
                     [](const auto& address) { return address.address.family == netns::Family::v6; });
}

}  // namespace

sys::Lock lock_networks(const NetworkPlace& place) {
  const std::string path = place.directory() + lock_name;
  try {
    return sys::Lock::acquire(AT_FDCWD, path, sys::Lock::Mode::exclusive);
  } catch (const NotFound&) {
    // The first one in this boot.
    sys::make_directories(AT_FDCWD, place.directory(), 0700);
    sys::open_at(AT_FDCWD, path, O_WRONLY | O_CREAT, 0600);
    return sys::Lock::acquire(AT_FDCWD, path, sys::Lock::Mode::exclusive);
  }
}

sys::UniqueFd find_engine_netns(const NetworkPlace& place) {
  if (place.rootful) return netns::open_own_network_namespace();
  const std::vector<Holder> holders = read_holders(place);
  for (const Holder& holder : holders) {
    sys::UniqueFd netns = open_held(holder);
    if (!netns) continue;
    if (&holder != &holders.front() || holders.size() % prune_interval == 0) prune_holders(place, holders);
    return netns;
  }
  return {};
}

sys::UniqueFd hold_engine_netns(const NetworkPlace& place) {
  sys::UniqueFd netns = find_engine_netns(place);
  if (place.rootful) return netns;
  if (!netns) {
    // Whoever is on record is dead.
    sys::unlink_if_exists(AT_FDCWD, place.directory() + holders_name);
    netns = make_engine_netns(place);
  }
  record_netns_holder(place, sys::identify(::getpid()), netns.get());
  return netns;
}

void apply_network(const NetworkPlace& place, netns::Namespace& engine, const netns::Bridge& bridge) {
  netns::apply_bridge(engine, bridge);
  if (netns::apply_bridge_rules(engine.filter, bridge) == netns::TableState::there) return;
  const std::vector<netns::Bridge> bridges = live_bridges(place);
  // Nothing of the host's is changed before the first container needs it; and somebody may have flushed the
  // rules (`nft flush ruleset`).
  note_firewall(place, place.rootful ? netns::apply_host_netns(engine, bridges, has_ipv6(bridge))
                                     : netns::apply_engine_netns(engine, way_out_interface, bridges));
}

std::vector<std::string> read_network_lacks(const NetworkPlace& place) {
  std::vector<std::string> lacks;
  if (const auto reason = sys::read_file_if_exists(AT_FDCWD, place.directory() + firewall_name))
    lacks.push_back(concat("networks are not kept apart, or have no way out: ", *reason));
  if (const auto reason = sys::read_file_if_exists(AT_FDCWD, place.directory() + way_out_lack_name))
    lacks.push_back(concat("containers cannot reach the outside: ", *reason));
  return lacks;
}

void record_netns_holder(const NetworkPlace& place, const sys::ProcessId& process, int fd) {
  const sys::UniqueFd file =
      sys::open_at(AT_FDCWD, place.directory() + holders_name, O_WRONLY | O_CREAT | O_APPEND, 0600);
  sys::write_all(file.get(), render_holder({process, fd}), holders_name);
}

}  // namespace knarr::engine
