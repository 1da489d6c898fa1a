// SPDX-License-Identifier: Apache-2.0
// A template's source as tokens: text between actions, and what stands inside them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/template/value.h"

namespace knarr::cli::templates {

struct Token {
  enum class Kind : std::uint8_t {
    text,
    left_delimiter,
    right_delimiter,
    dot,         // .
    field,       // .Name
    variable,    // $ or $name
    identifier,  // functions and keywords
    literal,     // string, number, character, true, false
    pipe,
    comma,
    declare,  // :=
    assign,   // =
    left_parenthesis,
    right_parenthesis,
    end
  };
  Kind kind = Kind::end;
  std::size_t offset = 0;
  std::string_view source;    // as written
  bool space_before = false;  // .A.B is one operand, .A .B are two
  Value value;                // literal
};

std::vector<Token> tokenize(const std::string& name, std::string_view source);

}  // namespace knarr::cli::templates
