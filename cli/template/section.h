// SPDX-License-Identifier: Apache-2.0
// An object that documents show with podman's small-lettered keys, and templates with its Go names.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "cli/template/value.h"

namespace knarr::cli::templates {

class Section {
 public:
  explicit Section(std::string type_name) : value_(Value::structure(std::move(type_name))) {}
  Section& set(std::string_view go_name, std::string_view key, const Value& member) {
    value_.set(key, member);
    value_.set_hidden(go_name, member);
    return *this;
  }
  // For templates only.
  Section& set_hidden(std::string_view go_name, const Value& member) {
    value_.set_hidden(go_name, member);
    return *this;
  }
  operator Value() const { return value_; }

 private:
  Value value_;
};

}  // namespace knarr::cli::templates
