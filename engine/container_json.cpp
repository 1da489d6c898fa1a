// SPDX-License-Identifier: Apache-2.0
// config.json. One list of fields serves both ways, so what is written can be read; what has its default
// value is left out, so a plain container's record is a few hundred bytes.
#include <limits>
#include <type_traits>

#include "engine/record.h"
#include "rootless/sys/error.h"
#include "storage/meta/json_reader.h"

namespace knarr::engine {

namespace {

using storage::Json;
using storage::JsonReader;

constexpr std::uint64_t config_version = 1;

constexpr std::pair<MountRequest::Type, const char*> mount_types[] = {
    {MountRequest::Type::bind, "bind"},     {MountRequest::Type::volume, "volume"},
    {MountRequest::Type::tmpfs, "tmpfs"},   {MountRequest::Type::devpts, "devpts"},
    {MountRequest::Type::mqueue, "mqueue"}, {MountRequest::Type::image, "image"},
    {MountRequest::Type::ramfs, "ramfs"}};

// --- the fields ---

template <typename Visitor>
void list_fields(Visitor& field, const MountRequest*) {
  field("type", &MountRequest::type);
  field("source", &MountRequest::source);
  field("anonymous", &MountRequest::anonymous);
  field("destination", &MountRequest::destination);
  field("readOnly", &MountRequest::read_only);
  field("noExec", &MountRequest::no_exec);
  field("noSuid", &MountRequest::no_suid);
  field("noDev", &MountRequest::no_dev);
  field("exec", &MountRequest::exec);
  field("suid", &MountRequest::suid);
  field("dev", &MountRequest::dev);
  field("propagation", &MountRequest::propagation);
  field("nonRecursive", &MountRequest::non_recursive);
  field("copyUp", &MountRequest::copy_up);
  field("chown", &MountRequest::chown);
  field("overlay", &MountRequest::overlay);
  field("upper", &MountRequest::upper);
  field("work", &MountRequest::work);
  field("createHostPath", &MountRequest::create_host_path);
  field("relabel", &MountRequest::relabel);
  field("subpath", &MountRequest::subpath);
  field("options", &MountRequest::options);
}

template <typename Visitor>
void list_fields(Visitor& field, const DeviceRequest*) {
  field("source", &DeviceRequest::source);
  field("destination", &DeviceRequest::destination);
  field("permissions", &DeviceRequest::permissions);
}

template <typename Visitor>
void list_fields(Visitor& field, const UlimitRequest*) {
  field("name", &UlimitRequest::name);
  field("soft", &UlimitRequest::soft);
  field("hard", &UlimitRequest::hard);
}

template <typename Visitor>
void list_fields(Visitor& field, const rootless::IdExtent*) {
  field("inside", &rootless::IdExtent::inside);
  field("outside", &rootless::IdExtent::outside);
  field("count", &rootless::IdExtent::count);
}

template <typename Visitor>
void list_fields(Visitor& field, const LogConfig*) {
  field("driver", &LogConfig::driver);
  field("path", &LogConfig::path);
  field("maxSize", &LogConfig::max_size);
  field("maxFiles", &LogConfig::max_files);
  field("tag", &LogConfig::tag);
}

template <typename Visitor>
void list_fields(Visitor& field, const NetworkAttachment*) {
  field("network", &NetworkAttachment::network);
  field("aliases", &NetworkAttachment::aliases);
  field("addresses", &NetworkAttachment::addresses);
  field("mac", &NetworkAttachment::mac);
  field("interface", &NetworkAttachment::interface);
  field("hostInterface", &NetworkAttachment::host_interface);
}

template <typename Visitor>
void list_fields(Visitor& field, const PortMapping*) {
  field("hostAddress", &PortMapping::host_address);
  field("hostPort", &PortMapping::host_port);
  field("containerPort", &PortMapping::container_port);
  field("count", &PortMapping::count);
  field("protocol", &PortMapping::protocol);
}

template <typename Visitor>
void list_fields(Visitor& field, const ExposedPorts*) {
  field("first", &ExposedPorts::first);
  field("count", &ExposedPorts::count);
  field("protocol", &ExposedPorts::protocol);
}

template <typename Visitor>
void list_fields(Visitor& field, const NamespaceModes*) {
  field("user", &NamespaceModes::user);
  field("pid", &NamespaceModes::pid);
  field("ipc", &NamespaceModes::ipc);
  field("uts", &NamespaceModes::uts);
  field("cgroup", &NamespaceModes::cgroup);
  field("network", &NamespaceModes::network);
  field("time", &NamespaceModes::time);
}

template <typename Visitor>
void list_process_fields(Visitor& field) {
  field("entrypoint", &ContainerConfig::entrypoint);
  field("command", &ContainerConfig::command);
  field("env", &ContainerConfig::env);
  field("workingDir", &ContainerConfig::working_dir);
  field("makeWorkingDir", &ContainerConfig::make_working_dir);
  field("user", &ContainerConfig::user);
  field("groups", &ContainerConfig::groups);
  field("hostname", &ContainerConfig::hostname);
  field("terminal", &ContainerConfig::terminal);
  field("interactive", &ContainerConfig::interactive);
  field("init", &ContainerConfig::init);
  field("umask", &ContainerConfig::umask);
  field("timezone", &ContainerConfig::timezone);
  field("oomScoreAdj", &ContainerConfig::oom_score_adj);
  field("passwdEntry", &ContainerConfig::passwd_entry);
  field("groupEntry", &ContainerConfig::group_entry);
  field("editPasswd", &ContainerConfig::edit_passwd);
  field("preserveFds", &ContainerConfig::preserve_fds);
}

template <typename Visitor>
void list_surroundings_fields(Visitor& field) {
  field("privileged", &ContainerConfig::privileged);
  field("readOnly", &ContainerConfig::read_only);
  field("readOnlyTmpfs", &ContainerConfig::read_only_tmpfs);
  field("capAdd", &ContainerConfig::cap_add);
  field("capDrop", &ContainerConfig::cap_drop);
  field("securityOptions", &ContainerConfig::security_options);
  field("devices", &ContainerConfig::devices);
  field("mounts", &ContainerConfig::mounts);
  field("ulimits", &ContainerConfig::ulimits);
  field("sysctls", &ContainerConfig::sysctls);
  field("namespaces", &ContainerConfig::namespaces);
  field("uidMap", &ContainerConfig::uid_map);
  field("gidMap", &ContainerConfig::gid_map);
  field("networks", &ContainerConfig::networks);
  field("ports", &ContainerConfig::ports);
  field("exposed", &ContainerConfig::exposed);
  field("publishAll", &ContainerConfig::publish_all);
  field("addHosts", &ContainerConfig::add_hosts);
  field("dnsServers", &ContainerConfig::dns_servers);
  field("dnsSearch", &ContainerConfig::dns_search);
  field("dnsOptions", &ContainerConfig::dns_options);
  field("hostsFile", &ContainerConfig::hosts_file);
  field("noHosts", &ContainerConfig::no_hosts);
  field("noHostname", &ContainerConfig::no_hostname);
  field("shmSize", &ContainerConfig::shm_size);
}

template <typename Visitor>
void list_fields(Visitor& field, const ContainerConfig*) {
  field("id", &ContainerConfig::id);
  field("name", &ContainerConfig::name);
  field("created", &ContainerConfig::created);
  field("imageId", &ContainerConfig::image_id);
  field("imageName", &ContainerConfig::image_name);
  field("imageStore", &ContainerConfig::image_store);
  field("rootfs", &ContainerConfig::rootfs);
  field("createCommand", &ContainerConfig::create_command);
  field("labels", &ContainerConfig::labels);
  field("annotations", &ContainerConfig::annotations);
  list_process_fields(field);
  list_surroundings_fields(field);
  field("autoRemove", &ContainerConfig::auto_remove);
  field("autoRemoveImage", &ContainerConfig::auto_remove_image);
  field("transient", &ContainerConfig::transient);
  field("stopSignal", &ContainerConfig::stop_signal);
  field("stopTimeout", &ContainerConfig::stop_timeout);
  field("timeout", &ContainerConfig::timeout);
  field("log", &ContainerConfig::log);
  field("cidFile", &ContainerConfig::cid_file);
  field("pidFile", &ContainerConfig::pid_file);
  field("monitorPidFile", &ContainerConfig::monitor_pid_file);
}
// --- writing ---

Json to_json(MountRequest::Type type) {
  for (const auto& [value, name] : mount_types) {
    if (value == type) return name;
  }
  throw Error("a mount of unknown type");
}

Json to_json(PortProtocol protocol) {
  return protocol_name(protocol);
}
Json to_json(const netns::IpAddress& address) {
  return netns::render_ip(address);
}
Json to_json(const netns::MacAddress& mac) {
  return netns::render_mac(mac);
}

// Written as one word.
template <typename Value>
constexpr bool is_word = std::is_enum_v<Value> || std::is_same_v<Value, netns::IpAddress> ||
                         std::is_same_v<Value, netns::MacAddress>;

// Writes what differs from a fresh object.
template <typename Object>
class Writer {
 public:
  explicit Writer(const Object& object) : object_(object) {}
  Json take() { return std::move(json_); }

  template <typename Value>
  void operator()(const char* key, Value Object::*member) {
    if (!(object_.*member == defaults_.*member)) json_[key] = convert(object_.*member);
  }

 private:
  template <typename Item>
  static Json convert(const std::vector<Item>& items) {
    Json array = Json::array();
    for (const Item& item : items) array.push_back(convert(item));
    return array;
  }
  template <typename Item>
  static Json convert(const std::optional<Item>& item) {
    return item ? convert(*item) : Json();
  }
  template <typename Value>
  static Json convert(const Value& value) {
    if constexpr (is_word<Value>) {
      return to_json(value);
    } else if constexpr (std::is_constructible_v<Json, Value> && !std::is_aggregate_v<Value>) {
      return value;
    } else {
      Writer<Value> writer(value);
      list_fields(writer, static_cast<const Value*>(nullptr));
      return writer.take();
    }
  }

  const Object& object_;
  const Object defaults_;
  Json json_ = Json::object();
};

// --- reading ---

template <typename Object>
Object read_object(const JsonReader& reader);

void read(const JsonReader& reader, std::string& text) {
  text = reader.as_string();
}
void read(const JsonReader& reader, bool& truth) {
  truth = reader.as_bool();
}
void read(const JsonReader& reader, std::vector<std::string>& strings) {
  strings = reader.as_strings();
}
void read(const JsonReader& reader, std::map<std::string, std::string>& map) {
  map = reader.as_string_map();
}
void read(const JsonReader& reader, MountRequest::Type& type) {
  const std::string text = reader.as_string();
  for (const auto& [value, name] : mount_types) {
    if (text == name) {
      type = value;
      return;
    }
  }
  reader.fail(concat("unknown mount type \"", text, "\""));
}
void read(const JsonReader& reader, PortProtocol& protocol) {
  const std::string text = reader.as_string();
  if (text != "tcp" && text != "udp") reader.fail(concat("unknown protocol \"", text, "\""));
  protocol = text == "tcp" ? PortProtocol::tcp : PortProtocol::udp;
}
void read(const JsonReader& reader, netns::IpAddress& address) {
  const std::string text = reader.as_string();
  const auto parsed = netns::parse_ip(text);
  if (!parsed) reader.fail(concat("\"", text, "\" is no IP address"));
  address = *parsed;
}
void read(const JsonReader& reader, netns::MacAddress& mac) {
  const std::string text = reader.as_string();
  const auto parsed = netns::parse_mac(text);
  if (!parsed) reader.fail(concat("\"", text, "\" is no Ethernet address"));
  mac = *parsed;
}
template <typename Number>
requires std::is_integral_v<Number>
void read(const JsonReader& reader, Number& number) {
  const auto value = [&reader] {
    if constexpr (std::is_signed_v<Number>) {
      return reader.as_int();
    } else {
      return reader.as_unsigned();
    }
  }();
  if (value < std::numeric_limits<Number>::min() || value > std::numeric_limits<Number>::max()) {
    reader.fail(concat("the number ", value, " is out of range"));
  }
  number = static_cast<Number>(value);
}
template <typename Item>
void read(const JsonReader& reader, std::optional<Item>& item) {
  item.emplace();
  read(reader, *item);
}
template <typename Object>
requires(std::is_aggregate_v<Object> && !is_word<Object>) void read(const JsonReader& reader,
                                                                    Object& object) {
  object = read_object<Object>(reader);
}
template <typename Item>
void read(const JsonReader& reader, std::vector<Item>& items) {
  for (const JsonReader& element : reader.as_array()) read(element, items.emplace_back());
}

template <typename Object>
class FieldReader {
 public:
  explicit FieldReader(const JsonReader& reader) : reader_(reader) {}
  Object take() { return std::move(object_); }

  template <typename Value>
  void operator()(const char* key, Value Object::*member) {
    if (const auto value = reader_.find(key)) read(*value, object_.*member);
  }

 private:
  const JsonReader& reader_;
  Object object_;
};

template <typename Object>
Object read_object(const JsonReader& reader) {
  FieldReader<Object> fields(reader);
  list_fields(fields, static_cast<const Object*>(nullptr));
  return fields.take();
}

}  // namespace

std::string render_config(const ContainerConfig& config) {
  Writer<ContainerConfig> writer(config);
  list_fields(writer, &config);
  Json json = writer.take();
  json["version"] = config_version;
  return storage::render_json(json);
}

ContainerConfig parse_config(std::string_view json) {
  const Json document = storage::parse_json(json, "config.json");
  const JsonReader reader(document, "config.json");
  reader.check_version(config_version);
  auto config = read_object<ContainerConfig>(reader);
  if (config.id.empty()) reader.fail("an id is missing");
  return config;
}

}  // namespace knarr::engine
