// SPDX-License-Identifier: Apache-2.0
#include "engine/network/leases.h"

#include <fcntl.h>

#include <algorithm>
#include <exception>
#include <map>

#include "engine/network/names.h"
#include "engine/network/run_paths.h"
#include "engine/request/values.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

using netns::IpAddress;
using netns::Subnet;

std::string lease_directory(const std::string& run_root, const std::string& network) {
  return network_run_directory(run_root, network) + "/leases";
}

// The leases of a network while its lock is held.
class LeaseBook {
 public:
  LeaseBook(const std::string& run_root, const std::string& network)
      : network_(network),
        lock_(lock_network(run_root, network)),
        directory_(lease_directory(run_root, network)),
        last_path_(network_run_directory(run_root, network) + "/last") {
    sys::make_directories(AT_FDCWD, directory_, 0700);
    for (const std::string& name : sys::list_directory(AT_FDCWD, directory_)) {
      if (const auto address = netns::parse_ip(name)) present_.insert(*address);
    }
    for (const std::string& line : split(sys::read_file_if_exists(AT_FDCWD, last_path_).value_or(""), '\n')) {
      const auto parts = split_once(line, ' ');
      const auto subnet = parts ? netns::parse_subnet(parts->first) : std::nullopt;
      const auto address = parts ? netns::parse_ip(parts->second) : std::nullopt;
      if (subnet && address) last_[*subnet] = *address;
    }
  }

  // Of a living owner.
  std::optional<LeaseOwner> owner(const IpAddress& address) const {
    if (!present_.contains(address)) return std::nullopt;
    const auto text = sys::read_file_if_exists(AT_FDCWD, path(address));
    auto owner = text ? parse_lease(*text) : std::nullopt;
    if (!owner || !sys::is_alive(owner->monitor)) return std::nullopt;
    return owner;
  }

  void write(const IpAddress& address, const LeaseOwner& owner) {
    sys::replace_file(AT_FDCWD, path(address), render_lease(owner), 0600, sys::Durability::none);
    present_.insert(address);
  }
  void erase(const IpAddress& address) {
    sys::unlink_if_exists(AT_FDCWD, path(address));
    present_.erase(address);
  }

  std::optional<IpAddress> last(const Subnet& subnet) const {
    const auto found = last_.find(subnet);
    return found == last_.end() ? std::nullopt : std::optional(found->second);
  }
  void remember_last(const Subnet& subnet, const IpAddress& address) {
    last_[subnet] = address;
    std::string text;
    for (const auto& [key, value] : last_)
      text += concat(netns::render_subnet(key), " ", netns::render_ip(value), "\n");
    sys::replace_file(AT_FDCWD, last_path_, text, 0600, sys::Durability::none);
  }

  std::size_t size() const { return present_.size(); }
  const std::string& network() const { return network_; }

 private:
  std::string path(const IpAddress& address) const { return directory_ + "/" + netns::render_ip(address); }

  std::string network_;
  sys::Lock lock_;
  std::string directory_, last_path_;
  std::set<IpAddress> present_;
  std::map<Subnet, IpAddress> last_;
};

// The first and the last address that may be given.
std::pair<IpAddress, IpAddress> bounds(const NetworkSubnet& subnet) {
  IpAddress first = *netns::advance(subnet.subnet.address, 1);
  IpAddress last = netns::last_of(subnet.subnet);
  if (subnet.range.start) first = std::max(first, *subnet.range.start);
  if (subnet.range.end) last = std::min(last, *subnet.range.end);
  return {first, last};
}

bool may_be_given(const NetworkSubnet& subnet, const IpAddress& address) {
  const bool broadcast = address.family == netns::Family::v4 && address == netns::last_of(subnet.subnet);
  return address != subnet.gateway && !broadcast;
}

IpAddress take_wished(LeaseBook& book, const IpAddress& address, const LeaseRequest& request,
                      const LeaseOwner& owner) {
  if (const auto other = book.owner(address)) {
    const std::string name =
        request.name_of ? request.name_of(other->container) : other->container.substr(0, 12);
    throw Conflict(concat("IP address ", netns::render_ip(address), " of network ", book.network(),
                          " is in use by container ", name));
  }
  book.write(address, owner);
  return address;
}

IpAddress take_next(LeaseBook& book, const NetworkSubnet& subnet, const LeaseRequest& request,
                    const LeaseOwner& owner) {
  const auto [first, last] = bounds(subnet);
  const auto given = book.last(subnet.subnet);
  IpAddress candidate = given && *given >= first && *given < last ? *netns::advance(*given, 1) : first;
  const IpAddress begin = candidate;
  // Of so many one is free, or they are all there are: a subnet of IPv6 is never walked to its end.
  const std::size_t attempts = book.size() + request.reserved.size() + 3;
  for (std::size_t attempt = 0; attempt < attempts; ++attempt) {
    if (may_be_given(subnet, candidate) && !request.reserved.contains(candidate) && !book.owner(candidate)) {
      book.write(candidate, owner);
      book.remember_last(subnet.subnet, candidate);
      return candidate;
    }
    candidate = candidate < last ? *netns::advance(candidate, 1) : first;
    if (candidate == begin) break;
  }
  Error error(concat("network ", book.network(), " has no free address left in ", netns::render_ip(first),
                     " to ", netns::render_ip(last)));
  error.set_hint("remove containers, or make a network with a larger --subnet");
  throw error;
}

IpAddress take_one(LeaseBook& book, const NetworkSubnet& subnet, const LeaseRequest& request,
                   const LeaseOwner& owner) {
  for (const IpAddress& wished : request.wished) {
    if (netns::contains(subnet.subnet, wished)) return take_wished(book, wished, request, owner);
  }
  return take_next(book, subnet, request, owner);
}

}  // namespace

std::string render_lease(const LeaseOwner& owner) {
  return concat(render_process(owner.monitor), " ", owner.container, "\n");
}

std::optional<LeaseOwner> parse_lease(std::string_view text) {
  if (!text.ends_with('\n')) return std::nullopt;
  text.remove_suffix(1);
  const std::size_t end = text.rfind(' ');
  if (end == std::string_view::npos) return std::nullopt;
  const auto monitor = parse_process(text.substr(0, end));
  if (!monitor || end + 1 == text.size()) return std::nullopt;
  return LeaseOwner{.monitor = *monitor, .container = std::string(text.substr(end + 1))};
}

std::vector<Subnet> take_leases(const std::string& run_root, const Network& network,
                                const LeaseRequest& request, const LeaseOwner& owner) {
  LeaseBook book(run_root, network.name);
  std::vector<Subnet> taken;
  try {
    for (const NetworkSubnet& subnet : network.subnets)
      taken.push_back({take_one(book, subnet, request, owner), subnet.subnet.prefix});
  } catch (...) {
    for (const Subnet& address : taken) book.erase(address.address);
    throw;
  }
  return taken;
}

void release_leases(const std::string& run_root, const std::string& network,
                    const std::vector<Subnet>& addresses, const std::string& container) {
  if (addresses.empty()) return;
  const sys::Lock lock = lock_network(run_root, network);
  const std::string directory = lease_directory(run_root, network);
  for (const Subnet& address : addresses) {
    const std::string path = concat(directory, "/", netns::render_ip(address.address));
    const auto text = sys::read_file_if_exists(AT_FDCWD, path);
    const auto owner = text ? parse_lease(*text) : std::nullopt;
    if (owner && owner->container == container) sys::unlink_if_exists(AT_FDCWD, path);
  }
}

std::optional<LeaseOwner> find_lease(const std::string& run_root, const std::string& network,
                                     const IpAddress& address) {
  const auto text = sys::read_file_if_exists(
      AT_FDCWD, concat(lease_directory(run_root, network), "/", netns::render_ip(address)));
  auto owner = text ? parse_lease(*text) : std::nullopt;
  if (!owner || !sys::is_alive(owner->monitor)) return std::nullopt;
  return owner;
}

void release_all(const std::string& run_root, const NetworkRunRecord& record, const std::string& container) {
  std::exception_ptr failure;
  const auto go_on = [&failure](auto&& act) {
    try {
      act();
    } catch (const Error&) {
      if (!failure) failure = std::current_exception();
    }
  };
  for (const AttachedNetwork& attached : record.networks) {
    go_on([&] { withdraw_names(run_root, attached.network, attached.names, container); });
    go_on([&] { release_leases(run_root, attached.network, attached.addresses, container); });
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace knarr::engine
