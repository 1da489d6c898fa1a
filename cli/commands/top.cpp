// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/selection.h"
#include "cli/commands/verbs.h"
#include "cli/table.h"
#include "cli/text.h"
#include "engine/lifecycle.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({latest_flag});

// "pid,user" and "pid user" are the same.
std::vector<std::string> read_descriptors(std::vector<std::string> words) {
  std::vector<std::string> descriptors;
  for (const std::string& word : words) {
    if (word.starts_with('-')) {
      throw Unsupported(concat("ps(1) option ", word, " is not supported: top takes names of columns only"));
    }
    for (const std::string& name : split(word, ",")) {
      if (!name.empty()) descriptors.push_back(name);
    }
  }
  return descriptors;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const std::string id = choose_one(engine, arguments);
  std::vector<std::string> words = arguments.positional();
  if (!arguments.boolean("latest")) words.erase(words.begin());
  engine::ProcessTable processes = engine::top(engine, id, read_descriptors(std::move(words)));
  processes.rows.insert(processes.rows.begin(), std::move(processes.titles));
  invocation.out.append(render_table(processes.rows));
  return 0;
}

}  // namespace

constinit const Verb top_verb = {
    .paths = {"top", "container top"},
    .usage = "[options] CONTAINER [COLUMN...]",
    .summary = "Show the processes of a container",
    .description = "Columns: user pid ppid pcpu etime tty time args comm hpid huser state nice vsz rss",
    .examples = "top web\ntop web pid,user,args",
    .flags = flags,
    .interspersed = false,
    .completion = Completion::running_containers,
    .run = run,
};

}  // namespace knarr::cli
