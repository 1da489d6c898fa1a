// SPDX-License-Identifier: Apache-2.0
#include "cli/manual.h"

#include <algorithm>

#include "cli/help.h"
#include "cli/text.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

constexpr std::string_view program_name = "knarr";

std::string upper_case(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

std::string page_name(std::string_view path) {
  std::string name = concat(program_name, ' ', path);
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string bold(std::string_view text) {
  return concat("\\fB", escape_roff(text), "\\fR");
}

std::string italic(std::string_view text) {
  return concat("\\fI", escape_roff(text), "\\fR");
}

std::string render_head(const std::string& name, std::string_view summary, std::string_view version) {
  return concat(".TH ", upper_case(name), " 1 \"\" \"knarr ", version, "\" \"User Commands\"\n.SH NAME\n",
                name, " \\- ", escape_roff(summary), '\n');
}

std::string render_paragraphs(std::string_view text) {
  std::string rendered;
  for (const std::string& line : split(text, "\n")) rendered += concat(".PP\n", escape_roff(line), '\n');
  return rendered;
}

// ---- options ----

std::string render_flag(const Flag& flag) {
  std::string text = ".TP\n";
  if (flag.shorthand != 0) text += concat(bold(concat('-', flag.shorthand)), ", ");
  text += bold(concat("--", flag.name));
  if (!flag.value_name.empty()) text += concat(' ', italic(flag.value_name));
  text += concat('\n', escape_roff(flag.help), ".\n");
  const bool off = flag.kind == FlagKind::boolean && flag.default_value == "false";
  if (!flag.default_value.empty() && !off)
    text += concat("Default: ", escape_roff(flag.default_value), ".\n");
  if (!flag.words.empty()) {
    text += concat("One of: ", escape_roff(join(split(flag.words, " "), ", ")), ".\n");
  }
  if (flag.kind == FlagKind::list || flag.kind == FlagKind::array) text += "May be given several times.\n";
  return text;
}

// Sorted as no table needs to be: whoever reads a manual looks for a name.
std::vector<Flag> flags_of_group(std::span<const Flag> flags, FlagGroup group) {
  std::vector<Flag> chosen;
  for (const Flag& flag : flags) {
    if (flag.group == group && !flag.hidden && !flag.unsupported) chosen.push_back(flag);
  }
  std::sort(chosen.begin(), chosen.end(), [](const Flag& a, const Flag& b) { return a.name < b.name; });
  return chosen;
}

std::string render_options(std::span<const Flag> flags) {
  std::string text;
  for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(FlagGroup::count); ++i) {
    const auto group = static_cast<FlagGroup>(i);
    const std::vector<Flag> chosen = flags_of_group(flags, group);
    if (chosen.empty()) continue;
    if (group != FlagGroup::general) text += concat(".SS ", group_title(group), '\n');
    for (const Flag& flag : chosen) text += render_flag(flag);
  }
  return text.empty() ? text : ".SH OPTIONS\n" + text;
}

std::string render_later(std::span<const Flag> flags) {
  std::string names;
  for (const Flag& flag : flags) {
    if (flag.unsupported && !flag.hidden)
      names += concat(names.empty() ? "" : ", ", bold(concat("--", flag.name)));
  }
  return names.empty() ? names : concat(".SH NOT SUPPORTED YET\n", names, '\n');
}

std::string render_examples(std::string_view examples) {
  if (examples.empty()) return {};
  std::string text = ".SH EXAMPLES\n.nf\n";
  for (const std::string& example : split(examples, "\n")) {
    text += concat(escape_roff(concat("$ ", program_name, ' ', example)), '\n');
  }
  return text + ".fi\n";
}

constexpr std::string_view exit_status =
    ".SH EXIT STATUS\n0 on success, 125 when knarr itself fails.\n"
    "A command that becomes or enters a container ends with that process's status, or 126 when the program "
    "cannot be\n"
    "invoked, 127 when it is not found, and 128 plus the number of the signal that ended it.\n";

// ---- pages ----

ManualPage render_verb_page(const Verb& verb, std::string_view version) {
  ManualPage page{page_name(verb.paths[0]), {}};
  page.text = render_head(page.name, verb.summary, version) + ".SH SYNOPSIS\n";
  for (const std::string_view path : verb.paths) {
    if (!path.empty())
      page.text += concat(bold(concat(program_name, ' ', path)), ' ', italic(verb.usage), "\n.br\n");
  }
  if (!verb.description.empty()) page.text += ".SH DESCRIPTION\n" + render_paragraphs(verb.description);
  page.text += render_options(verb.flags) + render_later(verb.flags) + render_examples(verb.examples);
  page.text += concat(exit_status, ".SH SEE ALSO\n.BR knarr (1)\n");
  return page;
}

std::string render_commands(const Program& program) {
  std::vector<const Verb*> verbs;
  std::copy_if(program.verbs.begin(), program.verbs.end(), std::back_inserter(verbs),
               [](const Verb* verb) { return !verb->hidden; });
  std::sort(verbs.begin(), verbs.end(),
            [](const Verb* a, const Verb* b) { return a->paths[0] < b->paths[0]; });
  std::string text = ".SH COMMANDS\n";
  for (const Verb* verb : verbs) {
    text += concat(".TP\n.BR ", page_name(verb->paths[0]), " (1)\n", escape_roff(verb->summary), ".\n");
  }
  return text;
}

ManualPage render_program_page(const Program& program, std::string_view version) {
  ManualPage page{std::string(program_name), {}};
  page.text = render_head(page.name, "run containers as an ordinary user, without a daemon", version);
  page.text += concat(".SH SYNOPSIS\n", bold(program_name), " [options] ", italic("COMMAND"), '\n');
  std::vector<Flag> flags(program.root_flags.begin(), program.root_flags.end());
  flags.insert(flags.end(), program.flags.begin(), program.flags.end());
  page.text += render_commands(program) + render_options(flags) + render_later(flags);
  page.text += exit_status;
  return page;
}

}  // namespace

std::string escape_roff(std::string_view text) {
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool begins_line = i == 0 || text[i - 1] == '\n';
    if (begins_line && (c == '.' || c == '\'')) escaped += "\\&";
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::vector<ManualPage> render_manual(const Program& program, std::string_view version) {
  std::vector<ManualPage> pages{render_program_page(program, version)};
  for (const Verb* verb : program.verbs) {
    if (verb->hidden) continue;
    pages.push_back(render_verb_page(*verb, version));
    for (const std::string_view path : std::span(verb->paths).subspan(1)) {
      if (!path.empty())
        pages.push_back({page_name(path), concat(".so man1/", page_name(verb->paths[0]), ".1\n")});
    }
  }
  return pages;
}

}  // namespace knarr::cli
