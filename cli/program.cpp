// SPDX-License-Identifier: Apache-2.0
// The way from argv to a verb, and the one try/catch around it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <deque>
#include <new>
#include <system_error>

#include "cli/errors.h"
#include "cli/help.h"
#include "cli/log.h"
#include "cli/text.h"
#include "cli/verb.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

using ArgumentSpan = std::span<const char* const>;

// The user is told which help to read: there is no verb to point to.
class UnknownVerb : public InvalidArgument {
 public:
  using InvalidArgument::InvalidArgument;
};

// Ends with 1, as podman's does.
class BadLogLevel : public InvalidArgument {
 public:
  using InvalidArgument::InvalidArgument;
};

// What users of podman and docker know and will find here later: they are told so rather than that they
// mistyped.
bool is_planned(std::string_view verb) {
  static constexpr std::array planned = {
      "artifact", "auto-update", "build",    "compose", "events",  "generate", "healthcheck", "init",
      "kube",     "machine",     "manifest", "network", "pause",   "play",     "pod",         "port",
      "push",     "quadlet",     "secret",   "stats",   "unpause", "update"};
  return std::find(planned.begin(), planned.end(), verb) != planned.end();
}

std::string basename_of(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

std::string join_words(std::string_view first, std::string_view second) {
  return first.empty() ? std::string(second) : concat(first, ' ', second);
}

class Dispatcher {
 public:
  Dispatcher(const Program& program, ArgumentSpan argv)
      : program_(program), argv_(argv), name_(basename_of(argv.empty() ? "knarr" : argv[0])) {}

  int run(Output& out) {
    command_ = name_;
    const ArgumentSpan after_name = argv_.empty() ? argv_ : argv_.subspan(1);
    const Arguments& globals = parse({program_.root_flags, program_.flags, false}, after_name);
    if (globals.wants_help()) return print(out, render_program_help(program_, name_));
    if (globals.boolean("version")) return print(out, concat(name_, " version " KNARR_VERSION "\n"));
    if (globals.positional().empty()) return missing_command(out, render_program_help(program_, name_));
    const ArgumentSpan words = argv_.last(globals.positional().size());
    if (std::string_view(words[0]) == "help") return print_help_of(out, words.subspan(1));
    if (const VerbGroup* group = find_group(program_, words[0])) return run_group(out, *group, words);
    return run_verb(out, "", words);
  }

  const std::string& command() const { return command_; }

 private:
  // Every level of the line may carry the program's flags: knarr --root R container --log-level L ls --root S
  const Arguments& parse(const FlagSet& flags, ArgumentSpan arguments) {
    return levels_.emplace_back(parse_flags(flags, arguments));
  }

  int run_group(Output& out, const VerbGroup& group, ArgumentSpan words) {
    command_ = join_words(name_, group.name);
    const Arguments& flags = parse({{}, program_.flags, false}, words.subspan(1));
    if (flags.wants_help()) return print(out, render_group_help(program_, name_, group));
    if (flags.positional().empty()) return missing_command(out, render_group_help(program_, name_, group));
    return run_verb(out, group.name, words.last(flags.positional().size()));
  }

  int run_verb(Output& out, std::string_view group, ArgumentSpan words) {
    const Verb* verb = find_verb(program_, join_words(group, words[0]));
    if (verb == nullptr) throw_unknown_verb(group, words[0]);
    command_ = join_words(command_, words[0]);
    const Arguments& arguments = parse({verb->flags, program_.flags, verb->interspersed}, words.subspan(1));
    if (arguments.wants_help()) return print(out, render_verb_help(name_, command_, *verb));
    check_count(*verb, arguments.positional().size());
    apply_log_level();
    const Invocation invocation = make_invocation(out);
    if (verb->run == nullptr) program_.hand_over(verb->helper, invocation.argv);
    return verb->run(invocation, arguments);
  }

  Invocation make_invocation(Output& out) const {
    return {.program = name_,
            .command = command_,
            .argv = std::vector<std::string>(argv_.begin(), argv_.end()),
            .settings = {.root = global_text("root"),
                         .runroot = global_text("runroot"),
                         .storage_driver = global_text("storage-driver"),
                         .network_config_dir = global_text("network-config-dir"),
                         .storage_options = global_list("storage-opt")},
            .out = out};
  }

  // The last one given wins.
  std::string global_text(std::string_view name) const {
    for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
      if (auto value = level->find_text(name)) return *value;
    }
    return levels_.front().text(name);
  }

  std::vector<std::string> global_list(std::string_view name) const {
    std::vector<std::string> all;
    for (const Arguments& level : levels_) {
      const std::vector<std::string> values = level.list(name);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }

  void apply_log_level() const {
    const std::string name = global_text("debug") == "true" ? "debug" : global_text("log-level");
    const auto level = parse_log_level(name);
    if (!level) {
      throw BadLogLevel(concat("log level \"", name, "\" is not supported, choose from: ", log_level_names));
    }
    set_log_level(*level);
  }

  void check_count(const Verb& verb, std::size_t received) const {
    const auto count = static_cast<int>(received);
    const bool too_few = count < verb.min_arguments;
    const bool too_many = verb.max_arguments >= 0 && count > verb.max_arguments;
    if (!too_few && !too_many) return;
    if (verb.max_arguments == 0) throw UsageError(concat('`', command_, "` takes no arguments"));
    if (verb.min_arguments == verb.max_arguments) {
      throw UsageError(concat("accepts ", verb.min_arguments, " arg(s), received ", count));
    }
    if (too_few) {
      throw UsageError(concat("requires at least ", verb.min_arguments, " arg(s), only received ", count));
    }
    throw UsageError(concat("accepts at most ", verb.max_arguments, " arg(s), received ", count));
  }

  [[noreturn]] void throw_unknown_verb(std::string_view group, std::string_view typed) const {
    std::string message = concat("unrecognized command `", command_, ' ', typed, '`');
    if (group.empty() && is_planned(typed))
      throw UnknownVerb(concat("'", name_, " ", typed, "' is not supported yet"));
    const std::vector<std::string> similar = suggest_verbs(program_, group, typed);
    if (!similar.empty()) message += "\n\nDid you mean this?\n\t" + join(similar, "\n\t") + '\n';
    throw UnknownVerb(message);
  }

  // `knarr help container rm`
  int print_help_of(Output& out, ArgumentSpan words) {
    if (words.empty()) return print(out, render_program_help(program_, name_));
    if (const VerbGroup* group = find_group(program_, words[0])) {
      if (words.size() == 1) return print(out, render_group_help(program_, name_, *group));
      command_ = join_words(name_, group->name);
      return print_verb_help(out, group->name, words[1]);
    }
    return print_verb_help(out, "", words[0]);
  }

  int print_verb_help(Output& out, std::string_view group, std::string_view word) {
    const Verb* verb = find_verb(program_, join_words(group, word));
    if (verb == nullptr) throw_unknown_verb(group, word);
    return print(out, render_verb_help(name_, join_words(command_, word), *verb));
  }

  static int print(Output& out, std::string_view text) {
    out.append(text);
    return 0;
  }

  int missing_command(Output& out, std::string_view help) const {
    out.append(help);
    out.flush();
    throw Error(concat("missing command '", command_, " COMMAND'"));
  }

  const Program& program_;
  ArgumentSpan argv_;
  std::string name_;
  std::string command_;           // what was recognised so far
  std::deque<Arguments> levels_;  // of the program, of a group, of the verb
};

int report(const Program& program, const Error& error) {
  print_error(error);
  return program.exit_status != nullptr ? program.exit_status(error) : engine_failure;
}

void print_pointer(std::string_view line) {
  Output errors(STDERR_FILENO);
  errors.line(line);
  errors.flush();
}

int run_and_report(const Program& program, Dispatcher& dispatcher, Output& out) {
  try {
    const int status = dispatcher.run(out);
    out.flush();
    return status;
  } catch (const UnknownVerb& error) {
    print_error(error);
    print_pointer(concat("Try '", dispatcher.command(), " --help' for more information"));
  } catch (const BadLogLevel& error) {
    print_error(error);
    return 1;
  } catch (const UsageError& error) {
    print_error(error);
    print_pointer(concat("See '", dispatcher.command(), " --help'"));
  } catch (const Error& error) {
    return report(program, error);
  } catch (const std::bad_alloc&) {
    print_error(Error("out of memory"));
  } catch (const std::system_error& failure) {
    // Of all we call, only std::thread throws these. glibc makes threads by clone3 and goes without it only
    // on ENOSYS.
    Error error(concat("starting a thread: ", failure.what()));
    error.set_hint(
        "a seccomp filter that denies clone3 must do so with ENOSYS, or programs cannot start threads");
    print_error(error);
  } catch (const std::exception& error) {
    print_error(Error(concat("internal error: ", error.what())));
  }
  return engine_failure;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// What a caller may have left in a state that would surprise: with 0, 1 or 2 closed the next file that is
// opened would become standard output; with SIGCHLD ignored no child could be waited for.
void normalize_process() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", O_RDWR);  // the lowest free number is this one
  }
  ::signal(SIGCHLD, SIG_DFL);
}

}  // namespace

int run_program(const Program& program, int argc, const char* const* argv) {
  normalize_process();
  Output out(STDOUT_FILENO);
  Dispatcher dispatcher(program, ArgumentSpan(argv, static_cast<std::size_t>(argc)));
  const int status = run_and_report(program, dispatcher, out);
  try {
    out.flush();  // what was printed before an error
  } catch (const Error&) {
    return engine_failure;
  }
  return status;
}

const Verb* find_verb(const Program& program, std::string_view path) {
  for (const Verb* verb : program.verbs) {
    for (const std::string_view known : verb->paths) {
      if (!known.empty() && known == path) return verb;
    }
  }
  return nullptr;
}

const VerbGroup* find_group(const Program& program, std::string_view name) {
  for (const VerbGroup& group : program.groups) {
    if (group.name == name) return &group;
  }
  return nullptr;
}

std::string_view name_within(const Verb& verb, std::string_view group) {
  for (const std::string_view path : verb.paths) {
    const std::size_t space = path.find(' ');
    if (group.empty() && space == std::string_view::npos) return path;
    if (!group.empty() && space != std::string_view::npos && path.substr(0, space) == group) {
      return path.substr(space + 1);
    }
  }
  return {};
}

std::vector<std::string> suggest_verbs(const Program& program, std::string_view group,
                                       std::string_view typed) {
  std::vector<std::string> similar;
  const std::string wanted = lower_case(typed);
  const auto consider = [&](std::string_view name) {
    if (!name.empty() && (edit_distance(wanted, name) <= 2 || name.starts_with(wanted)))
      similar.emplace_back(name);
  };
  for (const Verb* verb : program.verbs) {
    if (!verb->hidden) consider(name_within(*verb, group));
  }
  if (group.empty()) {
    for (const VerbGroup& known : program.groups) consider(known.name);
  }
  std::sort(similar.begin(), similar.end());
  similar.erase(std::unique(similar.begin(), similar.end()), similar.end());
  return similar;
}

}  // namespace knarr::cli
