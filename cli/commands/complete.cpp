// SPDX-License-Identifier: Apache-2.0
// completion: the script of a shell. __complete: what that script asks.
#include <algorithm>

#include "cli/commands/container_list.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/verbs.h"
#include "cli/completion.h"
#include "cli/program_table.h"
#include "cli/quote.h"
#include "cli/table.h"
#include "engine/images.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

bool wants_state(Completion what, engine::State state) {
  if (what == Completion::running_containers) return state == engine::State::running;
  if (what == Completion::stopped_containers) return state != engine::State::running;
  return true;
}

void add_containers(const engine::Engine& engine, CompletionAnswer& answer) {
  const auto add = [&](const std::string& text, const std::string& description) {
    if (text.starts_with(answer.prefix)) answer.candidates.push_back({text, description});
  };
  const bool running = answer.more == Completion::running_containers;
  for (const ListedContainer& container : running ? list_running(engine) : list_containers(engine)) {
    if (!wants_state(answer.more, container.status.state)) continue;
    add(container.summary.name, container.summary.image);
    // Ids only for who has begun to type one.
    if (!answer.prefix.empty()) add(short_id(container.summary.id), container.summary.name);
  }
}

void add_image_name(const std::string& name, const std::string& description, CompletionAnswer& answer) {
  // "debian" begins docker.io/library/debian:12, as it does for run.
  for (const std::string_view domain : {"", "docker.io/library/", "docker.io/", "localhost/"}) {
    if (!name.starts_with(domain)) continue;
    const std::string text = name.substr(domain.size());
    if (text.starts_with(answer.prefix)) answer.candidates.push_back({text, description});
  }
}

void add_images(const engine::Engine& engine, CompletionAnswer& answer) {
  for (const storage::Image& image : engine::list_images(engine)) {
    for (const std::string& name : image.names) add_image_name(name, short_id(image.id), answer);
  }
  for (const storage::ManifestList& list : storage::ManifestListStore(engine.store()).list_lists()) {
    for (const std::string& name : list.names) add_image_name(name, "manifest list", answer);
  }
}

void add_volumes(const engine::Engine& engine, CompletionAnswer& answer) {
  for (const storage::Volume& volume : engine.volumes().list_volumes()) {
    if (volume.name.starts_with(answer.prefix)) answer.candidates.push_back({volume.name, "volume"});
  }
}

void add_networks(const engine::Engine& engine, CompletionAnswer& answer) {
  for (const engine::Network& network : engine.networks().list()) {
    if (network.name.starts_with(answer.prefix)) answer.candidates.push_back({network.name, network.driver});
  }
}

void add_objects(const Invocation& invocation, CompletionAnswer& answer) {
  switch (answer.more) {
    case Completion::containers:
    case Completion::running_containers:
    case Completion::stopped_containers:
      return add_containers(open_engine(invocation), answer);
    case Completion::images:
      return add_images(open_engine(invocation), answer);
    case Completion::volumes:
      return add_volumes(open_engine(invocation), answer);
    case Completion::network_modes:
      for (const std::string_view mode : {"bridge", "host", "none"}) {
        if (mode.starts_with(answer.prefix)) answer.candidates.push_back({std::string(mode), "network mode"});
      }
      return add_networks(open_engine(invocation), answer);
    case Completion::networks:
      return add_networks(open_engine(invocation), answer);
    case Completion::objects: {
      const engine::Engine engine = open_engine(invocation);
      add_containers(engine, answer);
      add_images(engine, answer);
      add_volumes(engine, answer);
      return;
    }
    default:
      return;
  }
}

std::string_view directive(Completion more) {
  if (more == Completion::files) return ":files";
  return more == Completion::directories ? ":directories" : ":none";
}

int run_complete(const Invocation& invocation, const Arguments& arguments) {
  CompletionAnswer answer = plan_completion(knarr_program, arguments.positional());
  Invocation line = {invocation.program, invocation.command, invocation.argv, invocation.settings,
                     invocation.out};
  if (!answer.settings.root.empty()) line.settings.root = answer.settings.root;
  if (!answer.settings.network_config_dir.empty())
    line.settings.network_config_dir = answer.settings.network_config_dir;
  if (!answer.settings.runroot.empty()) line.settings.runroot = answer.settings.runroot;
  try {
    add_objects(line, answer);
  } catch (const Error&) {
    // A shell has no place for an error, and what is known without the store is still of use.
  }
  std::sort(answer.candidates.begin(), answer.candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.text < b.text; });
  for (const Candidate& candidate : answer.candidates) {
    invocation.out.print(answer.lead, candidate.text);
    if (!candidate.description.empty()) invocation.out.print('\t', candidate.description);
    invocation.out.append("\n");
  }
  invocation.out.line(directive(answer.more));
  return 0;
}

constexpr auto completion_flags = std::to_array<Flag>({
    text_flag("file", 'f', "FILE", "Write to a file").not_yet(),
    toggle("no-desc", 0, "Leave descriptions out").not_yet(),
});

int run_completion(const Invocation& invocation, const Arguments& arguments) {
  const std::string script = render_completion_script(arguments.at(0), invocation.program);
  if (script.empty()) {
    throw UsageError(concat("invalid shell ", quote_go(arguments.at(0)), ": choose from bash, zsh, fish"));
  }
  invocation.out.append(script);
  return 0;
}

}  // namespace

constinit const Verb complete_verb = {
    .paths = {"__complete"},
    .usage = "WORD...",
    .summary = "Say what a command line could go on with",
    .interspersed = false,
    .topic = Topic::engine,
    .hidden = true,
    .run = run_complete,
};

constinit const Verb completion_verb = {
    .paths = {"completion"},
    .usage = "bash|zsh|fish",
    .summary = "Print the completion script of a shell",
    .examples = "completion bash > /etc/bash_completion.d/knarr",
    .flags = completion_flags,
    .min_arguments = 1,
    .max_arguments = 1,
    .topic = Topic::engine,
    .run = run_completion,
};

}  // namespace knarr::cli
