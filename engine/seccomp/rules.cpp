// SPDX-License-Identifier: Apache-2.0
#include "engine/seccomp/rules.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace knarr::engine::seccomp {

namespace {

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

bool is_included(const Circumstances& includes, const Target& target, std::string_view machine) {
  const bool capable = (includes.capabilities & ~target.capabilities) == 0;
  const bool here = includes.machines.empty() || contains(includes.machines, machine);
  return capable && here && target.kernel >= includes.min_kernel;
}

bool is_excluded(const Circumstances& excludes, const Target& target, std::string_view machine) {
  const bool capable = (excludes.capabilities & target.capabilities) != 0;
  const bool new_enough = excludes.min_kernel != KernelVersion{} && target.kernel >= excludes.min_kernel;
  return capable || new_enough || contains(excludes.machines, machine);
}

}  // namespace

std::string machine_name(std::string_view architecture) {
  constexpr std::pair<std::string_view, std::string_view> others[] = {
      {"x86_64", "amd64"},  {"aarch64", "arm64"},           {"mipsel64", "mips64le"},
      {"mipsel", "mipsle"}, {"mipsel64n32", "mips64p32le"}, {"mips64n32", "mips64p32"}};
  for (const auto& [ours, go] : others) {
    if (architecture == ours) return std::string(go);
  }
  return std::string(architecture);
}

std::optional<KernelVersion> parse_kernel_version(std::string_view text) {
  KernelVersion version;
  const char* const end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, version.major);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
  if (minor.ec != std::errc()) return std::nullopt;
  return version;
}

std::vector<Rule> select_rules(const Profile& profile, const Target& target) {
  const std::string machine = machine_name(target.architecture);
  std::vector<Rule> selected;
  for (const Rule& rule : profile.rules) {
    if (is_included(rule.includes, target, machine) && !is_excluded(rule.excludes, target, machine))
      selected.push_back(rule);
  }
  return selected;
}

std::vector<std::string> select_architectures(const Profile& profile, const Target& target) {
  std::vector<std::string> selected = {target.architecture};
  const auto add = [&selected](const std::vector<std::string>& architectures) {
    for (const std::string& architecture : architectures) {
      if (!contains(selected, architecture)) selected.push_back(architecture);
    }
  };
  for (const ArchitectureFamily& family : profile.families) {
    if (family.native == target.architecture) add(family.siblings);
  }
  add(profile.architectures);
  return selected;
}

}  // namespace knarr::engine::seccomp
