// SPDX-License-Identifier: Apache-2.0
#include "engine/seccomp/cached_filter.h"

#include <sys/utsname.h>

#include <cstring>

#include "engine/seccomp/built_in.h"
#include "engine/seccomp/hash.h"
#include "rootless/sys/error.h"

namespace knarr::engine::seccomp {

namespace {

// The number counts the changes of the format and of what the compiler makes of a profile.
constexpr std::string_view magic = "knarr seccomp 1\n";
constexpr std::size_t hash_digits = 32;
constexpr std::size_t head_size = magic.size() + 2 * hash_digits;

std::string_view bytes_of(const std::vector<sock_filter>& program) {
  return {reinterpret_cast<const char*>(program.data()), program.size() * sizeof(sock_filter)};
}

std::string head_of(const std::string& key, std::string_view program) {
  Hash hash;
  hash.add(program);
  return concat(magic, key, hash.hex());
}

}  // namespace

std::string filter_key(const std::optional<std::string>& profile, rootless::CapabilitySet capabilities) {
  utsname machine{};
  ::uname(&machine);
  Hash hash;
  hash.add(magic);
  hash.add(std::string_view(KNARR_VERSION));
  hash.add(built_in.fingerprint);
  hash.add(std::string_view(machine.machine));
  hash.add(std::string_view(machine.release));
  hash.add(std::uint64_t{capabilities});
  hash.add(std::uint64_t{profile.has_value()});
  if (profile) hash.add(std::string_view(*profile));
  return hash.hex();
}

std::string render_filter(const std::string& key, const std::vector<sock_filter>& program) {
  return concat(head_of(key, bytes_of(program)), bytes_of(program));
}

std::optional<std::vector<sock_filter>> parse_filter(const std::string& key, std::string_view file) {
  if (file.size() <= head_size) return std::nullopt;
  const std::string_view bytes = file.substr(head_size);
  if (bytes.size() % sizeof(sock_filter) != 0 || bytes.size() / sizeof(sock_filter) > BPF_MAXINSNS)
    return std::nullopt;
  if (file.substr(0, head_size) != head_of(key, bytes)) return std::nullopt;
  std::vector<sock_filter> program(bytes.size() / sizeof(sock_filter));
  std::memcpy(program.data(), bytes.data(), bytes.size());
  return program;
}

}  // namespace knarr::engine::seccomp
