// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>

#include "cli/commands/container_filter.h"
#include "cli/commands/container_list.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/format_flag.h"
#include "cli/commands/selection.h"
#include "cli/commands/verbs.h"
#include "cli/quote.h"
#include "cli/table.h"
#include "cli/template/report.h"
#include "cli/template/template.h"
#include "cli/text.h"
#include "cli/units.h"
#include "engine/container_size.h"
#include "engine/network/run_record.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::cli {

namespace {

using templates::Value;

constexpr auto flags = std::to_array<Flag>({
    toggle("all", 'a', "Show all containers, not only running ones"),
    toggle("external", 0, "Show containers of other programs in the same store; there are none").unlisted(),
    array_flag("filter", 'f', "NAME=VALUE", "Show the containers that match"),
    list_format_flag,
    integer_flag("last", 'n', "COUNT", "Show the last containers made, in all states").with_default("-1"),
    latest_flag,
    toggle("no-trunc", 0, "Show all of IDs and commands"),
    toggle("noheading", 0, "Leave the titles out").also("no-heading"),
    toggle("ns", 0, "Show the namespaces"),
    toggle("pod", 'p', "Show the pods").not_yet(),
    toggle("quiet", 'q', "Show IDs only"),
    toggle("size", 's', "Show what the containers have written, and the size of their images"),
    text_flag("sort", 0, "COLUMN", "Sort by command, created, id, image, names, runningfor or status")
        .with_default("created")
        .one_of(container_sort_keys),
    toggle("sync", 0, "Ask the runtime first; the state shown is never older").unlisted(),
    natural_flag("watch", 'w', "SECONDS", "Show the list again and again").not_yet("0"),
});
static_assert(is_well_formed(flags));

constexpr std::size_t command_width = 20;

// --- which ---

std::vector<ListedContainer> choose(const engine::Engine& engine, const Arguments& arguments) {
  const std::string sort_key = arguments.text("sort");
  if (!contains(split(container_sort_keys, " "), sort_key)) {
    throw UsageError(concat("invalid argument ", quote_go(sort_key), " for \"--sort\" flag: choose from ",
                            join(split(container_sort_keys, " "), ", ")));
  }
  const ContainerFilter filter(engine, arguments.list("filter"));
  const std::int64_t last = arguments.boolean("latest") ? 1 : arguments.integer("last");
  const bool all = arguments.boolean("all") || last >= 0 || filter.asks_for_state();
  std::vector<ListedContainer> containers = all ? list_containers(engine) : list_running(engine);
  std::erase_if(containers, [&](const ListedContainer& container) { return !filter.matches(container); });
  if (last >= 0 && containers.size() > static_cast<std::size_t>(last)) {
    sort_containers(containers, "created");
    containers.erase(containers.begin(), containers.end() - last);
  }
  sort_containers(containers, sort_key);
  return containers;
}

// --- how ---

struct Namespaces {
  std::string cgroup, ipc, mnt, net, pid, user, uts;
};

// "4026531836" of "net:[4026531836]"; empty when the process is gone.
std::string namespace_number(pid_t pid, std::string_view name) {
  if (pid <= 0) return "";
  const auto link = sys::read_link(AT_FDCWD, concat("/proc/", pid, "/ns/", name));
  if (!link) return "";
  const std::size_t begin = link->find('[') + 1;
  return link->substr(begin, link->find(']') - begin);
}

Namespaces read_namespaces(pid_t pid) {
  const auto number = [pid](std::string_view name) { return namespace_number(pid, name); };
  return {.cgroup = number("cgroup"),
          .ipc = number("ipc"),
          .mnt = number("mnt"),
          .net = number("net"),
          .pid = number("pid"),
          .user = number("user"),
          .uts = number("uts")};
}

using Sizes = std::map<std::string, engine::ContainerSize>;

struct Style {
  const engine::Engine& engine;
  bool full = false;  // --no-trunc
  std::int64_t now = 0;
  std::optional<Sizes> sizes;  // --size
};

engine::ContainerSize size_of(const ListedContainer& container, const Style& style) {
  const auto found = style.sizes->find(container.summary.id);
  return found == style.sizes->end() ? engine::ContainerSize{} : found->second;
}

// podman has no blank before the unit in this column.
std::string tight_size(std::uint64_t bytes) {
  std::string text = human_size(bytes);
  std::erase(text, ' ');
  return text;
}

std::string show_size(const ListedContainer& container, const Style& style) {
  const engine::ContainerSize size = size_of(container, style);
  return concat(tight_size(size.written), " (virtual ", tight_size(size.image), ')');
}

// Only of those that run: what a resting one will have is not in its summary.
std::vector<engine::PortMapping> ports_of(const ListedContainer& container, const Style& style) {
  if (container.status.state != engine::State::running) return {};
  const auto record = engine::read_network_record(style.engine.run_directory(container.summary.id));
  return record ? record->ports : std::vector<engine::PortMapping>();
}

std::string show_ports(const ListedContainer& container, const Style& style) {
  std::vector<std::string> texts;
  for (const engine::PortMapping& port : ports_of(container, style))
    texts.push_back(engine::render_port(port));
  return join(texts, ", ");
}

// null when there are none, as podman has it.
Value json_ports(const ListedContainer& container, const Style& style) {
  const std::vector<engine::PortMapping> ports = ports_of(container, style);
  if (ports.empty()) return {};
  Value list = Value::list();
  for (const engine::PortMapping& port : ports) {
    list.push_back(Value::map()
                       .set("host_ip", port.host_address ? netns::render_ip(*port.host_address) : "")
                       .set("container_port", unsigned{port.container_port})
                       .set("host_port", unsigned{port.host_port})
                       .set("range", unsigned{port.count})
                       .set("protocol", engine::protocol_name(port.protocol)));
  }
  return list;
}

std::string show_id(const std::string& id, const Style& style) {
  return style.full ? id : short_id(id);
}
std::string show_command(const std::string& command, const Style& style) {
  return style.full ? command : shorten(command, command_width);
}
std::string show_age(const ListedContainer& container, const Style& style) {
  return engine::human_duration(style.now - container.created_ns) + " ago";
}

std::vector<std::string> make_row(const ListedContainer& container, const Style& style) {
  const engine::Summary& summary = container.summary;
  std::vector<std::string> row = {show_id(summary.id, style),
                                  summary.image,
                                  show_command(summary.command, style),
                                  show_age(container, style),
                                  describe_status(container.status, style.now),
                                  show_ports(container, style),
                                  summary.name};
  if (style.sizes) row.push_back(show_size(container, style));
  return row;
}

std::vector<std::string> make_namespace_row(const ListedContainer& container, const Style& style) {
  const pid_t pid = container.status.init.pid;
  const Namespaces numbers = read_namespaces(pid);
  return {show_id(container.summary.id, style),
          container.summary.name,
          std::to_string(pid),
          numbers.cgroup,
          numbers.ipc,
          numbers.mnt,
          numbers.net,
          numbers.pid,
          numbers.user,
          numbers.uts};
}

void print_table(Output& out, const std::vector<ListedContainer>& containers, const Arguments& arguments,
                 const Style& style) {
  const bool namespaces = arguments.boolean("ns");
  std::vector<std::vector<std::string>> rows;
  if (!arguments.boolean("noheading")) {
    if (namespaces) {
      rows.push_back(
          {"CONTAINER ID", "NAMES", "PID", "CGROUPNS", "IPC", "MNT", "NET", "PIDNS", "USERNS", "UTS"});
    } else {
      rows.push_back({"CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"});
      if (style.sizes) rows.back().push_back("SIZE");
    }
  }
  for (const ListedContainer& container : containers) {
    rows.push_back(namespaces ? make_namespace_row(container, style) : make_row(container, style));
  }
  out.append(render_table(rows));
}

std::vector<std::string> split_list(const std::string& joined) {
  return joined.empty() ? std::vector<std::string>{} : split(joined, ",");
}

std::int64_t epoch_seconds(std::int64_t ns) {
  // Go's zero time, which podman shows for what did not happen.
  constexpr std::int64_t never = -62'135'596'800;
  return ns == 0 ? never : ns / engine::ns_per_second;
}

// What is not in the summary; empty for a container that was removed meanwhile.
engine::ContainerConfig load_if_there(const engine::Engine& engine, const std::string& id) {
  try {
    return engine.load_config(id);
  } catch (const NotFound&) {
    return {};
  }
}

// The argv: the summary has its words joined by blanks only.
Value command_list(const engine::ContainerConfig& config) {
  std::vector<std::string> words = config.entrypoint;
  words.insert(words.end(), config.command.begin(), config.command.end());
  return words;
}

// {"80": ["tcp"]}; null when there are none.
Value exposed_ports(const engine::ContainerConfig& config) {
  if (config.exposed.empty()) return {};
  std::map<std::string, std::vector<std::string>> protocols;
  for (const engine::ExposedPorts& ports : config.exposed) {
    for (std::uint32_t i = 0; i < ports.count; ++i)
      protocols[std::to_string(ports.first + i)].emplace_back(engine::protocol_name(ports.protocol));
  }
  Value map = Value::map();
  for (const auto& [port, names] : protocols) map.set(port, names);
  return map;
}

void set_shared_members(Value& row, const ListedContainer& container) {
  const engine::Summary& summary = container.summary;
  const engine::ContainerStatus& status = container.status;
  const bool exited = status.state == engine::State::exited;
  row.set("AutoRemove", summary.auto_remove)
      .set("CIDFile", "")
      .set("Exited", exited)
      .set("ExitedAt", epoch_seconds(exited ? status.finished_ns : 0))
      .set("ExitCode", status.exit_code)
      .set("ImageID", summary.image_id)
      .set("Image", summary.image)
      .set("IsInfra", false)
      .set("Labels", summary.labels)
      .set("Mounts", split_list(summary.mounts))
      .set("Pid", status.init.pid)
      .set("Pod", "")
      .set("PodName", "")
      .set("Restarts", status.restarts)
      .set("StartedAt", epoch_seconds(status.started_ns))
      .set("State", engine::state_name(status.state));
}

// null without --size.
Value json_size(const ListedContainer& container, const Style& style) {
  if (!style.sizes) return {};
  const engine::ContainerSize size = size_of(container, style);
  return Value::map().set("rootFsSize", size.image).set("rwSize", size.written);
}

Value json_row(const engine::Engine& engine, const ListedContainer& container, const Style& style) {
  Value row = Value::structure("Container");
  set_shared_members(row, container);
  const engine::ContainerConfig config = load_if_there(engine, container.summary.id);
  row.set("Command", command_list(config))
      .set("ExposedPorts", exposed_ports(config))
      .set("Created", container.created_ns / engine::ns_per_second)
      .set("CreatedAt", show_age(container, style))
      .set("Id", container.summary.id)
      .set("Names", std::vector<std::string>{container.summary.name})
      .set("Namespaces", Value::map())
      .set("Networks", split_list(container.summary.networks))
      .set("Ports", json_ports(container, style))
      .set("Status", describe_status(container.status, style.now));
  row.set("Size", json_size(container, style));
  return row;
}

void set_namespace_members(Value& row, pid_t pid) {
  const Namespaces numbers = read_namespaces(pid);
  Value all = Value::structure("Namespaces");
  all.set("Cgroup", numbers.cgroup)
      .set("Ipc", numbers.ipc)
      .set("Mnt", numbers.mnt)
      .set("Net", numbers.net)
      .set("Pidns", numbers.pid)
      .set("User", numbers.user)
      .set("Uts", numbers.uts);
  row.set("Namespaces", all)
      .set("CGROUPNS", numbers.cgroup)
      .set("IPC", numbers.ipc)
      .set("MNT", numbers.mnt)
      .set("NET", numbers.net)
      .set("PIDNS", numbers.pid)
      .set("USERNS", numbers.user)
      .set("UTS", numbers.uts);
}

// What a template sees is for people: short ids, words for times.
Value template_row(const ListedContainer& container, const Style& style, bool with_namespaces) {
  const engine::Summary& summary = container.summary;
  Value row = Value::structure("Container");
  set_shared_members(row, container);
  row.set("ID", show_id(summary.id, style))
      .set("Id", show_id(summary.id, style))
      .set("Names", summary.name)
      .set("Command", show_command(summary.command, style))
      .set("Created", show_age(container, style))
      .set("CreatedHuman", show_age(container, style))
      .set("RunningFor", show_age(container, style))
      .set("CreatedAt", Value::time(container.created_ns))
      .set("ExposedPorts", "")
      .set("Networks", summary.networks)
      .set("Ports", show_ports(container, style))
      .set("Status", describe_status(container.status, style.now));
  row.set("Size", style.sizes ? Value(show_size(container, style)) : Value());
  if (with_namespaces) set_namespace_members(row, container.status.init.pid);
  row.set_method("Label", [labels = summary.labels](std::span<const Value> arguments) -> Value {
    if (arguments.size() != 1 || arguments[0].type() != Value::Type::string) {
      throw templates::TemplateError("Label takes the name of a label");
    }
    const auto found = labels.find(arguments[0].string());
    return found != labels.end() ? found->second : "";
  });
  return row;
}

bool mentions_namespaces(std::string_view format) {
  for (const std::string_view name :
       {"CGROUPNS", "IPC", "MNT", "NET", "PIDNS", "USERNS", "UTS", "Namespaces"}) {
    if (format.find(concat('.', name)) != std::string_view::npos) return true;
  }
  return false;
}

void print_formatted(const engine::Engine& engine, const std::string& format, Output& out,
                     const std::vector<ListedContainer>& containers, const Arguments& arguments,
                     const Style& style) {
  if (templates::is_json(format)) {
    Value rows = Value::list();
    for (const ListedContainer& container : containers) rows.push_back(json_row(engine, container, style));
    out.line(render_json_indented(rows, 4));
    return;
  }
  const templates::Report report{
      .name = "ps",
      .titles = {{"ID", "CONTAINER ID"}, {"Id", "CONTAINER ID"}, {"RunningFor", "CREATED"}},
      .with_titles = !arguments.boolean("noheading")};
  const bool namespaces = mentions_namespaces(format);
  std::vector<Value> rows;
  for (const ListedContainer& container : containers)
    rows.push_back(template_row(container, style, namespaces));
  out.append(render_report(report, format, rows));
}

Sizes measure(const engine::Engine& engine, const std::vector<ListedContainer>& containers) {
  std::vector<std::string> ids;
  for (const ListedContainer& container : containers) ids.push_back(container.summary.id);
  return engine::measure_containers(engine, ids);
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const std::vector<ListedContainer> containers = choose(engine, arguments);
  Style style{.engine = engine,
              .full = arguments.boolean("no-trunc"),
              .now = engine::wall_clock_ns(),
              .sizes = std::nullopt};
  if (arguments.boolean("size") && !arguments.boolean("quiet")) style.sizes = measure(engine, containers);
  if (arguments.boolean("quiet")) {
    for (const ListedContainer& container : containers)
      invocation.out.line(show_id(container.summary.id, style));
  } else if (const auto format = list_format(arguments)) {
    print_formatted(engine, *format, invocation.out, containers, arguments, style);
  } else {
    print_table(invocation.out, containers, arguments, style);
  }
  return 0;
}

}  // namespace

constinit const Verb ps_verb = {
    .paths = {"ps", "container ls", "container list", "container ps"},
    .usage = "[options]",
    .summary = "List containers",
    .examples = "ps -a\nps -a --filter status=exited --format '{{.Names}} {{.ExitCode}}'\nps --format json",
    .flags = flags,
    .max_arguments = 0,
    .run = run,
};

}  // namespace knarr::cli
