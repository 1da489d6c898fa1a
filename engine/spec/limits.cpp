// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/spec/parts.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

constexpr std::uint64_t default_limit = 1048576;  // of open files and of processes

std::string limit_type(const std::string& name) {
  std::string type = "RLIMIT_";
  for (const char c : name) type += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return type;
}

std::uint64_t limit_value(std::int64_t value) {
  return value < 0 ? UINT64_MAX : static_cast<std::uint64_t>(value);  // RLIM_INFINITY
}

bool is_set(const ContainerConfig& config, std::string_view name) {
  return std::any_of(config.ulimits.begin(), config.ulimits.end(), [name](const UlimitRequest& limit) {
    return limit.name == name || limit.name == "host";
  });
}

void add_default_limit(const ContainerConfig& config, const char* name, std::uint64_t hard, Spec& spec) {
  if (is_set(config, name)) return;
  // Nobody without privilege can raise a hard limit.
  const std::uint64_t value = std::min(default_limit, hard);
  spec.process.rlimits.push_back({.type = limit_type(name), .soft = value, .hard = value});
}

}  // namespace

void build_limits(const SpecInput& input, Spec& spec) {
  add_default_limit(input.config, "nofile", input.facts.max_open_files, spec);
  add_default_limit(input.config, "nproc", input.facts.max_processes, spec);
  for (const UlimitRequest& limit : input.config.ulimits) {
    if (limit.name == "host") continue;
    spec.process.rlimits.push_back(
        {.type = limit_type(limit.name), .soft = limit_value(limit.soft), .hard = limit_value(limit.hard)});
  }
  if (!input.config.oom_score_adj) return;
  // Lowering it takes this capability over the host.
  const auto resource = rootless::capability_bit(*rootless::parse_capability("SYS_RESOURCE"));
  const bool may_lower = input.host.rootful && (input.facts.bounding & resource) != 0;
  spec.process.oom_score_adj = may_lower ? *input.config.oom_score_adj
                                         : std::max(*input.config.oom_score_adj, input.facts.oom_score_adj);
}

}  // namespace knarr::engine
