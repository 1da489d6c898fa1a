// SPDX-License-Identifier: Apache-2.0
// Verbs as data: what dispatch, help, completion and the manual are made from.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/flags.h"
#include "cli/output.h"

namespace knarr::cli {

// What the program's own flags say, wherever on the line they were given.
struct Settings {
  std::string root;
  std::string runroot;
  std::string storage_driver;
  std::string network_config_dir;
  std::vector<std::string> storage_options;  // "NAME=VALUE", in the order given
};

// One call of a verb.
struct Invocation {
  std::string program;            // basename of argv[0]
  std::string command;            // "knarr container rm", as it was typed
  std::vector<std::string> argv;  // all of it
  Settings settings;
  Output& out;
};

enum class Topic : std::uint8_t { containers, images, volumes, networks, engine, count };
std::string_view topic_title(Topic topic);

using VerbFunction = int (*)(const Invocation&, const Arguments&);

struct Verb {
  // "rm", "container rm", "container remove": the words that call it, the shown ones first.
  std::array<std::string_view, 5> paths;
  std::string_view usage;        // "[options] CONTAINER [CONTAINER...]"
  std::string_view summary;      // one line, no full stop
  std::string_view description;  // more, if there is more to say
  std::string_view examples;     // a line each, without the program's name: "rm -f web"
  std::span<const Flag> flags;
  bool interspersed = true;
  int min_arguments = 0;
  int max_arguments = -1;  // -1: any number
  Topic topic = Topic::containers;
  Completion completion = Completion::none;  // of its arguments
  bool hidden = false;
  // Where it lives when `run` is null: a program in libexec, which gets the same argv.
  std::string_view helper = "knarr-store";
  VerbFunction run = nullptr;  // returns the exit status
};

constexpr Verb implement(Verb verb, VerbFunction run) {
  verb.run = run;
  return verb;
}

// A word that only leads to others: `container`, `image`.
struct VerbGroup {
  std::string_view name;
  std::string_view summary;
};

struct Program {
  std::span<const Verb* const> verbs;
  std::span<const VerbGroup> groups;
  std::span<const Flag> flags;       // taken before a command and by every command
  std::span<const Flag> root_flags;  // taken before a command only: --version
  // Replaces this process by the program that has the verb; returns only by throwing.
  void (*hand_over)(std::string_view helper, const std::vector<std::string>& argv) = nullptr;
  // The exit status an error asks for; 125 for most.
  int (*exit_status)(const Error& error) = nullptr;
};

// The verb `words` name ("container rm"); null when there is none.
const Verb* find_verb(const Program& program, std::string_view path);
const VerbGroup* find_group(const Program& program, std::string_view name);
// The verb's word inside a group ("" for the top level): "rm" for "container rm". Empty: it is not there.
std::string_view name_within(const Verb& verb, std::string_view group);

// Parses, dispatches, prints errors; returns the exit status.
int run_program(const Program& program, int argc, const char* const* argv);

// Names like `typed`: at most two edits away, or beginning with it.
std::vector<std::string> suggest_verbs(const Program& program, std::string_view group,
                                       std::string_view typed);

}  // namespace knarr::cli
