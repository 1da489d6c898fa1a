// SPDX-License-Identifier: Apache-2.0
#include "engine/network/names.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "engine/network/run_paths.h"
#include "engine/request/names.h"
#include "engine/request/values.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

constexpr std::size_t max_name_bytes = 253;  // RFC 1035, without the dot at the end

std::string names_directory(const std::string& run_root, std::string_view network) {
  return network_run_directory(run_root, network) + "/names";
}

}  // namespace

std::string render_name_entry(const NameEntry& entry) {
  std::string text = render_process(entry.monitor) + "\n";
  for (const netns::IpAddress& address : entry.addresses) text += netns::render_ip(address) + "\n";
  return text;
}

std::optional<NameEntry> parse_name_entry(std::string_view text) {
  if (!text.ends_with('\n')) return std::nullopt;
  text.remove_suffix(1);
  const std::vector<std::string> lines = split(text, '\n');
  const auto monitor = parse_process(lines.front());
  if (!monitor) return std::nullopt;
  NameEntry entry{.monitor = *monitor, .addresses = {}};
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto address = netns::parse_ip(lines[i]);
    if (!address) return std::nullopt;
    entry.addresses.push_back(*address);
  }
  return entry;
}

std::optional<std::string> canonical_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  // It becomes a file's name, too: neither a slash nor a dot in front passes.
  if (name.size() > max_name_bytes || !is_hostname(name)) return std::nullopt;
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

void publish_names(const std::string& run_root, const std::string& network,
                   const std::vector<std::string>& names, const std::string& container,
                   const NameEntry& entry) {
  const sys::Lock lock = lock_network(run_root, network);
  const std::string directory = names_directory(run_root, network);
  for (const std::string& name : names) {
    const auto canonical = canonical_name(name);
    if (!canonical) continue;
    const std::string place = concat(directory, "/", *canonical);
    sys::make_directories(AT_FDCWD, place, 0700);
    sys::replace_file(AT_FDCWD, concat(place, "/", container), render_name_entry(entry), 0600,
                      sys::Durability::none);
  }
}

void withdraw_names(const std::string& run_root, const std::string& network,
                    const std::vector<std::string>& names, const std::string& container) {
  if (names.empty()) return;
  const sys::Lock lock = lock_network(run_root, network);
  const std::string directory = names_directory(run_root, network);
  for (const std::string& name : names) {
    const auto canonical = canonical_name(name);
    if (!canonical) continue;
    const std::string place = concat(directory, "/", *canonical);
    sys::unlink_if_exists(AT_FDCWD, concat(place, "/", container));
    ::rmdir(place.c_str());  // fails while another container has the name, too
  }
}

std::vector<netns::IpAddress> lookup_name(const std::string& run_root, const std::string& network,
                                          std::string_view name) {
  const auto canonical = canonical_name(name);
  if (!canonical) return {};
  const std::string place = concat(names_directory(run_root, network), "/", *canonical);
  std::vector<netns::IpAddress> addresses;
  for (const std::string& container : sys::list_directory(AT_FDCWD, place)) {
    const auto text = sys::read_file_if_exists(AT_FDCWD, concat(place, "/", container));
    const auto entry = text ? parse_name_entry(*text) : std::nullopt;
    if (!entry || !sys::is_alive(entry->monitor)) continue;
    addresses.insert(addresses.end(), entry->addresses.begin(), entry->addresses.end());
  }
  std::sort(addresses.begin(), addresses.end());
  return addresses;
}

}  // namespace knarr::engine
