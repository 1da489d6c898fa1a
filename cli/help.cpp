// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

#include <algorithm>
#include <vector>

#include "cli/text.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

constexpr std::size_t line_width = 100;

struct Row {
  std::string left, right;
};

// Rows in two columns, the right one aligned; a left side that is too wide stands on a line of its own.
std::string render_rows(const std::vector<Row>& rows, std::size_t widest_left) {
  std::size_t width = 0;
  for (const Row& row : rows) {
    if (row.left.size() <= widest_left) width = std::max(width, row.left.size());
  }
  std::string text;
  for (const Row& row : rows) {
    const bool fits = row.left.size() <= width;
    text +=
        concat("  ", row.left,
               fits ? std::string(width - row.left.size(), ' ') : concat("\n  ", std::string(width, ' ')));
    text += concat("  ", row.right, '\n');
  }
  return text;
}

// "Not supported yet: --cpus, --memory", wrapped.
std::string render_wrapped(std::string_view title, const std::vector<std::string>& words) {
  std::string text = concat(title, "\n ");
  std::size_t column = 1;
  for (const std::string& word : words) {
    if (column + 1 + word.size() > line_width) {
      text += "\n ";
      column = 1;
    }
    text += concat(' ', word);
    column += 1 + word.size();
  }
  return text + '\n';
}

Row flag_row(const Flag& flag) {
  std::string left = flag.shorthand != 0 ? concat('-', flag.shorthand, ", ") : std::string(4, ' ');
  left += concat("--", flag.name);
  if (!flag.value_name.empty()) left += concat(' ', flag.value_name);
  std::string right(flag.help);
  const bool off = flag.kind == FlagKind::boolean && flag.default_value == "false";
  if (!flag.default_value.empty() && !off) right += concat(" (default ", flag.default_value, ')');
  return {std::move(left), std::move(right)};
}

bool is_shown(const Flag& flag) {
  return !flag.hidden && !flag.unsupported;
}

std::string render_flags(std::span<const Flag> flags) {
  std::string text;
  for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(FlagGroup::count); ++i) {
    const auto group = static_cast<FlagGroup>(i);
    std::vector<Row> rows;
    for (const Flag& flag : flags) {
      if (flag.group == group && is_shown(flag)) rows.push_back(flag_row(flag));
    }
    if (!rows.empty()) text += concat('\n', group_title(group), ":\n", render_rows(rows, 34));
  }
  std::vector<std::string> later;
  for (const Flag& flag : flags) {
    if (flag.unsupported && !flag.hidden) later.push_back(concat("--", flag.name));
  }
  if (!later.empty()) text += '\n' + render_wrapped("Not supported yet:", later);
  return text;
}

std::string render_examples(std::string_view name, std::string_view examples) {
  std::string text = "\nExamples:\n";
  for (const std::string& example : split(examples, "\n")) text += concat("  ", name, ' ', example, '\n');
  return text;
}

std::vector<Row> verb_rows(const Program& program, std::string_view group, const Topic* topic) {
  std::vector<Row> rows;
  for (const Verb* verb : program.verbs) {
    const std::string_view word = name_within(*verb, group);
    if (word.empty() || verb->hidden || (topic != nullptr && verb->topic != *topic)) continue;
    rows.push_back({std::string(word), std::string(verb->summary)});
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.left < b.left; });
  return rows;
}

}  // namespace

std::string_view group_title(FlagGroup group) {
  constexpr std::string_view titles[] = {"Options",   "Process",  "Metadata",   "File systems", "Network",
                                         "Resources", "Security", "Namespaces", "Health",       "Pulling"};
  static_assert(std::size(titles) == static_cast<std::size_t>(FlagGroup::count));
  return titles[static_cast<std::size_t>(group)];
}

std::string_view topic_title(Topic topic) {
  constexpr std::string_view titles[] = {"Containers", "Images", "Volumes", "Networks", "Engine"};
  static_assert(std::size(titles) == static_cast<std::size_t>(Topic::count));
  return titles[static_cast<std::size_t>(topic)];
}

std::string render_program_help(const Program& program, std::string_view name) {
  std::string text = "Runs containers as an ordinary user, without a daemon\n\n";
  text += concat("Usage:\n  ", name, " [options] COMMAND\n");
  for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(Topic::count); ++i) {
    const auto topic = static_cast<Topic>(i);
    const std::vector<Row> rows = verb_rows(program, "", &topic);
    if (!rows.empty()) text += concat('\n', topic_title(topic), ":\n", render_rows(rows, 12));
  }
  text += "\nGroups:\n";
  std::vector<Row> groups;
  for (const VerbGroup& group : program.groups) {
    groups.push_back({std::string(group.name), std::string(group.summary)});
  }
  text += render_rows(groups, 12);
  std::vector<Flag> flags(program.root_flags.begin(), program.root_flags.end());
  flags.insert(flags.end(), program.flags.begin(), program.flags.end());
  text += render_flags(flags);
  text += concat("\nSee '", name, " COMMAND --help' for the options of a command.\n");
  return text;
}

std::string render_group_help(const Program& program, std::string_view name, const VerbGroup& group) {
  return concat(group.summary, "\n\nUsage:\n  ", name, ' ', group.name, " COMMAND\n\nCommands:\n",
                render_rows(verb_rows(program, group.name, nullptr), 12), "\nSee '", name, ' ', group.name,
                " COMMAND --help' for the options of a command.\n");
}

std::string render_verb_help(std::string_view name, std::string_view command, const Verb& verb) {
  std::string text = concat(verb.summary, '\n');
  if (!verb.description.empty()) text += concat('\n', verb.description, '\n');
  text += concat("\nUsage:\n  ", command, verb.usage.empty() ? "" : " ", verb.usage, '\n');
  if (!verb.examples.empty()) text += render_examples(name, verb.examples);
  return text + render_flags(verb.flags);
}

}  // namespace knarr::cli
