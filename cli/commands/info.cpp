// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "cli/commands/container_list.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/verbs.h"
#include "cli/commands/version_value.h"
#include "cli/template/report.h"
#include "cli/template/section.h"
#include "cli/template/template.h"
#include "cli/template/yaml.h"
#include "cli/text.h"
#include "engine/images.h"
#include "engine/time_format.h"
#include "rootless/capability.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::cli {

namespace {

using templates::Section;
using templates::Value;

constexpr auto flags = std::to_array<Flag>({
    text_flag("format", 'f', "TEMPLATE", "Show JSON (json) or what a Go template says"),
});
static_assert(is_well_formed(flags));

std::string read_text(const std::string& path) {
  const sys::UniqueFd file = sys::find_at(AT_FDCWD, path, O_RDONLY);
  return file ? sys::read_all(file.get(), path) : "";
}

// KEY=value and KEY="value" lines of os-release(5).
Value distribution() {
  std::map<std::string, std::string> fields;
  for (const std::string& line : split(read_text("/etc/os-release"), "\n")) {
    KeyValue field = split_key_value(line);
    if (field.value.size() >= 2 && field.value.front() == '"')
      field.value = field.value.substr(1, field.value.size() - 2);
    fields[field.key] = field.value;
  }
  Section section("Distribution");
  section.set("Distribution", "distribution", fields["ID"]).set("Version", "version", fields["VERSION_ID"]);
  if (!fields["VERSION_CODENAME"].empty()) section.set("Codename", "codename", fields["VERSION_CODENAME"]);
  return section;
}

// A field of /proc/meminfo, in bytes.
std::int64_t memory_field(const std::string& meminfo, std::string_view name) {
  const std::size_t at = meminfo.find(concat(name, ':'));
  if (at == std::string::npos) return 0;
  return std::strtoll(meminfo.c_str() + at + name.size() + 1, nullptr, 10) * 1024;
}

// "0h 22m 48.00s", as podman prints it.
std::string uptime() {
  struct sysinfo facts {};
  ::sysinfo(&facts);
  const long hours = facts.uptime / 3600;
  return concat(hours, "h ", facts.uptime / 60 % 60, "m ", facts.uptime % 60, ".00s",
                hours >= 24 ? concat(" (Approximately ", hours / 24, ".00 days)") : "");
}

int count_cpus() {
  cpu_set_t cpus;
  return ::sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
}

Value id_map_value(const rootless::IdMap& map) {
  Value list = Value::list();
  for (const rootless::IdExtent& extent : map) {
    list.push_back(Section("IDMap")
                       .set("ContainerID", "container_id", extent.inside)
                       .set("HostID", "host_id", extent.outside)
                       .set("Size", "size", extent.count));
  }
  return list;
}

Value security_value(const rootless::HostFacts& host) {
  return Section("Security")
      .set("AppArmorEnabled", "apparmorEnabled", false)
      .set("DefaultCapabilities", "capabilities",
           join(rootless::capability_names(rootless::default_capabilities()), ","))
      .set("Rootless", "rootless", !host.rootful)
      .set("SECCOMPEnabled", "seccompEnabled", true)
      .set("SECCOMPProfilePath", "seccompProfilePath", "default")
      .set("SELinuxEnabled", "selinuxEnabled", false);
}

Value network_value(const engine::Engine& engine) {
  return Section("NetworkInfo")
      .set("Backend", "backend", "knarr")
      .set("Version", "version", KNARR_VERSION)
      .set("Package", "package", "")
      .set("Path", "path", "built in")
      .set("ConfigDir", "configDir", engine.networks().directory())
      .set("DefaultNetwork", "defaultNetwork", engine::default_network_name);
}

Value host_value(const engine::Engine& engine) {
  const rootless::HostFacts& host = engine.host();
  utsname names{};
  ::uname(&names);
  const std::string meminfo = read_text("/proc/meminfo");
  Section section("Host");
  section.set("Arch", "arch", machine_architecture())
      .set("CgroupManager", "cgroupManager", "cgroupfs")
      .set("CgroupsVersion", "cgroupVersion", host.cgroup_v2_only ? "v2" : "v1")
      .set("CPUs", "cpus", count_cpus())
      .set("Distribution", "distribution", distribution())
      .set("EventLogger", "eventLogger", "none")
      .set("Hostname", "hostname", names.nodename)
      .set("IDMappings", "idMappings",
           Section("IDMappings")
               .set("GIDMap", "gidmap", id_map_value(host.r_maps.gids))
               .set("UIDMap", "uidmap", id_map_value(host.r_maps.uids)))
      .set("Kernel", "kernel", names.release)
      .set("LogDriver", "logDriver", "k8s-file")
      .set("MemFree", "memFree", memory_field(meminfo, "MemFree"))
      .set("MemTotal", "memTotal", memory_field(meminfo, "MemTotal"))
      .set("NetworkBackend", "networkBackend", "knarr")
      .set("NetworkBackendInfo", "networkBackendInfo", network_value(engine))
      .set("OCIRuntime", "ociRuntime",
           Section("OCIRuntime")
               .set("Name", "name", "knarr")
               .set("Package", "package", "")
               .set("Path", "path", "built in")
               .set("Version", "version", KNARR_VERSION))
      .set("OS", "os", "linux")
      .set("RemoteSocket", "remoteSocket",
           Section("RemoteSocket").set("Exists", "exists", false).set("Path", "path", ""))
      .set("ServiceIsRemote", "serviceIsRemote", false)
      .set("Security", "security", security_value(host))
      .set("SwapFree", "swapFree", memory_field(meminfo, "SwapFree"))
      .set("SwapTotal", "swapTotal", memory_field(meminfo, "SwapTotal"))
      .set("Uptime", "uptime", uptime());
  return section;
}

Value container_counts(const engine::Engine& engine) {
  int running = 0;
  int total = 0;
  for (const ListedContainer& container : list_containers(engine)) {
    ++total;
    if (container.status.state == engine::State::running) ++running;
  }
  return Section("ContainerStore")
      .set("Number", "number", total)
      .set("Paused", "paused", 0)
      .set("Running", "running", running)
      .set("Stopped", "stopped", total - running);
}

Value overlay_status(const storage::OverlayFacts& facts) {
  Value status = Value::map();
  if (facts.driver == storage::OverlayDriver::kernel) {
    status.set("userxattr", facts.userxattr ? "true" : "false");
  } else {
    status.set("Why not overlay", facts.why_not_kernel);
  }
  if (!facts.fuse_program.empty()) status.set("Mount program", facts.fuse_program);
  return status;
}

Value store_value(const engine::Engine& engine) {
  const rootless::Paths& paths = engine.paths();
  const storage::OverlayFacts overlay = engine.overlay();
  struct statfs space {};
  ::statfs(paths.store_root.c_str(), &space);
  const auto bytes = [&](std::uint64_t blocks) { return blocks * static_cast<std::uint64_t>(space.f_bsize); };
  return Section("Store")
      .set("ConfigFile", "configFile", "")
      .set("ContainerStore", "containerStore", container_counts(engine))
      .set("GraphDriverName", "graphDriverName", storage::driver_name(overlay.driver))
      .set("GraphOptions", "graphOptions", Value::map())
      .set("GraphRoot", "graphRoot", paths.store_root)
      .set("GraphRootAllocated", "graphRootAllocated", bytes(space.f_blocks))
      .set("GraphRootUsed", "graphRootUsed", bytes(space.f_blocks - space.f_bfree))
      .set("GraphStatus", "graphStatus", overlay_status(overlay))
      .set("ImageStore", "imageStore",
           Section("ImageStore").set("Number", "number", engine::list_images(engine).size()))
      .set("RunRoot", "runRoot", paths.run_root)
      .set("VolumePath", "volumePath", paths.store_root + "/volumes");
}

Value plugins_value() {
  return Section("Plugins")
      .set("Volume", "volume", std::vector<std::string>{"local"})
      .set("Network", "network", std::vector<std::string>{"bridge", "host", "none"})
      .set("Log", "log", std::vector<std::string>{"k8s-file", "json-file", "none"});
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const Value document = Section("Info")
                             .set("Host", "host", host_value(engine))
                             .set("Store", "store", store_value(engine))
                             .set("Registries", "registries", Value::map())
                             .set("Plugins", "plugins", plugins_value())
                             .set("Version", "version", version_value());
  const auto format = arguments.find_text("format");
  if (!format) {
    invocation.out.append(templates::render_yaml(document));
  } else if (templates::is_json(*format)) {
    invocation.out.line(render_json_indented(document, 4));
  } else {
    invocation.out.append(templates::render_report({.name = "info", .is_list = false}, *format, {document}));
  }
  return 0;
}

}  // namespace

constinit const Verb info_verb = {
    .paths = {"info", "system info"},
    .usage = "[options]",
    .summary = "Show the engine and the machine it runs on",
    .examples = "info\ninfo -f '{{.Store.GraphRoot}}'",
    .flags = flags,
    .max_arguments = 0,
    .topic = Topic::engine,
    .run = run,
};

}  // namespace knarr::cli
