// SPDX-License-Identifier: Apache-2.0
// `--format` of the verbs that list things: "json", "table {{.ID}} {{.Names}}", "{{.ID}}\t{{.Names}}",
// "{{range .}}...{{end}}".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/template/value.h"

namespace knarr::cli::templates {

struct Report {
  std::string name;  // of the verb, for errors
  // Titles of fields whose title is not their name in upper case: {"ID", "CONTAINER ID"}.
  std::map<std::string, std::string> titles;
  bool with_titles = true;  // false: --noheading
  bool is_list = true;      // {{range .}} gets all rows; false: a row at a time, whatever the template does
};

// Whether the format asks for JSON instead of a template.
bool is_json(std::string_view format);

// One line a row. Throws TemplateError.
std::string render_report(const Report& report, std::string_view format, const std::vector<Value>& rows);

// A title made from a field's name: "CreatedAt" → "CREATED AT".
std::string make_title(std::string_view field);

}  // namespace knarr::cli::templates
