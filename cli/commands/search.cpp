// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/commands/filter.h"
#include "cli/commands/registry_access.h"
#include "cli/commands/registry_verbs.h"
#include "cli/log.h"
#include "cli/table.h"
#include "cli/template/report.h"

namespace knarr::cli {

namespace {

using storage::SearchResult;
using templates::Value;

struct Found {
  std::string registry;
  SearchResult result;  // its name is full
};

// ---- filters ----

bool parse_switch(const std::string& name, const std::string& value) {
  // docker and podman take the bare name for yes.
  if (value.empty()) return true;
  const auto parsed = parse_boolean(value);
  if (!parsed)
    throw UsageError(concat("invalid value \"", value, "\" for filter ", name, ": expected true or false"));
  return *parsed;
}

std::uint64_t parse_stars(const std::string& value) {
  const auto stars = parse_integer(value);
  if (!stars || *stars < 0)
    throw UsageError(concat("invalid value \"", value, "\" for filter stars: expected a number"));
  return static_cast<std::uint64_t>(*stars);
}

// What --filter lets through.
class SearchFilter {
 public:
  explicit SearchFilter(std::vector<std::string> texts) {
    for (std::string& text : texts) {
      if (text == "is-official" || text == "is-automated") text += '=';
    }
    for (const auto& [name, values] : parse_filters(texts, "is-automated is-official stars")) {
      for (const std::string& value : values) add(name, value);
    }
  }

  bool accepts(const SearchResult& result) const {
    return result.stars >= stars_ && result.is_official == official_.value_or(result.is_official) &&
           result.is_automated == automated_.value_or(result.is_automated);
  }

 private:
  void add(const std::string& name, const std::string& value) {
    if (name == "stars") {
      stars_ = parse_stars(value);
    } else {
      (name == "is-official" ? official_ : automated_) = parse_switch(name, value);
    }
  }

  std::uint64_t stars_ = 0;
  std::optional<bool> official_, automated_;
};

// ---- asking ----

std::string full_name(const std::string& registry, const std::string& name) {
  const bool is_official = registry == "docker.io" && name.find('/') == std::string::npos;
  return concat(registry, is_official ? "/library/" : "/", name);
}

class Search {
 public:
  Search(const Arguments& arguments)
      : access_(read_registry_access(arguments)), limit_(arguments.integer("limit")) {
    config_ = storage::load_registries_config(access_.places);
    access_.auth.helpers = config_.credential_helpers;
    if (limit_ == 0) limit_ = 25;
  }

  std::vector<Found> find(const std::string& term, const SearchFilter& filter) const {
    const std::size_t slash = term.find('/');
    const std::string first = term.substr(0, slash);
    const bool names_registry = slash != std::string::npos &&
                                (first.find_first_of(".:") != std::string::npos || first == "localhost");
    if (names_registry) return find_in(first, term.substr(slash + 1), filter);
    if (config_.search.empty()) {
      throw InvalidArgument(
          "no unqualified-search registries are defined: name a registry, as in quay.io/TERM");
    }
    return find_in_all(term, filter);
  }

  std::vector<std::string> list_tags(const std::string& name) const {
    const storage::Reference reference = storage::parse_reference(name);
    if (reference.domain.empty() || !reference.tag.empty() || reference.digest) {
      throw InvalidArgument(
          concat("\"", name, "\" must be a full name, with registry and without tag or digest"));
    }
    const storage::Reference full = storage::normalize(reference);
    const storage::PullSource place = storage::plan_push(config_, full);
    std::vector<std::string> tags =
        storage::Registry(storage::registry_options(access_, place), full.path).list_tags();
    tags.resize(std::min(tags.size(), static_cast<std::size_t>(limit_)));
    return tags;
  }

 private:
  std::vector<Found> find_in(const std::string& registry, const std::string& term,
                             const SearchFilter& filter) const {
    const storage::PullSource place{.reference = {.domain = registry},
                                    .insecure = storage::is_insecure(config_, registry)};
    storage::Registry asked(storage::registry_options(access_, place), "");
    std::vector<Found> found;
    for (SearchResult& result : asked.search(term, static_cast<int>(std::min<std::int64_t>(limit_, 1000)))) {
      if (!filter.accepts(result) || found.size() == static_cast<std::size_t>(limit_)) continue;
      result.name = full_name(registry, result.name);
      found.push_back({registry, std::move(result)});
    }
    return found;
  }

  // One that cannot be asked does not hide what the others have.
  std::vector<Found> find_in_all(const std::string& term, const SearchFilter& filter) const {
    std::vector<Found> all;
    std::size_t failures = 0;
    for (const std::string& registry : config_.search) {
      try {
        std::vector<Found> found = find_in(registry, term, filter);
        std::move(found.begin(), found.end(), std::back_inserter(all));
      } catch (const Error& error) {
        if (++failures == config_.search.size()) throw;
        log_warning(error.message());
      }
    }
    return all;
  }

  storage::RegistryAccess access_;
  storage::RegistriesConfig config_;
  std::int64_t limit_;
};

// ---- showing ----

constexpr std::size_t description_width = 47;

std::string mark(bool set) {
  return set ? "[OK]" : "";
}

std::string description_of(const SearchResult& result, bool whole) {
  std::string text = result.description;
  std::replace(text.begin(), text.end(), '\n', ' ');
  return whole ? text : shorten(text, description_width);
}

Value inspect(const Found& found, bool whole) {
  return Value::structure("SearchResult")
      .set("Index", found.registry)
      .set("Name", found.result.name)
      .set("Description", description_of(found.result, whole))
      .set("Stars", found.result.stars)
      .set("Official", mark(found.result.is_official))
      .set("Automated", mark(found.result.is_automated))
      .set("Tag", "");
}

void print_json(Output& out, const std::vector<Value>& rows) {
  Value list = Value::list();
  for (const Value& row : rows) list.push_back(row);
  out.line(render_json_indented(list, 4));
}

void print_tags(Output& out, const Arguments& arguments, const std::vector<std::string>& tags) {
  const std::string& name = arguments.at(0);
  const auto format = list_format(arguments);
  if (format && templates::is_json(*format)) {
    return print_json(out, {Value::structure("TagList").set("Name", name).set("Tags", tags)});
  }
  if (format) {
    std::vector<Value> rows;
    for (const std::string& tag : tags)
      rows.push_back(Value::structure("Tag").set("Name", name).set("Tag", tag));
    out.append(render_report({.name = "search"}, *format, rows));
    return;
  }
  std::vector<std::vector<std::string>> table{{"NAME", "TAG"}};
  for (const std::string& tag : tags) table.push_back({name, tag});
  out.append(render_table(table));
}

void print_found(Output& out, const Arguments& arguments, const std::vector<Found>& all) {
  const bool whole = arguments.boolean("no-trunc");
  if (const auto format = list_format(arguments)) {
    std::vector<Value> rows;
    for (const Found& found : all) rows.push_back(inspect(found, whole));
    if (templates::is_json(*format)) return print_json(out, rows);
    out.append(render_report({.name = "search"}, *format, rows));
    return;
  }
  const bool compatible = arguments.boolean("compatible");
  std::vector<std::vector<std::string>> table{{"NAME", "DESCRIPTION"}};
  if (compatible) table[0].insert(table[0].end(), {"STARS", "OFFICIAL", "AUTOMATED"});
  for (const Found& found : all) {
    table.push_back({found.result.name, description_of(found.result, whole)});
    if (!compatible) continue;
    table.back().insert(table.back().end(),
                        {std::to_string(found.result.stars), mark(found.result.is_official),
                         mark(found.result.is_automated)});
  }
  out.append(render_table(table));
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const Search search(arguments);
  if (arguments.boolean("list-tags")) {
    if (arguments.given("filter")) throw UsageError("filters are not applicable to list tags result");
    print_tags(invocation.out, arguments, search.list_tags(arguments.at(0)));
    return 0;
  }
  const SearchFilter filter(arguments.list("filter"));
  const std::vector<Found> all = search.find(arguments.at(0), filter);
  if (!all.empty() || arguments.given("format")) print_found(invocation.out, arguments, all);
  return 0;
}

}  // namespace

constinit const Verb search_verb = implement(search_description, run);

}  // namespace knarr::cli
