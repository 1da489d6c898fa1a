// SPDX-License-Identifier: Apache-2.0
// Command-line flags with the semantics of pflag, which users of podman and docker have in their fingers.
//
// A verb's flags are one constexpr table; help, completion and the manual are made from it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/inline_text.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

enum class FlagKind : std::uint8_t {
  boolean,  // --x, --x=false, -x, -xyz
  text,
  integer,  // decimal, 0x, 0o, 0b; may be negative
  natural,  // the same without a sign
  list,     // repeatable; each value is a line of comma-separated values ("a,\"b,c\"")
  array     // repeatable; each value is taken whole
};

// The headings of the help, in this order.
enum class FlagGroup : std::uint8_t {
  general,
  process,
  metadata,
  filesystem,
  network,
  resources,
  security,
  namespaces,
  health,
  pull,
  count
};
std::string_view group_title(FlagGroup group);

// What completes a flag's value or a verb's argument.
enum class Completion : std::uint8_t {
  none,
  files,
  directories,
  containers,
  running_containers,
  stopped_containers,
  images,
  volumes,
  networks,
  network_modes,  // and networks
  objects,        // containers, images and volumes
  verbs,
  words,  // Flag::words
  image_then_files,
  container_then_files
};

struct Flag {
  InlineText<31> name;
  char shorthand = 0;
  FlagKind kind = FlagKind::boolean;
  InlineText<31> value_name = {};  // "NAME" in the help; empty for booleans
  InlineText<95> help = {};
  InlineText<23> default_value = {};  // what the getters return when it is not given
  FlagGroup group = FlagGroup::general;
  Completion completion = Completion::none;
  InlineText<63> words = {};    // space-separated, for Completion::words
  InlineText<31> aliases = {};  // space-separated other names, never shown
  // The engine cannot do this yet: giving the flag is an error, unless its value is one of `harmless`
  // (space-separated; values that ask for what happens anyway). A boolean's default value is harmless.
  bool unsupported = false;
  InlineText<31> harmless = {};
  bool hidden = false;  // works, but neither help nor completion shows it

  // For tables: text_flag("sort", 0, "COLUMN", "Sort by a column").with_default("created")
  constexpr Flag with_default(std::string_view value) const {
    Flag flag = *this;
    flag.default_value = value;
    return flag;
  }
  constexpr Flag one_of(std::string_view choices) const {
    Flag flag = *this;
    flag.completion = Completion::words;
    flag.words = choices;
    return flag;
  }
  constexpr Flag completed_by(Completion what) const {
    Flag flag = *this;
    flag.completion = what;
    return flag;
  }
  constexpr Flag also(std::string_view other_names) const {
    Flag flag = *this;
    flag.aliases = other_names;
    return flag;
  }
  constexpr Flag not_yet(std::string_view harmless_values = {}) const {
    Flag flag = *this;
    flag.unsupported = true;
    flag.harmless = harmless_values;
    return flag;
  }
  constexpr Flag unlisted() const {
    Flag flag = *this;
    flag.hidden = true;
    return flag;
  }
};

constexpr Flag toggle(std::string_view name, char shorthand, std::string_view help) {
  return {.name = name, .shorthand = shorthand, .kind = FlagKind::boolean, .help = help};
}
constexpr Flag valued_flag(FlagKind kind, std::string_view name, char shorthand, std::string_view value_name,
                           std::string_view help) {
  return {.name = name, .shorthand = shorthand, .kind = kind, .value_name = value_name, .help = help};
}
constexpr Flag text_flag(std::string_view name, char shorthand, std::string_view value_name,
                         std::string_view help) {
  return valued_flag(FlagKind::text, name, shorthand, value_name, help);
}
constexpr Flag integer_flag(std::string_view name, char shorthand, std::string_view value_name,
                            std::string_view help) {
  return valued_flag(FlagKind::integer, name, shorthand, value_name, help);
}
constexpr Flag natural_flag(std::string_view name, char shorthand, std::string_view value_name,
                            std::string_view help) {
  return valued_flag(FlagKind::natural, name, shorthand, value_name, help);
}
constexpr Flag list_flag(std::string_view name, char shorthand, std::string_view value_name,
                         std::string_view help) {
  return valued_flag(FlagKind::list, name, shorthand, value_name, help);
}
constexpr Flag array_flag(std::string_view name, char shorthand, std::string_view value_name,
                          std::string_view help) {
  return valued_flag(FlagKind::array, name, shorthand, value_name, help);
}

template <std::size_t Size>
constexpr std::array<Flag, Size> grouped(FlagGroup group, std::array<Flag, Size> flags) {
  for (Flag& flag : flags) flag.group = group;
  return flags;
}

// Checked at compile time for every table: no name or shorthand twice, values named, words where needed.
constexpr bool is_well_formed(std::span<const Flag> flags) {
  for (std::size_t i = 0; i < flags.size(); ++i) {
    const Flag& flag = flags[i];
    if (flag.name.empty() || flag.help.empty()) return false;
    if ((flag.kind == FlagKind::boolean) != flag.value_name.empty()) return false;
    if ((flag.completion == Completion::words) != !flag.words.empty()) return false;
    for (std::size_t j = 0; j < i; ++j) {
      if (flags[j].name == flag.name) return false;
      if (flag.shorthand != 0 && flags[j].shorthand == flag.shorthand) return false;
    }
  }
  return true;
}

// Concatenates tables at compile time.
template <std::size_t... Sizes>
constexpr auto join_flags(const std::array<Flag, Sizes>&... tables) {
  std::array<Flag, (Sizes + ...)> joined{};
  std::size_t next = 0;
  const auto append = [&](const auto& table) {
    for (const Flag& flag : table) joined[next++] = flag;
  };
  (append(tables), ...);
  return joined;
}

// The command line is wrong; printed with "See 'knarr VERB --help'".
class UsageError : public InvalidArgument {
 public:
  using InvalidArgument::InvalidArgument;
};

// What a command line gave. Getters name a flag of the table; a value not given is the table's default.
class Arguments {
 public:
  bool knows(std::string_view name) const;  // whether the verb's table has it
  bool given(std::string_view name) const;
  bool boolean(std::string_view name) const;
  std::string text(std::string_view name) const;
  std::optional<std::string> find_text(std::string_view name) const;  // nullopt: not given
  std::int64_t integer(std::string_view name) const;
  std::optional<std::int64_t> find_integer(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;  // list and array, in the order given

  const std::vector<std::string>& positional() const { return positional_; }
  const std::string& at(std::size_t index) const { return positional_.at(index); }
  bool wants_help() const { return wants_help_; }

 private:
  friend class FlagParser;
  struct Given {
    const Flag* flag;
    std::string value;  // of a boolean: "true" or "false"
  };
  const Flag& find_flag(std::string_view name) const;
  const Given* last(std::string_view name) const;

  std::span<const Flag> own_, inherited_;
  std::vector<Given> given_;
  std::vector<std::string> positional_;
  bool wants_help_ = false;
};

struct FlagSet {
  std::span<const Flag> own;             // the verb's
  std::span<const Flag> inherited = {};  // the program's; a verb's flag hides one of the same name or letter
  // Whether flags may follow arguments. With false the first argument ends the flags: `run IMAGE ls -l`.
  bool interspersed = true;
};

// Parses up to the end, or up to the first positional when not interspersed. `--help`, and `-h` where no flag
// has that letter, end the parsing with wants_help(). Throws UsageError with pflag's words, Unsupported for
// flags of later work.
Arguments parse_flags(const FlagSet& flags, std::span<const char* const> arguments);

const Flag* find_flag(const FlagSet& flags, std::string_view name);
const Flag* find_shorthand(const FlagSet& flags, char letter);

// One line of encoding/csv: a,"b,c",d. Throws UsageError for a stray quote.
std::vector<std::string> split_csv(std::string_view line);
// strconv.ParseBool: 1, t, T, TRUE, true, True, 0, f, F, FALSE, false, False.
std::optional<bool> parse_boolean(std::string_view text);
// strconv.ParseInt with base 0.
std::optional<std::int64_t> parse_integer(std::string_view text);

}  // namespace knarr::cli
