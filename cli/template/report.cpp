// SPDX-License-Identifier: Apache-2.0
#include "cli/template/report.h"

#include "cli/table.h"
#include "cli/template/template.h"
#include "cli/text.h"

namespace knarr::cli::templates {

namespace {

constexpr std::string_view table_prefix = "table ";

// Users write \t and \n with a backslash, and blanks between the columns of a table.
std::string normalize(std::string_view format, bool is_table) {
  std::string normal;
  bool inside_action = false;
  for (std::size_t i = 0; i < format.size(); ++i) {
    const std::string_view rest = format.substr(i);
    if (rest.starts_with("{{")) inside_action = true;
    if (rest.starts_with("}}")) inside_action = false;
    if (!inside_action && (rest.starts_with("\\t") || rest.starts_with("\\n"))) {
      normal += rest[1] == 't' ? '\t' : '\n';
      ++i;
    } else {
      normal += is_table && !inside_action && format[i] == ' ' ? '\t' : format[i];
    }
  }
  return normal;
}

Value make_titles(const Report& report) {
  const auto title_of = [&report](std::string_view field, std::span<const Value> arguments) -> Value {
    // {{.Label "io.x"}} is titled by the label.
    if (!arguments.empty()) return upper_case(render_plain(arguments.back()));
    const auto known = report.titles.find(std::string(field));
    return known != report.titles.end() ? known->second : make_title(field);
  };
  return Value::structure("Titles").set_fallback(title_of);
}

// A template that does more with a field than print it cannot be run on a title; it has none then.
std::string render_titles(const Template& row_template, const Report& report) {
  try {
    return row_template.render(make_titles(report)) + '\n';
  } catch (const TemplateError&) {
    return "";
  }
}

std::string align(std::string_view text) {
  std::vector<std::vector<std::string>> rows;
  for (const std::string& line : split(text.substr(0, text.size() - (text.ends_with('\n') ? 1 : 0)), "\n")) {
    rows.push_back(split(line, "\t"));
  }
  return render_table(rows);
}

Value list_of(const std::vector<Value>& rows) {
  Value list = Value::list();
  for (const Value& row : rows) list.push_back(row);
  return list;
}

}  // namespace

bool is_json(std::string_view format) {
  const std::string_view word = trim(format);
  return word == "json" || word == "{{json}}" || word == "{{ json }}";
}

std::string make_title(std::string_view field) {
  std::string title;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const auto is_upper = [&](std::size_t at) {
      return at < field.size() && field[at] >= 'A' && field[at] <= 'Z';
    };
    // A new word begins at a capital after a small letter, and before the last capital of "IDs" and the like.
    if (i > 0 && is_upper(i) && !is_upper(i - 1)) title += ' ';
    title += field[i];
  }
  return upper_case(title);
}

std::string render_report(const Report& report, std::string_view format, const std::vector<Value>& rows) {
  const bool is_table = format.starts_with(table_prefix);
  if (is_table) format.remove_prefix(table_prefix.size());
  const std::string normal = normalize(format, is_table);
  const Template parsed = Template::parse(report.name, normal);
  if (report.is_list && parsed.ranges_over_all()) return parsed.render(list_of(rows));
  std::string text;
  if (is_table && report.with_titles) text = render_titles(parsed, report);
  for (const Value& row : rows) text += parsed.render(row) + '\n';
  return is_table && !text.empty() ? align(text) : text;
}

}  // namespace knarr::cli::templates
