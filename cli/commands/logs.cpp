// SPDX-License-Identifier: Apache-2.0
#include "engine/logs.h"

#include <unistd.h>

#include <array>

#include "cli/commands/engine_access.h"
#include "cli/commands/selection.h"
#include "cli/commands/verbs.h"
#include "cli/table.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"
#include "rootless/sys/process.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    toggle("color", 0, "Show each container in a color of its own").not_yet(),
    toggle("details", 0, "Show attributes of the log driver; there are none").unlisted(),
    toggle("follow", 'f', "Go on as the container writes"),
    latest_flag,
    toggle("names", 'n', "Show the container's name on every line"),
    text_flag("since", 0, "TIME", "Show what was written since then: 10m, 2026-11-23T12:00:00"),
    integer_flag("tail", 0, "COUNT", "Show that many lines from the end; -1 shows all").with_default("-1"),
    toggle("timestamps", 't', "Show the time on every line"),
    text_flag("until", 0, "TIME", "Show what was written until then"),
});
static_assert(is_well_formed(flags));

struct Style {
  std::string prefix;  // of every line
  bool times = false;
  bool follow = false;
};

// "2026-11-23T12:12:10.500000000+01:00"
std::string render_log_time(std::int64_t ns) {
  const std::string second =
      engine::render_rfc3339_nano(ns - ns % engine::ns_per_second, engine::TimeZone::local);
  const std::string fraction = std::to_string(engine::ns_per_second + ns % engine::ns_per_second).substr(1);
  constexpr std::size_t date_and_time = 19;
  return concat(second.substr(0, date_and_time), '.', fraction, second.substr(date_and_time));
}

// Standard output of the container goes to standard output, its standard error to standard error.
class LogPrinter {
 public:
  explicit LogPrinter(Style style) : style_(std::move(style)) {}

  void print(const engine::LogEntry& entry) {
    const auto stream = static_cast<std::size_t>(entry.stream);
    Output& out = outputs_[stream];
    // The two may be one terminal, or one file: keep their order.
    outputs_[1 - stream].flush();
    if (!inside_line_[stream]) {
      out.append(style_.prefix);
      if (style_.times) out.print(render_log_time(entry.time_ns), ' ');
    }
    out.append(entry.text);
    if (!entry.partial) out.append("\n");
    inside_line_[stream] = entry.partial;
    if (style_.follow) out.flush();
  }

  void flush() {
    for (Output& out : outputs_) out.flush();
  }

 private:
  Style style_;
  std::array<Output, 2> outputs_{Output(STDOUT_FILENO), Output(STDERR_FILENO)};
  std::array<bool, 2> inside_line_{};
};

engine::LogOptions read_options(const Arguments& arguments) {
  engine::LogOptions options;
  options.follow = arguments.boolean("follow");
  const std::int64_t now = engine::wall_clock_ns();
  if (const auto since = arguments.find_text("since")) options.since_ns = engine::parse_time(now, *since);
  if (const auto until = arguments.find_text("until")) options.until_ns = engine::parse_time(now, *until);
  const std::int64_t tail = arguments.integer("tail");
  if (tail >= 0) options.tail = static_cast<std::uint64_t>(tail);
  return options;
}

engine::LogSource find_log(const engine::Engine& engine, const engine::ContainerConfig& config) {
  if (config.log.driver == "none") {
    throw Conflict(concat("container \"", config.name, "\" has the log driver none: nothing is logged"));
  }
  const std::string path =
      config.log.path.empty() ? engine.containers().path(config.id) + "/ctr.log" : config.log.path;
  return {.path = path, .pids_path = engine.run_directory(config.id) + "/pids"};
}

void print_log(const engine::Engine& engine, const std::string& id, const Arguments& arguments,
               const engine::LogOptions& options, bool one_of_many) {
  const engine::ContainerConfig config = engine.load_config(id);
  Style style{.times = arguments.boolean("timestamps"), .follow = options.follow};
  if (arguments.boolean("names")) {
    style.prefix = config.name + ' ';
  } else if (one_of_many) {
    style.prefix = short_id(id) + ' ';
  }
  LogPrinter printer(std::move(style));
  engine::read_logs(find_log(engine, config), options, [&](const engine::LogEntry& entry) {
    printer.print(entry);
    return true;
  });
  printer.flush();
}

// Each log is followed by a process of its own.
void follow_all(const engine::Engine& engine, const std::vector<std::string>& ids, const Arguments& arguments,
                const engine::LogOptions& options) {
  std::vector<pid_t> children;
  for (const std::string& id : ids) {
    children.push_back(sys::fork_child([&] {
      print_log(engine, id, arguments, options, true);
      return 0;
    }));
  }
  for (const pid_t child : children) sys::wait_child(child);
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const engine::LogOptions options = read_options(arguments);
  std::vector<std::string> ids;
  if (arguments.boolean("latest")) {
    ids.push_back(latest_container(engine));
  } else {
    if (arguments.positional().empty()) throw UsageError("you must provide at least one name or id");
    for (const std::string& name : arguments.positional()) ids.push_back(engine.containers().get_id(name));
  }
  if (options.follow && ids.size() > 1) {
    follow_all(engine, ids, arguments, options);
    return 0;
  }
  for (const std::string& id : ids) print_log(engine, id, arguments, options, ids.size() > 1);
  return 0;
}

}  // namespace

constinit const Verb logs_verb = {
    .paths = {"logs", "container logs"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .summary = "Show what containers have written",
    .examples = "logs web\nlogs -f --tail 10 web",
    .flags = flags,
    .completion = Completion::containers,
    .run = run,
};

}  // namespace knarr::cli
