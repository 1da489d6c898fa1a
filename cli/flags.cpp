// SPDX-License-Identifier: Apache-2.0
#include "cli/flags.h"

#include <cassert>
#include <charconv>

#include "cli/quote.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

bool is_word_of(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t space = words.find(' ');
    if (words.substr(0, space) == word) return true;
    if (space == std::string_view::npos) return false;
    words.remove_prefix(space + 1);
  }
  return false;
}

const Flag* find_by_name(std::span<const Flag> flags, std::string_view name) {
  for (const Flag& flag : flags) {
    if (flag.name == name) return &flag;
  }
  for (const Flag& flag : flags) {
    if (!flag.aliases.empty() && is_word_of(flag.aliases, name)) return &flag;
  }
  return nullptr;
}

const Flag* find_by_letter(std::span<const Flag> flags, char letter) {
  for (const Flag& flag : flags) {
    if (flag.shorthand == letter) return &flag;
  }
  return nullptr;
}

// "-t, --tty" or "--name", as pflag names a flag in an error.
std::string display_name(const Flag& flag) {
  if (flag.shorthand == 0) return concat("--", flag.name);
  return concat('-', flag.shorthand, ", --", flag.name);
}

[[noreturn]] void throw_bad_value(const Flag& flag, std::string_view value, std::string_view why) {
  throw UsageError(
      concat("invalid argument ", quote_go(value), " for \"", display_name(flag), "\" flag: ", why));
}

// Fails early, at the flag, so that the message can name it.
void check_value(const Flag& flag, std::string_view value) {
  switch (flag.kind) {
    case FlagKind::boolean:
      if (!parse_boolean(value)) throw_bad_value(flag, value, "it must be true or false");
      break;
    case FlagKind::integer:
      if (!parse_integer(value)) throw_bad_value(flag, value, "it must be a whole number");
      break;
    case FlagKind::natural: {
      const auto number = parse_integer(value);
      if (!number || *number < 0) throw_bad_value(flag, value, "it must be a whole number of 0 or more");
      break;
    }
    case FlagKind::list:
      try {
        split_csv(value);
      } catch (const UsageError& error) {
        throw_bad_value(flag, value, error.message());
      }
      break;
    case FlagKind::text:
    case FlagKind::array:
      break;
  }
}

bool asks_for_nothing(const Flag& flag, std::string_view value) {
  if (flag.kind == FlagKind::boolean) return value == (flag.default_value == "true" ? "true" : "false");
  return is_word_of(flag.harmless, value);
}

}  // namespace

class FlagParser {
 public:
  FlagParser(const FlagSet& flags, std::span<const char* const> arguments) : flags_(flags), rest_(arguments) {
    result_.own_ = flags.own;
    result_.inherited_ = flags.inherited;
  }

  Arguments parse() {
    while (!rest_.empty() && !result_.wants_help_) {
      const std::string_view argument = take();
      if (argument.size() < 2 || argument[0] != '-') {
        result_.positional_.emplace_back(argument);
        if (!flags_.interspersed) take_rest();
      } else if (argument == "--") {
        take_rest();
      } else if (argument[1] == '-') {
        parse_long(argument);
      } else {
        parse_shorthands(argument.substr(1));
      }
    }
    return std::move(result_);
  }

 private:
  std::string_view take() {
    const std::string_view argument = rest_.front();
    rest_ = rest_.subspan(1);
    return argument;
  }

  void take_rest() {
    while (!rest_.empty()) result_.positional_.emplace_back(take());
  }

  void parse_long(std::string_view argument) {
    const std::string_view body = argument.substr(2);
    if (body[0] == '-' || body[0] == '=') throw UsageError(concat("bad flag syntax: ", argument));
    const std::size_t equals = body.find('=');
    const std::string_view name = body.substr(0, equals);
    if (name == "help") {
      result_.wants_help_ = true;
      return;
    }
    const Flag* flag = find_flag(flags_, name);
    if (flag == nullptr) throw UsageError(concat("unknown flag: --", name));
    if (equals != std::string_view::npos) {
      add(*flag, body.substr(equals + 1));
    } else if (flag->kind == FlagKind::boolean) {
      add(*flag, "true");
    } else if (!rest_.empty()) {
      add(*flag, take());
    } else {
      throw UsageError(concat("flag needs an argument: ", argument));
    }
  }

  // "itv=/a:/b": letters of booleans, then perhaps one with a value: "=VALUE", the rest, or the next
  // argument.
  void parse_shorthands(const std::string_view letters) {
    for (std::size_t i = 0; i < letters.size(); ++i) {
      const std::string_view after = letters.substr(i + 1);
      const Flag* flag = find_shorthand(flags_, letters[i]);
      if (flag == nullptr) {
        if (letters[i] != 'h') throw_unknown_shorthand(letters.substr(i));
        result_.wants_help_ = true;
        return;
      }
      if (after.size() > 1 && after[0] == '=') return add(*flag, after.substr(1));
      if (flag->kind == FlagKind::boolean) {
        add(*flag, "true");
      } else if (!after.empty()) {
        return add(*flag, after);
      } else if (!rest_.empty()) {
        return add(*flag, take());
      } else {
        throw UsageError(concat("flag needs an argument: '", letters[i], "' in -", letters.substr(i)));
      }
    }
  }

  [[noreturn]] static void throw_unknown_shorthand(std::string_view letters) {
    throw UsageError(concat("unknown shorthand flag: '", letters[0], "' in -", letters));
  }

  void add(const Flag& flag, std::string_view value) {
    check_value(flag, value);
    if (flag.kind == FlagKind::boolean) value = *parse_boolean(value) ? "true" : "false";
    if (flag.unsupported && !asks_for_nothing(flag, value)) throw_unsupported(flag, value);
    result_.given_.push_back({&flag, std::string(value)});
  }

  [[noreturn]] static void throw_unsupported(const Flag& flag, std::string_view value) {
    // Where there are modes to choose from, only this one is refused.
    if (flag.completion != Completion::words)
      throw Unsupported(concat("--", flag.name, " is not supported yet"));
    throw Unsupported(concat("--", flag.name, '=', value, " is not supported yet"));
  }

  const FlagSet& flags_;
  std::span<const char* const> rest_;
  Arguments result_;
};

Arguments parse_flags(const FlagSet& flags, std::span<const char* const> arguments) {
  return FlagParser(flags, arguments).parse();
}

const Flag* find_flag(const FlagSet& flags, std::string_view name) {
  const Flag* own = find_by_name(flags.own, name);
  return own != nullptr ? own : find_by_name(flags.inherited, name);
}

const Flag* find_shorthand(const FlagSet& flags, char letter) {
  const Flag* own = find_by_letter(flags.own, letter);
  return own != nullptr ? own : find_by_letter(flags.inherited, letter);
}

const Flag& Arguments::find_flag(std::string_view name) const {
  const Flag* flag = cli::find_flag({.own = own_, .inherited = inherited_}, name);
  // A getter that names no flag of the table is a mistake in the program, not in the command line.
  if (flag == nullptr) throw Error(concat("no flag --", name, " in the table of this verb"));
  return *flag;
}

const Arguments::Given* Arguments::last(std::string_view name) const {
  for (std::size_t i = given_.size(); i > 0; --i) {
    if (given_[i - 1].flag->name == name) return &given_[i - 1];
  }
  assert(find_flag(name).name == name);
  return nullptr;
}

bool Arguments::knows(std::string_view name) const {
  return find_by_name(own_, name) != nullptr;
}

bool Arguments::given(std::string_view name) const {
  return last(name) != nullptr;
}

bool Arguments::boolean(std::string_view name) const {
  const Given* given = last(name);
  return given != nullptr ? given->value == "true" : find_flag(name).default_value == "true";
}

std::optional<std::string> Arguments::find_text(std::string_view name) const {
  const Given* given = last(name);
  return given != nullptr ? std::optional(given->value) : std::nullopt;
}

std::string Arguments::text(std::string_view name) const {
  const Given* given = last(name);
  return given != nullptr ? given->value : std::string(find_flag(name).default_value);
}

std::optional<std::int64_t> Arguments::find_integer(std::string_view name) const {
  const Given* given = last(name);
  return given != nullptr ? parse_integer(given->value) : std::nullopt;
}

std::int64_t Arguments::integer(std::string_view name) const {
  return parse_integer(text(name)).value_or(0);
}

std::vector<std::string> Arguments::list(std::string_view name) const {
  std::vector<std::string> values;
  for (const Given& given : given_) {
    if (given.flag->name != name) continue;
    if (given.flag->kind == FlagKind::list) {
      for (std::string& value : split_csv(given.value)) values.push_back(std::move(value));
    } else {
      values.push_back(given.value);
    }
  }
  assert(find_flag(name).name == name);
  return values;
}

std::vector<std::string> split_csv(std::string_view line) {
  std::vector<std::string> values;
  if (line.empty()) return values;
  std::size_t i = 0;
  for (;;) {
    std::string value;
    if (i < line.size() && line[i] == '"') {
      for (++i;; ++i) {
        if (i == line.size()) throw UsageError("a quoted value has no closing quote");
        if (line[i] != '"') {
          value += line[i];
        } else if (i + 1 < line.size() && line[i + 1] == '"') {
          value += line[++i];
        } else {
          break;
        }
      }
      ++i;
      if (i < line.size() && line[i] != ',')
        throw UsageError("a quoted value goes on after its closing quote");
    } else {
      for (; i < line.size() && line[i] != ','; ++i) {
        if (line[i] == '"') throw UsageError("there is a quote inside a value that does not begin with one");
        value += line[i];
      }
    }
    values.push_back(std::move(value));
    if (i >= line.size()) return values;
    ++i;
  }
}

std::optional<bool> parse_boolean(std::string_view text) {
  if (is_word_of("1 t T TRUE true True", text)) return true;
  if (is_word_of("0 f F FALSE false False", text)) return false;
  return std::nullopt;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  if (text.empty() || text[0] == '-') return std::nullopt;
  std::uint64_t magnitude = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), magnitude, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  constexpr std::uint64_t limit = std::uint64_t{1} << 63;
  if (magnitude > limit - (negative ? 0 : 1)) return std::nullopt;
  return static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude);
}

}  // namespace knarr::cli
