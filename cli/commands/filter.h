// SPDX-License-Identifier: Apache-2.0
// --filter NAME=VALUE, as all listing verbs take it.
#pragma once

#include <regex.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::cli {

// Values by name. Throws InvalidArgument for a filter without '=', or with a name not among the
// space-separated `known`; Unsupported for one among `later`.
using Filters = std::map<std::string, std::vector<std::string>>;
Filters parse_filters(const std::vector<std::string>& texts, std::string_view known,
                      std::string_view later = {});

// A POSIX extended regular expression, found anywhere in the text.
class Pattern {
 public:
  explicit Pattern(const std::string& expression);  // throws InvalidArgument
  bool matches(const std::string& text) const;

 private:
  struct Free {
    void operator()(regex_t* compiled) const;
  };
  std::unique_ptr<regex_t, Free> compiled_;
};

// "key" or "key=value"
bool has_label(const std::map<std::string, std::string>& labels, std::string_view wanted);

// What `until` and the like take. Throws InvalidArgument.
std::int64_t parse_filter_time(std::string_view text);

}  // namespace knarr::cli
