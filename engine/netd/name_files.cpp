// SPDX-License-Identifier: Apache-2.0
#include "engine/netd/name_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/process.h"

namespace knarr::engine::netd {

namespace {

constexpr std::size_t longest_file = 4096;
constexpr std::size_t short_id_length = 12;

std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

// "PID START", and what follows in `rest`.
std::optional<sys::ProcessId> parse_owner(std::string_view line, std::string_view& rest) {
  sys::ProcessId owner;
  const char* const end = line.data() + line.size();
  const auto pid = std::from_chars(line.data(), end, owner.pid);
  if (pid.ec != std::errc{} || pid.ptr == end || *pid.ptr != ' ') return std::nullopt;
  const auto start = std::from_chars(pid.ptr + 1, end, owner.start_time);
  if (start.ec != std::errc{}) return std::nullopt;
  rest = line.substr(static_cast<std::size_t>(start.ptr - line.data()));
  return owner;
}

// nullopt also for what cannot be read: one damaged file must not silence a network.
std::optional<std::string> read_short_file(int directory_fd, const std::string& path) {
  try {
    return sys::read_file_if_exists(directory_fd, path, longest_file);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::vector<std::string> list(int directory_fd, const std::string& path) {
  try {
    return sys::list_directory(directory_fd, path);
  } catch (const Error&) {
    return {};
  }
}

// The lines after that of a living owner.
std::optional<std::string> read_owned_file(int directory_fd, const std::string& path) {
  const auto text = read_short_file(directory_fd, path);
  if (!text) return std::nullopt;
  std::string_view rest = *text, after_owner;
  const auto owner = parse_owner(next_line(rest), after_owner);
  if (!owner || !sys::is_alive(*owner)) return std::nullopt;
  return std::string(after_owner.substr(std::min<std::size_t>(after_owner.size(), 1))) + '\n' +
         std::string(rest);
}

}  // namespace

bool is_name(std::string_view name) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && name.size() <= 253 && is_plain(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_plain(c) || c == '-' || c == '.'; });
}

NameFiles::NameFiles(const std::string& directory) : directory_(sys::open_directory(AT_FDCWD, directory)) {}

ServedNetwork NameFiles::network(const std::string& network) const {
  return parse_served_network(
      read_short_file(directory_.get(), concat(network, '/', served_network_name)).value_or(""));
}

std::vector<std::string> NameFiles::networks() const {
  return list(directory_.get(), ".");
}

std::vector<netns::IpAddress> NameFiles::find(const std::string& network, const std::string& name) const {
  std::vector<netns::IpAddress> addresses;
  const std::string place = concat(network, "/names/", name);
  for (const std::string& container : list(directory_.get(), place)) {
    const auto lines = read_owned_file(directory_.get(), concat(place, '/', container));
    if (!lines) continue;
    for (std::string_view rest = *lines; !rest.empty();) {
      if (const auto address = netns::parse_ip(next_line(rest))) addresses.push_back(*address);
    }
  }
  return addresses;
}

std::string NameFiles::owner(const std::string& network, const netns::IpAddress& address) const {
  const auto lines =
      read_owned_file(directory_.get(), concat(network, "/leases/", netns::render_ip(address)));
  if (!lines) return "";
  std::string_view rest = *lines;
  return std::string(next_line(rest));
}

std::vector<std::string> NameFiles::names_of(const std::string& network, const std::string& container) const {
  std::vector<std::string> names;
  const std::string place = concat(network, "/names");
  for (std::string& name : list(directory_.get(), place)) {
    if (sys::stat_at(directory_.get(), concat(place, '/', name, '/', container)))
      names.push_back(std::move(name));
  }
  const std::string short_id = container.substr(0, short_id_length);
  std::sort(names.begin(), names.end(), [&](const std::string& one, const std::string& other) {
    return std::pair(one == short_id, one) < std::pair(other == short_id, other);
  });
  return names;
}

bool NameFiles::is_member(const std::string& network, const std::string& container) const {
  const std::string place = concat(network, "/names/", container.substr(0, short_id_length));
  return sys::stat_at(directory_.get(), concat(place, '/', container)).has_value();
}

}  // namespace knarr::engine::netd
