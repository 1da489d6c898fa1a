// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/filter.h"

#include "cli/quote.h"
#include "cli/text.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

bool is_among(std::string_view words, std::string_view word) {
  return !word.empty() && contains(split(words, " "), word);
}

}  // namespace

Filters parse_filters(const std::vector<std::string>& texts, std::string_view known, std::string_view later) {
  Filters filters;
  for (const std::string& text : texts) {
    // label!=x: the name is "label!".
    const KeyValue filter = split_key_value(text);
    if (!filter.has_value)
      throw InvalidArgument(concat("invalid filter ", quote_go(text), ": expected NAME=VALUE"));
    if (is_among(later, filter.key))
      throw Unsupported(concat("--filter ", filter.key, "= is not supported yet"));
    if (!is_among(known, filter.key)) {
      InvalidArgument error(concat(quote_go(filter.key), " is an invalid filter"));
      error.set_hint(concat("filters are ", join(split(known, " "), ", ")));
      throw error;
    }
    filters[filter.key].push_back(filter.value);
  }
  return filters;
}

void Pattern::Free::operator()(regex_t* compiled) const {
  ::regfree(compiled);
  delete compiled;
}

Pattern::Pattern(const std::string& expression) {
  auto compiled = std::make_unique<regex_t>();
  const int error = ::regcomp(compiled.get(), expression.c_str(), REG_EXTENDED | REG_NOSUB);
  if (error != 0) {
    char words[128];
    ::regerror(error, compiled.get(), words, sizeof words);
    throw InvalidArgument(concat("invalid regular expression ", quote_go(expression), ": ", words));
  }
  compiled_.reset(compiled.release());
}

bool Pattern::matches(const std::string& text) const {
  return ::regexec(compiled_.get(), text.c_str(), 0, nullptr, 0) == 0;
}

bool has_label(const std::map<std::string, std::string>& labels, std::string_view wanted) {
  const KeyValue label = split_key_value(wanted);
  const auto found = labels.find(label.key);
  return found != labels.end() && (!label.has_value || found->second == label.value);
}

std::int64_t parse_filter_time(std::string_view text) {
  return engine::parse_time(engine::wall_clock_ns(), text);
}

}  // namespace knarr::cli
