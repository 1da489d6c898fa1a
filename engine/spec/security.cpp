// SPDX-License-Identifier: Apache-2.0
#include <fnmatch.h>

#include <algorithm>

#include "engine/request/values.h"
#include "engine/spec/parts.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

using rootless::CapabilitySet;

constexpr const char* masked_paths[] = {"/proc/acpi",        "/proc/kcore",
                                        "/proc/keys",        "/proc/latency_stats",
                                        "/proc/sched_debug", "/proc/scsi",
                                        "/proc/timer_list",  "/proc/timer_stats",
                                        "/proc/interrupts",  "/sys/devices/virtual/powercap",
                                        "/sys/firmware",     "/sys/fs/selinux"};
constexpr const char* readonly_paths[] = {"/proc/asound", "/proc/bus", "/proc/fs",
                                          "/proc/irq",    "/proc/sys", "/proc/sysrq-trigger"};

bool is_unmasked(const SecurityOptions& security, const std::string& path) {
  return std::any_of(security.unmask.begin(), security.unmask.end(), [&path](const std::string& pattern) {
    return pattern == path || ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0;
  });
}

void build_paths(const SpecInput& input, const NamespacePlanning& namespaces, const SecurityOptions& security,
                 Spec& spec) {
  if (!input.config.privileged && !security.unmask_all) {
    const auto keep = [&security](std::vector<std::string>& paths, const std::string& path) {
      if (!is_unmasked(security, path)) paths.push_back(path);
    };
    for (const char* path : masked_paths) keep(spec.masked_paths, path);
    for (const std::string& path : input.facts.thermal_directories) keep(spec.masked_paths, path);
    // A /sys of the host shows more than one of our own: debugfs, tracefs and the like below it.
    if (!namespaces.owns_network) keep(spec.masked_paths, "/sys/kernel");
    for (const char* path : readonly_paths) keep(spec.readonly_paths, path);
  }
  spec.masked_paths.insert(spec.masked_paths.end(), security.mask.begin(), security.mask.end());
}

// An image may ask for less than the default, by a label; never for more.
CapabilitySet narrow_by_label(const ContainerConfig& config, CapabilitySet capabilities) {
  const auto label = config.labels.find("io.containers.capabilities");
  if (label == config.labels.end() || !config.cap_add.empty() || !config.cap_drop.empty())
    return capabilities;
  CapabilitySet wanted = 0;
  for (const std::string& name : split(label->second, ',')) {
    const auto capability = rootless::parse_capability(name);
    if (!capability) return capabilities;
    wanted |= rootless::capability_bit(*capability);
  }
  return (wanted & ~capabilities) == 0 ? wanted : capabilities;
}

// In the caller's own user namespace nobody gets what the caller does not have.
CapabilitySet limit_to_caller(const SpecInput& input, const NamespacePlanning& namespaces,
                              CapabilitySet wanted) {
  const bool shares_caller = input.host.rootful && !namespaces.new_user_namespace;
  if (!shares_caller) return wanted;
  for (const std::string& name : input.config.cap_add) {
    const auto capability = rootless::parse_capability(name);
    if (capability && (rootless::capability_bit(*capability) & wanted & ~input.facts.bounding) != 0) {
      throw Unsupported(concat("--cap-add ", name, ": the caller itself does not have this capability"));
    }
  }
  return wanted & input.facts.bounding;
}

// Root has all that the container may have. Anybody else has what the user named, and keeps it over
// execve(2): that takes the inheritable and the ambient set.
void build_capabilities(const SpecInput& input, const NamespacePlanning& namespaces, Spec& spec) {
  const ContainerConfig& config = input.config;
  CapabilitySet wanted =
      config.privileged
          ? rootless::all_capabilities()
          : narrow_by_label(config, rootless::plan_capabilities(rootless::default_capabilities(),
                                                                config.cap_add, config.cap_drop));
  const CapabilitySet bounding = limit_to_caller(input, namespaces, wanted);
  const CapabilitySet named = rootless::plan_capabilities(0, config.cap_add, config.cap_drop) & bounding;
  spec.process.capabilities_root = {.bounding = bounding, .effective = bounding, .permitted = bounding};
  spec.process.capabilities_user = {
      .bounding = bounding, .effective = named, .permitted = named, .inheritable = named, .ambient = named};
}

std::string seccomp_profile(const ContainerConfig& config, const SecurityOptions& security) {
  if (!security.seccomp.empty()) return security.seccomp;
  return config.privileged ? "unconfined" : "default";
}

}  // namespace

void build_security(const SpecInput& input, const NamespacePlanning& namespaces,
                    const SecurityOptions& security, Spec& spec) {
  build_capabilities(input, namespaces, spec);
  build_paths(input, namespaces, security, spec);
  spec.process.no_new_privileges = security.no_new_privileges;
  spec.seccomp = seccomp_profile(input.config, security);
}

}  // namespace knarr::engine
