// SPDX-License-Identifier: Apache-2.0
// `top`: the processes in a container's pid namespace, read from the host's /proc (proc(5)). No ps(1) is run,
// neither the host's nor the image's.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <functional>

#include "engine/lifecycle.h"
#include "engine/live_container.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

struct ProcessInfo {
  pid_t host_pid = 0, pid = 0, ppid = 0, pgid = 0;
  uid_t host_uid = 0, uid = 0;
  gid_t gid = 0;
  char state = '?';
  unsigned tty = 0;
  std::uint64_t user_ticks = 0, system_ticks = 0, start_ticks = 0;
  long nice = 0;
  std::uint64_t vsz_kib = 0, rss_kib = 0;
  std::string command, arguments;
};

struct View {
  rootless::IdMap uids;
  std::string passwd;
  double uptime = 0;
  double ticks_per_second = 100;
};

std::vector<std::string_view> split(std::string_view text, char separator, bool keep_empty = false) {
  std::vector<std::string_view> fields;
  while (true) {
    const auto end = text.find(separator);
    if (keep_empty || (end != 0 && !text.empty())) fields.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return fields;
    text.remove_prefix(end + 1);
  }
}

template <typename Number>
Number number(std::string_view text) {
  Number value{};
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string_view status_field(std::string_view status, std::string_view name) {
  const std::string key = concat("\n", name, ":");
  const auto start = status.find(key);
  if (start == std::string_view::npos) return {};
  const auto value = status.substr(start + key.size());
  return value.substr(0, value.find('\n'));
}

// A file of the container through its root, never past it: its links are its own business.
std::string read_in_container(pid_t init, const char* path) {
  const sys::UniqueFd root = sys::find_at(AT_FDCWD, concat("/proc/", init, "/root"), O_PATH | O_DIRECTORY);
  if (!root) return {};
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const sys::UniqueFd file(static_cast<int>(::syscall(SYS_openat2, root.get(), path, &how, sizeof(how))));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) < 0 || !S_ISREG(info.st_mode) || info.st_size > (1 << 20))
    return {};
  return sys::read_all(file.get(), path);
}

rootless::IdMap read_id_map(pid_t pid) {
  rootless::IdMap map;
  const auto text = sys::read_file_if_exists(AT_FDCWD, concat("/proc/", pid, "/uid_map"));
  if (!text) return map;
  for (const std::string_view line : split(*text, '\n')) {
    const auto fields = split(line, ' ');
    if (fields.size() == 3) {
      map.push_back({number<std::uint32_t>(fields[0]), number<std::uint32_t>(fields[1]),
                     number<std::uint32_t>(fields[2])});
    }
  }
  return map;
}

uid_t map_to_inside(const rootless::IdMap& map, uid_t outside) {
  for (const rootless::IdExtent& extent : map) {
    if (outside >= extent.outside && outside - extent.outside < extent.count) {
      return extent.inside + (outside - extent.outside);
    }
  }
  return 65534;
}

std::string user_name(const View& view, uid_t uid) {
  for (const std::string_view line : split(view.passwd, '\n')) {
    const auto fields = split(line, ':', true);
    if (fields.size() >= 3 && fields[2] == std::to_string(uid)) return std::string(fields[0]);
  }
  return std::to_string(uid);
}

// Empty for a process that is gone or none of our business.
std::string pid_namespace_of(pid_t pid) {
  char link[64];
  const ssize_t length = ::readlink(concat("/proc/", pid, "/ns/pid").c_str(), link, sizeof(link));
  return length < 0 ? std::string() : std::string(link, static_cast<std::size_t>(length));
}

// nullopt when the process ended meanwhile or lives in another pid namespace.
std::optional<ProcessInfo> read_process(pid_t host_pid, const std::string& pid_namespace, const View& view) {
  if (pid_namespace_of(host_pid) != pid_namespace) return std::nullopt;
  const std::string directory = concat("/proc/", host_pid);
  const auto stat = sys::read_file_if_exists(AT_FDCWD, directory + "/stat");
  const auto status = sys::read_file_if_exists(AT_FDCWD, directory + "/status");
  const auto cmdline = sys::read_file_if_exists(AT_FDCWD, directory + "/cmdline");
  if (!stat || !status || !cmdline) return std::nullopt;
  const auto name_end = stat->rfind(')');
  const auto fields = split(std::string_view(*stat).substr(name_end + 1), ' ');
  if (name_end == std::string::npos || fields.size() < 22) return std::nullopt;

  ProcessInfo process;
  process.host_pid = host_pid;
  const auto nested_pids = split(status_field(*status, "NSpid"), '\t');
  process.pid = nested_pids.empty() ? host_pid : number<pid_t>(nested_pids.back());
  process.state = fields[0][0];
  process.ppid = number<pid_t>(fields[1]);
  process.pgid = number<pid_t>(fields[2]);
  process.tty = number<unsigned>(fields[4]);
  process.user_ticks = number<std::uint64_t>(fields[11]);
  process.system_ticks = number<std::uint64_t>(fields[12]);
  process.nice = number<long>(fields[16]);
  process.start_ticks = number<std::uint64_t>(fields[19]);
  process.vsz_kib = number<std::uint64_t>(fields[20]) / 1024;
  process.rss_kib =
      number<std::uint64_t>(fields[21]) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
  process.host_uid = number<uid_t>(status_field(*status, "Uid"));
  process.gid = number<gid_t>(status_field(*status, "Gid"));
  process.uid = map_to_inside(view.uids, process.host_uid);
  process.command = stat->substr(stat->find('(') + 1, name_end - stat->find('(') - 1);
  process.arguments = *cmdline;
  while (!process.arguments.empty() && process.arguments.back() == '\0') process.arguments.pop_back();
  std::replace(process.arguments.begin(), process.arguments.end(), '\0', ' ');
  if (process.arguments.empty()) process.arguments = concat("[", process.command, "]");
  return process;
}

double elapsed_seconds(const ProcessInfo& process, const View& view) {
  return std::max(0.0, view.uptime - static_cast<double>(process.start_ticks) / view.ticks_per_second);
}

double cpu_seconds(const ProcessInfo& process, const View& view) {
  return static_cast<double>(process.user_ticks + process.system_ticks) / view.ticks_per_second;
}

std::string render_duration(double seconds) {
  char text[32];
  const long whole = static_cast<long>(seconds);
  if (whole >= 3600) {
    std::snprintf(text, sizeof(text), "%ldh%ldm%lds", whole / 3600, whole / 60 % 60, whole % 60);
  } else if (whole >= 60) {
    std::snprintf(text, sizeof(text), "%ldm%lds", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof(text), "%.3fs", seconds);
  }
  return text;
}

std::string render_percent(const ProcessInfo& process, const View& view) {
  char text[32];
  const double elapsed = elapsed_seconds(process, view);
  std::snprintf(text, sizeof(text), "%.3f", elapsed > 0 ? 100 * cpu_seconds(process, view) / elapsed : 0.0);
  return text;
}

std::string render_tty(unsigned device) {
  if (device == 0) return "?";
  // Unix98 pseudo terminals have the major numbers 136..143.
  const unsigned device_major = major(device);
  if (device_major >= 136 && device_major <= 143)
    return concat("pts/", (device_major - 136) * 256 + minor(device));
  return concat(device_major, ":", minor(device));
}

struct Column {
  const char* name;
  const char* title;
  std::string (*render)(const ProcessInfo&, const View&);
};

constexpr Column columns[] = {
    {"user", "USER", [](const ProcessInfo& p, const View& v) { return user_name(v, p.uid); }},
    {"uid", "UID", [](const ProcessInfo& p, const View&) { return std::to_string(p.uid); }},
    {"huser", "HUSER", [](const ProcessInfo& p, const View&) { return std::to_string(p.host_uid); }},
    {"pid", "PID", [](const ProcessInfo& p, const View&) { return std::to_string(p.pid); }},
    {"hpid", "HPID", [](const ProcessInfo& p, const View&) { return std::to_string(p.host_pid); }},
    {"ppid", "PPID", [](const ProcessInfo& p, const View&) { return std::to_string(p.ppid); }},
    {"pgid", "PGID", [](const ProcessInfo& p, const View&) { return std::to_string(p.pgid); }},
    {"pcpu", "%CPU", render_percent},
    {"etime", "ELAPSED",
     [](const ProcessInfo& p, const View& v) { return render_duration(elapsed_seconds(p, v)); }},
    {"tty", "TTY", [](const ProcessInfo& p, const View&) { return render_tty(p.tty); }},
    {"time", "TIME", [](const ProcessInfo& p, const View& v) { return render_duration(cpu_seconds(p, v)); }},
    {"args", "COMMAND", [](const ProcessInfo& p, const View&) { return p.arguments; }},
    {"comm", "COMMAND", [](const ProcessInfo& p, const View&) { return p.command; }},
    {"state", "STATE", [](const ProcessInfo& p, const View&) { return std::string(1, p.state); }},
    {"stat", "STAT", [](const ProcessInfo& p, const View&) { return std::string(1, p.state); }},
    {"nice", "NI", [](const ProcessInfo& p, const View&) { return std::to_string(p.nice); }},
    {"vsz", "VSZ", [](const ProcessInfo& p, const View&) { return std::to_string(p.vsz_kib); }},
    {"rss", "RSS", [](const ProcessInfo& p, const View&) { return std::to_string(p.rss_kib); }},
};

const Column& find_column(const std::string& name) {
  const auto found =
      std::find_if(std::begin(columns), std::end(columns), [&](const Column& c) { return name == c.name; });
  if (found != std::end(columns)) return *found;
  InvalidArgument error(concat("unknown descriptor \"", name, "\" for top"));
  std::string known;
  for (const Column& column : columns) known += concat(known.empty() ? "" : ", ", column.name);
  error.set_hint("known are " + known);
  throw error;
}

// Parents are other processes of the table: their pids as the container sees them.
void translate_parents(std::vector<ProcessInfo>& processes) {
  for (ProcessInfo& process : processes) {
    const auto parent = std::find_if(processes.begin(), processes.end(), [&](const ProcessInfo& other) {
      return other.host_pid == process.ppid;
    });
    process.ppid = parent == processes.end() ? 0 : parent->pid;
  }
}

}  // namespace

ProcessTable top(const Engine& engine, const std::string& id, const std::vector<std::string>& descriptors) {
  std::vector<const Column*> chosen;
  static const std::vector<std::string> defaults = {"user",  "pid", "ppid", "pcpu",
                                                    "etime", "tty", "time", "args"};
  for (const std::string& name : descriptors.empty() ? defaults : descriptors)
    chosen.push_back(&find_column(name));

  const ContainerStatus status = engine.status(id);
  if (status.state != State::running) {
    throw Conflict(concat("top can only be used on running containers: ", id.substr(0, 12), " is ",
                          state_name(status.state)));
  }
  const std::string pid_namespace = pid_namespace_of(joinable_process(status.init).pid);
  if (pid_namespace.empty()) throw NotFound(concat("container ", id.substr(0, 12), " ended meanwhile"));
  View view{.uids = read_id_map(joinable_process(status.init).pid),
            .passwd = read_in_container(joinable_process(status.init).pid, "etc/passwd"),
            .uptime = std::strtod(sys::read_file(AT_FDCWD, "/proc/uptime").c_str(), nullptr),
            .ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK))};

  std::vector<ProcessInfo> processes;
  for (const std::string& name : sys::list_directory(AT_FDCWD, "/proc")) {
    const pid_t pid = number<pid_t>(name);
    if (pid <= 0) continue;
    if (auto process = read_process(pid, pid_namespace, view)) processes.push_back(std::move(*process));
  }
  translate_parents(processes);
  std::sort(processes.begin(), processes.end(), [](const auto& a, const auto& b) { return a.pid < b.pid; });

  ProcessTable table;
  for (const Column* column : chosen) table.titles.push_back(column->title);
  for (const ProcessInfo& process : processes) {
    auto& row = table.rows.emplace_back();
    for (const Column* column : chosen) row.push_back(column->render(process, view));
  }
  return table;
}

}  // namespace knarr::engine
