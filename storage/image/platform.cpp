// SPDX-License-Identifier: Apache-2.0
#include "storage/image/platform.h"

#include <sys/utsname.h>

#include <array>

namespace knarr::storage {
namespace {

struct Machine {
  std::string_view name;
  std::string_view architecture;
  std::string_view variant;
};
constexpr std::array machines = {
    Machine{"x86_64", "amd64", ""},
    Machine{"aarch64", "arm64", "v8"},
    Machine{"armv7l", "arm", "v7"},
    Machine{"armv8l", "arm", "v7"},
    Machine{"armv6l", "arm", "v6"},
    Machine{"armv5tel", "arm", "v5"},
    Machine{"i386", "386", ""},
    Machine{"i486", "386", ""},
    Machine{"i586", "386", ""},
    Machine{"i686", "386", ""},
    Machine{"ppc64le", "ppc64le", ""},
    Machine{"ppc64", "ppc64", ""},
    Machine{"s390x", "s390x", ""},
    Machine{"riscv64", "riscv64", ""},
    Machine{"loongarch64", "loong64", ""},
    Machine{"mips64", "mips64le", ""},
};

// 0: not for the platform; the larger the better.
int match(const Descriptor& descriptor, const Platform& platform) {
  if (is_attestation(descriptor)) return 0;
  if (descriptor.os != platform.os || descriptor.architecture != platform.architecture) return 0;
  if (descriptor.variant == platform.variant) return 4;
  if (descriptor.variant.empty()) return 3;
  if (platform.variant.empty()) return 1;
  // "v6" runs on a "v7", not the other way round.
  return descriptor.variant < platform.variant ? 2 : 0;
}

}  // namespace

Platform platform_of_machine(std::string_view machine) {
  for (const Machine& known : machines) {
    if (known.name == machine) return {"linux", std::string(known.architecture), std::string(known.variant)};
  }
  return {"linux", std::string(machine), ""};
}

Platform host_platform() {
  utsname names{};
  ::uname(&names);
  return platform_of_machine(names.machine);
}

Platform complete_platform(Platform wanted) {
  const Platform host = host_platform();
  // A variant is one of an architecture: that of this machine means nothing for another.
  const bool is_own = wanted.architecture.empty() || wanted.architecture == host.architecture;
  if (wanted.os.empty()) wanted.os = host.os;
  if (wanted.architecture.empty()) wanted.architecture = host.architecture;
  if (wanted.variant.empty() && is_own) wanted.variant = host.variant;
  return wanted;
}

bool is_attestation(const Descriptor& descriptor) {
  return descriptor.os == "unknown" || descriptor.annotations.contains("vnd.docker.reference.type");
}

const Descriptor* choose_platform(const std::vector<Descriptor>& manifests, const Platform& platform) {
  const Descriptor* best = nullptr;
  int best_match = 0;
  for (const Descriptor& descriptor : manifests) {
    const int found = match(descriptor, platform);
    if (found > best_match) best = &descriptor;
    best_match = std::max(best_match, found);
  }
  if (best == nullptr && manifests.size() == 1 && manifests[0].architecture.empty() &&
      !is_attestation(manifests[0])) {
    return &manifests[0];
  }
  return best;
}

}  // namespace knarr::storage
