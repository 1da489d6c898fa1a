// SPDX-License-Identifier: Apache-2.0
// Go's text/template, as much of it as `--format` needs: https://pkg.go.dev/text/template
//
// Actions: pipelines, variables, if/else if/else, range/else with $index, $element, with/else, break,
// continue, comments, {{- trimming -}}. Functions: and or not eq ne lt le gt ge len index slice print printf
// println html urlquery json join split lower upper title pad truncate. Not supported: define, template,
// block, call.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cli/template/value.h"
#include "rootless/sys/error.h"

namespace knarr::cli::templates {

// "template: ps:1:3: ...", with line and column of the place.
class TemplateError : public InvalidArgument {
 public:
  using InvalidArgument::InvalidArgument;
};

struct Block;  // a parsed sequence of text and actions

class Template {
 public:
  // `name` is used in errors only.
  static Template parse(std::string name, std::string_view text);
  std::string render(const Value& data) const;
  // {{range .}}...: it wants the list, not a row of it.
  bool ranges_over_all() const;

 private:
  Template(std::string name, std::string text, std::shared_ptr<const Block> block)
      : name_(std::move(name)), text_(std::move(text)), block_(std::move(block)) {}
  std::string name_, text_;
  std::shared_ptr<const Block> block_;
};

}  // namespace knarr::cli::templates
