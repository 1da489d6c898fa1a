// SPDX-License-Identifier: Apache-2.0
// The syntax tree of a template, and the way to it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/template/template.h"
#include "cli/template/value.h"

namespace knarr::cli::templates {

struct Pipeline;

struct Operand {
  enum class Kind { dot, nil, field, variable, function, literal, pipeline };
  Kind kind = Kind::dot;
  std::size_t offset = 0;           // in the source, for errors
  std::string text;                 // as written: ".A.B", "$x", "\"s\""
  std::string name;                 // variable with its "$", function
  std::vector<std::string> fields;  // .A.B: A, B; also after a variable or a parenthesis
  Value value;                      // literal
  std::unique_ptr<Pipeline> pipeline;
};

// One stage: a function or method and its arguments, or a single operand.
struct Command {
  std::vector<Operand> operands;
};

struct Pipeline {
  std::size_t offset = 0;
  std::vector<std::string> variables;  // {{$x := ...}}, {{range $i, $v := ...}}
  bool declares = false;               // ":=", else "="
  std::vector<Command> commands;
};

struct Node;
struct Block {
  std::vector<Node> nodes;
};

struct Node {
  enum class Kind { text, action, conditional, range, with, break_loop, continue_loop };
  Kind kind = Kind::text;
  std::size_t offset = 0;
  std::string text;
  Pipeline pipeline;
  Block body, otherwise;
};

Block parse_template(const std::string& name, std::string_view source);

// "template: NAME:LINE: WHAT"
[[noreturn]] void throw_syntax_error(const std::string& name, std::string_view source, std::size_t offset,
                                     std::string_view what);

bool is_function(std::string_view name);

}  // namespace knarr::cli::templates
