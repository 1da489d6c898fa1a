// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "engine/spec/spec.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

std::uint64_t hard_limit(int resource) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) < 0)
    throw_errno("reading resource limits");
  return limit.rlim_max;
}

int own_oom_score() {
  const auto text = sys::read_file_if_exists(AT_FDCWD, "/proc/self/oom_score_adj", 64);
  int score = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), score);
  return score;
}

rootless::CapabilitySet own_bounding_set() {
  rootless::CapabilitySet set = 0;
  for (int capability = 0; capability < 64; ++capability) {
    const int held = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0) break;  // the first the kernel does not know
    if (held == 1) set |= rootless::capability_bit(capability);
  }
  return set;
}

std::vector<std::string> thermal_directories() {
  constexpr const char* cpus = "/sys/devices/system/cpu";
  std::vector<std::string> found;
  // Most machines have none; the first processor tells.
  if (::access("/sys/devices/system/cpu/cpu0/thermal_throttle", F_OK) < 0) return found;
  for (const std::string& name : sys::list_directory(AT_FDCWD, cpus)) {
    const bool cpu = name.size() > 3 && name.starts_with("cpu") &&
                     name.find_first_not_of("0123456789", 3) == std::string::npos;
    if (cpu) found.push_back(concat(cpus, "/", name, "/thermal_throttle"));
  }
  return found;
}

std::optional<SpecDevice> as_device(const struct stat& status, const std::string& host_path,
                                    const std::string& path) {
  if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)) return std::nullopt;
  return SpecDevice{.path = path,
                    .host_path = host_path,
                    .type = S_ISBLK(status.st_mode) ? 'b' : 'c',
                    .major = major(status.st_rdev),
                    .minor = minor(status.st_rdev),
                    .mode = status.st_mode & 0777};
}

// All devices below a directory of the host. Links are skipped: they name what is found elsewhere.
template <typename Accept>
void add_devices_below(const std::string& host_path, const std::string& path, const Accept& accept,
                       std::vector<SpecDevice>& devices) {
  std::vector<std::string> names = sys::list_directory(AT_FDCWD, host_path);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const std::string host_child = concat(host_path, "/", name);
    const std::string child = concat(path, "/", name);
    const auto status = sys::stat_at(AT_FDCWD, host_child, AT_SYMLINK_NOFOLLOW);
    if (!status || !accept(host_child)) continue;
    if (S_ISDIR(status->st_mode)) {
      add_devices_below(host_child, child, accept, devices);
    } else if (auto device = as_device(*status, host_child, child)) {
      devices.push_back(std::move(*device));
    }
  }
}

void add_named_device(const DeviceRequest& request, std::vector<SpecDevice>& devices) {
  const auto status = sys::stat_at(AT_FDCWD, request.source);
  if (!status) throw NotFound(concat("--device ", request.source, ": no such file or directory"));
  if (S_ISDIR(status->st_mode)) {
    add_devices_below(
        request.source, request.destination, [](const std::string&) { return true; }, devices);
  } else if (auto device = as_device(*status, request.source, request.destination)) {
    devices.push_back(std::move(*device));
  } else {
    throw InvalidArgument(concat("--device ", request.source, ": not a device"));
  }
}

// --privileged: every device the caller can use. Terminals and shared memory are the container's own.
void add_usable_devices(bool rootful, std::vector<SpecDevice>& devices) {
  const auto usable = [rootful](const std::string& path) {
    for (const char* own :
         {"/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/ptmx", "/dev/console", "/dev/hugepages"}) {
      if (path == own) return false;
    }
    return rootful || ::access(path.c_str(), R_OK) == 0;
  };
  add_devices_below("/dev", "/dev", usable, devices);
}

}  // namespace

SpecFacts gather_spec_facts(const ContainerConfig& config, const rootless::HostFacts& host) {
  SpecFacts facts;
  utsname names{};
  ::uname(&names);
  facts.hostname = names.nodename;
  facts.max_open_files = hard_limit(RLIMIT_NOFILE);
  facts.max_processes = hard_limit(RLIMIT_NPROC);
  if (config.oom_score_adj) facts.oom_score_adj = own_oom_score();
  if (host.rootful) facts.bounding = own_bounding_set();
  for (const DeviceRequest& request : config.devices) add_named_device(request, facts.devices);
  if (config.privileged) {
    add_usable_devices(host.rootful, facts.devices);
  } else {
    facts.thermal_directories = thermal_directories();
  }
  return facts;
}

}  // namespace knarr::engine
