// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/container_view.h"

#include <climits>

#include "cli/commands/network_view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "engine/images.h"
#include "engine/network/run_record.h"
#include "engine/record.h"
#include "engine/signals.h"
#include "engine/time_format.h"
#include "rootless/capability.h"
#include "rootless/sys/error.h"
#include "storage/layer/layer.h"
#include "storage/overlay/driver.h"

namespace knarr::cli {

namespace {

using engine::ContainerConfig;
using engine::ContainerStatus;
using engine::MountRequest;
using templates::Value;

// What several parts of the document are made from.
struct Subject {
  const engine::Engine& engine;
  ContainerConfig config;
  ContainerStatus status;
  std::optional<storage::Image> image;  // gone when it was removed by force
};

// "80/tcp", each port of a range.
std::vector<std::string> exposed_names(const std::vector<engine::ExposedPorts>& exposed) {
  std::vector<std::string> names;
  for (const engine::ExposedPorts& ports : exposed) {
    for (std::uint32_t i = 0; i < ports.count; ++i)
      names.push_back(concat(ports.first + i, '/', engine::protocol_name(ports.protocol)));
  }
  return names;
}

Value exposed_value(const ContainerConfig& config) {
  if (config.exposed.empty()) return {};
  Value map = Value::map();
  for (const std::string& name : exposed_names(config.exposed)) map.set(name, Value::map());
  return map;
}

Value time_or_zero(std::int64_t ns) {
  return ns == 0 ? Value::zero_time() : Value::time(ns);
}

std::vector<std::string> full_argv(const ContainerConfig& config) {
  std::vector<std::string> argv = config.entrypoint;
  argv.insert(argv.end(), config.command.begin(), config.command.end());
  return argv;
}

Value state_value(const Subject& subject) {
  const ContainerStatus& status = subject.status;
  const bool running = status.state == engine::State::running;
  Value health = Value::structure("Health");
  health.set("Status", "").set("FailingStreak", 0).set("Log", Value::list());
  Value state = Value::structure("State");
  state.set("OciVersion", "1.2.0")
      .set("Status", engine::state_name(status.state))
      .set("Running", running)
      .set("Paused", false)
      .set("Restarting", false)
      .set("OOMKilled", false)
      .set("Dead", false)
      .set("Pid", status.init.pid)
      .set("ConmonPid", status.monitor.pid)
      .set("ExitCode", status.exit_code)
      .set("Error", status.error)
      .set("StartedAt", time_or_zero(status.started_ns))
      .set("FinishedAt", time_or_zero(running ? 0 : status.finished_ns))
      .set("Health", health)
      .set_hidden("Healthcheck", health)
      .set("CgroupPath", "")
      .set("CheckpointedAt", Value::zero_time())
      .set("RestoredAt", Value::zero_time())
      .set("StoppedByUser", status.stopped_by_user);
  return state;
}

std::string_view mount_type_name(MountRequest::Type type) {
  switch (type) {
    case MountRequest::Type::bind:
      return "bind";
    case MountRequest::Type::volume:
      return "volume";
    case MountRequest::Type::tmpfs:
      return "tmpfs";
    case MountRequest::Type::devpts:
      return "devpts";
    case MountRequest::Type::mqueue:
      return "mqueue";
    case MountRequest::Type::image:
      return "image";
    case MountRequest::Type::ramfs:
      return "ramfs";
  }
  return "unknown";
}

std::vector<std::string> mount_options(const MountRequest& mount) {
  std::vector<std::string> options = mount.options;
  if (mount.no_suid) options.emplace_back("nosuid");
  if (mount.no_dev) options.emplace_back("nodev");
  if (mount.no_exec) options.emplace_back("noexec");
  if (mount.type == MountRequest::Type::bind || mount.type == MountRequest::Type::volume) {
    options.emplace_back(mount.non_recursive ? "bind" : "rbind");
  }
  return options;
}

Value mount_value(const Subject& subject, const MountRequest& mount) {
  const bool volume = mount.type == MountRequest::Type::volume;
  Value value = Value::structure("Mount");
  value.set("Type", mount_type_name(mount.type));
  if (volume) value.set("Name", mount.source);
  const std::string source =
      volume ? concat(subject.engine.store().root(), "/volumes/", mount.source, "/_data") : mount.source;
  value.set("Source", source)
      .set("Destination", mount.destination)
      .set("Driver", volume ? "local" : "")
      .set("Mode", "")
      .set("Options", mount_options(mount))
      .set("RW", !mount.read_only)
      .set("Propagation", mount.propagation.empty() ? "rprivate" : mount.propagation)
      .set_hidden("Src", source)
      .set_hidden("Dst", mount.destination);
  return value;
}

// As podman does, those of --tmpfs are in HostConfig only.
Value mounts_value(const Subject& subject) {
  Value list = Value::list();
  for (const MountRequest& mount : subject.config.mounts) {
    if (mount.type != MountRequest::Type::tmpfs) list.push_back(mount_value(subject, mount));
  }
  return list;
}

Value graph_driver_value(const Subject& subject) {
  Value data = Value::map();
  if (subject.image) {
    const storage::LayerStore layers(subject.engine.store());
    std::vector<std::string> lowers;
    for (auto layer = subject.image->layers.rbegin(); layer != subject.image->layers.rend(); ++layer) {
      lowers.push_back(layers.tree_path(*layer));
    }
    const std::string directory = subject.engine.containers().path(subject.config.id);
    data.set("LowerDir", join(lowers, ":"))
        .set("UpperDir", directory + "/upper")
        .set("WorkDir", directory + "/work");
  }
  return Value::structure("GraphDriver")
      .set("Name", storage::driver_name(subject.engine.overlay().driver))
      .set("Data", data);
}

// --- networks ---

// Of a family: the address, its prefix and the gateway; empty where there is none.
struct FamilyAddress {
  std::string address, gateway;
  unsigned prefix = 0;
};

FamilyAddress address_of(const engine::AttachedNetwork& attached, netns::Family family) {
  FamilyAddress found;
  for (const netns::Subnet& address : attached.addresses) {
    if (address.address.family != family || !found.address.empty()) continue;
    found.address = netns::render_ip(address.address);
    found.prefix = address.prefix;
  }
  for (const netns::IpAddress& gateway : attached.gateways) {
    if (gateway.family == family && found.gateway.empty()) found.gateway = netns::render_ip(gateway);
  }
  return found;
}

void set_addresses(Value& value, const engine::AttachedNetwork& attached) {
  const FamilyAddress v4 = address_of(attached, netns::Family::v4);
  const FamilyAddress v6 = address_of(attached, netns::Family::v6);
  value.set("EndpointID", "")
      .set("Gateway", v4.gateway)
      .set("IPAddress", v4.address)
      .set("IPPrefixLen", v4.prefix)
      .set("IPv6Gateway", v6.gateway)
      .set("GlobalIPv6Address", v6.address)
      .set("GlobalIPv6PrefixLen", v6.prefix)
      .set("MacAddress", attached.network.empty() ? "" : netns::render_mac(attached.mac));
}

// Of one that does not run: what is known beforehand.
engine::AttachedNetwork resting_attachment(const engine::NetworkAttachment& wish) {
  engine::AttachedNetwork attached;
  attached.network = wish.network;
  attached.interface = wish.interface;
  attached.names = wish.aliases;
  return attached;
}

Value network_value(const engine::AttachedNetwork& attached, bool running) {
  Value value = Value::structure("InspectAdditionalNetwork");
  set_addresses(value, running ? attached : engine::AttachedNetwork());
  value.set("NetworkID", attached.network_id.empty() ? attached.network : attached.network_id)
      .set("InterfaceName", attached.interface)
      .set("DriverOpts", Value())
      .set("IPAMConfig", Value())
      .set("Links", Value())
      .set("Aliases", attached.names);
  return value;
}

// "80/tcp": what is bound for it.
Value port_bindings(const std::vector<engine::PortMapping>& mappings,
                    const std::vector<engine::ExposedPorts>& exposed) {
  std::map<std::string, Value> bindings;
  for (const engine::PortMapping& port : each_port(mappings)) {
    const auto [place, is_new] = bindings.try_emplace(
        concat(port.container_port, '/', engine::protocol_name(port.protocol)), Value::list());
    place->second.push_back(Value::structure("InspectHostPort")
                                .set("HostIp", port.host_address ? netns::render_ip(*port.host_address) : "")
                                .set("HostPort", port.host_port == 0 ? "" : std::to_string(port.host_port)));
  }
  for (const std::string& name : exposed_names(exposed)) bindings.try_emplace(name, Value());
  Value map = Value::map();
  for (auto& [name, list] : bindings) map.set(name, list);
  return map;
}

Value network_settings_value(const Subject& subject) {
  const pid_t pid = subject.status.init.pid;
  const bool running = subject.status.state == engine::State::running;
  std::vector<engine::AttachedNetwork> networks;
  if (running) {
    const auto record = engine::read_network_record(subject.engine.run_directory(subject.config.id));
    if (record) networks = record->networks;
  } else {
    for (const engine::NetworkAttachment& wish : subject.config.networks)
      networks.push_back(resting_attachment(wish));
  }
  Value by_name = Value::map();
  for (const engine::AttachedNetwork& attached : networks)
    by_name.set(attached.network, network_value(attached, running));
  Value settings = Value::structure("NetworkSettings");
  set_addresses(settings, running && !networks.empty() ? networks.front() : engine::AttachedNetwork());
  settings.set("Bridge", "")
      .set("SandboxID", "")
      .set("HairpinMode", false)
      .set("LinkLocalIPv6Address", "")
      .set("LinkLocalIPv6PrefixLen", 0)
      .set("Ports", port_bindings(current_ports(subject.engine, subject.config), subject.config.exposed))
      .set("SandboxKey", pid > 0 ? concat("/proc/", pid, "/ns/net") : "")
      .set("Networks", by_name);
  return settings;
}

Value capability_list(const ContainerConfig& config) {
  const rootless::CapabilitySet base =
      config.privileged ? rootless::all_capabilities() : rootless::default_capabilities();
  return rootless::capability_names(rootless::plan_capabilities(base, config.cap_add, config.cap_drop));
}

std::string octal(std::uint32_t mask) {
  std::string digits;
  for (int shift = 9; shift >= 0; shift -= 3) digits += static_cast<char>('0' + (mask >> shift & 7));
  return digits;
}

std::int64_t stop_timeout(const ContainerConfig& config) {
  return config.stop_timeout == UINT_MAX ? -1 : static_cast<std::int64_t>(config.stop_timeout);
}

Value config_value(const Subject& subject) {
  const ContainerConfig& config = subject.config;
  return Value::structure("Config")
      .set("Hostname", config.hostname.empty() ? short_id(config.id) : config.hostname)
      .set("Domainname", "")
      .set("User", config.user)
      .set("AttachStdin", false)
      .set("AttachStdout", false)
      .set("AttachStderr", false)
      .set("ExposedPorts", exposed_value(config))
      .set("Tty", config.terminal)
      .set("OpenStdin", config.interactive)
      .set("StdinOnce", false)
      .set("Env", config.env)
      .set("Cmd", config.command)
      .set("Image", config.image_name)
      .set("Volumes", Value())
      .set("WorkingDir", config.working_dir)
      .set("Entrypoint", config.entrypoint)
      .set("OnBuild", Value())
      .set("Labels", config.labels)
      .set("Annotations", config.annotations)
      .set("StopSignal", config.stop_signal)
      .set("CreateCommand", config.create_command)
      .set("Umask", octal(config.umask))
      .set("Timezone", config.timezone)
      .set("Timeout", config.timeout)
      .set("StopTimeout", stop_timeout(config))
      .set("Passwd", config.edit_passwd)
      .set("sdNotifyMode", "ignore");
}

Value log_config_value(const Subject& subject) {
  const engine::LogConfig& log = subject.config.log;
  const bool none = log.driver == "none";
  const std::string path =
      log.path.empty() ? subject.engine.containers().path(subject.config.id) + "/ctr.log" : log.path;
  return Value::structure("LogConfig")
      .set("Type", log.driver)
      .set("Config", Value())
      .set("Path", none ? "" : path)
      .set("Tag", log.tag)
      .set("Size", concat(log.max_size, "B"));
}

Value ulimits_value(const ContainerConfig& config) {
  Value list = Value::list();
  for (const engine::UlimitRequest& limit : config.ulimits) {
    list.push_back(Value::structure("Ulimit")
                       .set("Name", "RLIMIT_" + upper_case(limit.name))
                       .set("Soft", limit.soft)
                       .set("Hard", limit.hard));
  }
  return list;
}

Value devices_value(const ContainerConfig& config) {
  Value list = Value::list();
  for (const engine::DeviceRequest& device : config.devices) {
    list.push_back(Value::structure("Device")
                       .set("PathOnHost", device.source)
                       .set("PathInContainer", device.destination)
                       .set("CgroupPermissions", device.permissions));
  }
  return list;
}

// "vol1:/data:rw,rprivate,rbind"
std::vector<std::string> binds(const ContainerConfig& config) {
  std::vector<std::string> list;
  for (const MountRequest& mount : config.mounts) {
    if (mount.type != MountRequest::Type::bind && mount.type != MountRequest::Type::volume) continue;
    std::vector<std::string> options = {mount.read_only ? "ro" : "rw",
                                        mount.propagation.empty() ? "rprivate" : mount.propagation};
    for (std::string& option : mount_options(mount)) options.push_back(std::move(option));
    list.push_back(concat(mount.source, ':', mount.destination, ':', join(options, ",")));
  }
  return list;
}

std::map<std::string, std::string> tmpfs_mounts(const ContainerConfig& config) {
  std::map<std::string, std::string> mounts;
  for (const MountRequest& mount : config.mounts) {
    if (mount.type == MountRequest::Type::tmpfs) mounts[mount.destination] = join(mount.options, ",");
  }
  return mounts;
}

// Limits come with control groups; until then none is set, which is what 0 says.
void set_resource_limits(Value& host) {
  host.set("CpuShares", 0).set("Memory", 0).set("NanoCpus", 0).set("CgroupParent", "").set("BlkioWeight", 0);
  for (const char* name : {"BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps",
                           "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps"}) {
    host.set(name, Value::list());
  }
  host.set("CpuPeriod", 0)
      .set("CpuQuota", 0)
      .set("CpuRealtimePeriod", 0)
      .set("CpuRealtimeRuntime", 0)
      .set("CpusetCpus", "")
      .set("CpusetMems", "");
}

void set_memory_limits(Value& host) {
  for (const char* name : {"DiskQuota", "KernelMemory", "MemoryReservation", "MemorySwap"}) host.set(name, 0);
  host.set("MemorySwappiness", -1).set("OomKillDisable", false).set("PidsLimit", 0);
}

Value host_config_value(const Subject& subject) {
  const ContainerConfig& config = subject.config;
  Value host = Value::structure("HostConfig");
  host.set("Binds", binds(config))
      .set("CgroupManager", "cgroupfs")
      .set("CgroupMode", config.namespaces.cgroup)
      .set("ContainerIDFile", config.cid_file)
      .set("LogConfig", log_config_value(subject))
      .set("NetworkMode", config.namespaces.network)
      .set("PortBindings", port_bindings(config.ports, {}))
      .set("RestartPolicy", Value::structure("RestartPolicy").set("Name", "no").set("MaximumRetryCount", 0))
      .set("AutoRemove", config.auto_remove)
      .set("AutoRemoveImage", config.auto_remove_image)
      .set("Annotations", config.annotations)
      .set("VolumeDriver", "")
      .set("VolumesFrom", Value())
      .set("CapAdd", config.cap_add)
      .set("CapDrop", config.cap_drop)
      .set("Dns", config.dns_servers)
      .set("DnsOptions", config.dns_options)
      .set("DnsSearch", config.dns_search)
      .set("ExtraHosts", config.add_hosts)
      .set("GroupAdd", config.groups)
      .set("IpcMode", config.namespaces.ipc)
      .set("Cgroup", "")
      .set("Cgroups", "default")
      .set("Links", Value())
      .set("OomScoreAdj", config.oom_score_adj.value_or(0))
      .set("PidMode", config.namespaces.pid)
      .set("Privileged", config.privileged)
      .set("PublishAllPorts", config.publish_all)
      .set("ReadonlyRootfs", config.read_only)
      .set("SecurityOpt", config.security_options)
      .set("Tmpfs", tmpfs_mounts(config))
      .set("UTSMode", config.namespaces.uts)
      .set("UsernsMode", config.namespaces.user)
      .set("ShmSize", config.shm_size)
      .set("Runtime", "oci")
      .set("ConsoleSize", Value::list().push_back(0).push_back(0))
      .set("Isolation", "");
  set_resource_limits(host);
  host.set("Devices", devices_value(config));
  set_memory_limits(host);
  host.set("Init", config.init)
      .set("Sysctls", config.sysctls)
      .set("Ulimits", ulimits_value(config))
      .set("CpuCount", 0)
      .set("CpuPercent", 0)
      .set("IOMaximumIOps", 0)
      .set("IOMaximumBandwidth", 0)
      .set("CgroupConf", Value());
  return host;
}

void set_paths(Value& document, const Subject& subject) {
  const std::string run = subject.engine.run_directory(subject.config.id);
  const std::string directory = subject.engine.containers().path(subject.config.id);
  const bool started = subject.status.state == engine::State::running;
  const auto file = [&](const char* name) { return started ? concat(run, '/', name) : std::string(); };
  document.set("ResolvConfPath", file("resolv.conf"))
      .set("HostnamePath", file("hostname"))
      .set("HostsPath", file("hosts"))
      .set("StaticDir", directory)
      .set("OCIConfigPath", directory + "/config.json")
      .set("OCIRuntime", "knarr")
      .set("ConmonPidFile", subject.config.monitor_pid_file)
      .set("PidFile", subject.config.pid_file);
}

std::vector<std::string> dependencies(const ContainerConfig& config) {
  std::vector<std::string> ids;
  const engine::NamespaceModes& modes = config.namespaces;
  for (const std::string* mode :
       {&modes.user, &modes.pid, &modes.ipc, &modes.uts, &modes.cgroup, &modes.network}) {
    constexpr std::string_view prefix = "container:";
    if (!mode->starts_with(prefix)) continue;
    std::string id = mode->substr(prefix.size());
    if (!contains(ids, id)) ids.push_back(std::move(id));
  }
  return ids;
}

Value describe(const Subject& subject) {
  const ContainerConfig& config = subject.config;
  const std::vector<std::string> argv = full_argv(config);
  Value document = Value::structure("Container");
  document.set("Id", config.id)
      .set_hidden("ID", config.id)
      .set("Created", time_or_zero(engine::parse_rfc3339(config.created).value_or(0)))
      .set("Path", argv.empty() ? "" : argv.front())
      .set("Args", argv.empty() ? argv : std::vector<std::string>(argv.begin() + 1, argv.end()))
      .set("State", state_value(subject))
      .set("Image", config.image_id)
      .set_hidden("ImageID", config.image_id)
      .set("ImageDigest",
           subject.image && !subject.image->manifest.hex.empty() ? render(subject.image->manifest) : "")
      .set("ImageName", config.image_name)
      .set("Rootfs", config.rootfs)
      .set("Pod", "");
  set_paths(document, subject);
  document.set("Name", config.name)
      .set("RestartCount", subject.status.restarts)
      .set("Driver", storage::driver_name(subject.engine.overlay().driver))
      .set("MountLabel", "")
      .set("ProcessLabel", "")
      .set("AppArmorProfile", "")
      .set("EffectiveCaps", config.user.empty() || config.user == "root" || config.user == "0"
                                ? capability_list(config)
                                : Value(std::vector<std::string>(config.cap_add)))
      .set("BoundingCaps", capability_list(config))
      .set("ExecIDs", Value::list())
      .set("GraphDriver", graph_driver_value(subject))
      .set("Mounts", mounts_value(subject))
      .set("Dependencies", dependencies(config))
      .set("NetworkSettings", network_settings_value(subject))
      .set("Namespace", "")
      .set("IsInfra", false)
      .set("IsService", false)
      .set("KubeExitCodePropagation", "invalid")
      .set("lockNumber", 0)
      .set("Config", config_value(subject))
      .set("HostConfig", host_config_value(subject));
  return document;
}

}  // namespace

Value inspect_container(const engine::Engine& engine, const std::string& id) {
  Subject subject{
      .engine = engine, .config = engine.load_config(id), .status = engine.status(id), .image = std::nullopt};
  if (!subject.config.image_id.empty()) subject.image = engine::find_image(engine, subject.config.image_id);
  return describe(subject);
}

}  // namespace knarr::cli
