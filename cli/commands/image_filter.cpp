// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/image_filter.h"

#include <fnmatch.h>

#include <algorithm>
#include <functional>

#include "cli/commands/filter.h"
#include "cli/commands/image_view.h"
#include "cli/flags.h"
#include "cli/quote.h"
#include "engine/images.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

constexpr std::string_view known_filters =
    "after before containers dangling digest id intermediate label label! manifest readonly reference since "
    "until";

using Test = std::function<bool(const storage::Image&)>;

bool parse_filter_boolean(const std::string& name, const std::string& value) {
  const auto parsed = parse_boolean(value);
  if (!parsed)
    throw InvalidArgument(
        concat("invalid value ", quote_go(value), " for filter ", name, ": expected true or false"));
  return *parsed;
}

bool matches_glob(const std::string& pattern, const std::string& text) {
  return ::fnmatch(pattern.c_str(), text.c_str(), FNM_PATHNAME) == 0;
}

// "debian" is the image docker.io/library/debian with any tag.
bool name_matches(const std::string& pattern, const std::string& full_name) {
  const std::string repository = split_image_name(full_name).repository;
  for (std::size_t start = 0;;) {
    if (matches_glob(pattern, full_name.substr(start)) || matches_glob(pattern, repository.substr(start)))
      return true;
    const std::size_t slash = repository.find('/', start);
    if (slash == std::string::npos) return false;
    start = slash + 1;
  }
}

Test match_containers(const engine::Engine& engine, const std::string& value) {
  const auto by_image = containers_by_image(engine);
  const bool wanted = parse_filter_boolean("containers", value);
  return [by_image, wanted](const storage::Image& image) { return by_image.contains(image.id) == wanted; };
}

Test match_time(const engine::Engine& engine, const std::string& name, const std::string& value) {
  const std::int64_t time =
      name == "until" ? parse_filter_time(value) : image_created_ns(engine::get_image(engine, value));
  if (name == "after" || name == "since") {
    return [time](const storage::Image& image) { return image_created_ns(image) > time; };
  }
  return [time](const storage::Image& image) { return image_created_ns(image) < time; };
}

Test make_test(const engine::Engine& engine, const std::string& name, const std::string& value) {
  if (name == "containers") return match_containers(engine, value);
  if (name == "dangling") {
    return [wanted = parse_filter_boolean(name, value)](const storage::Image& image) {
      return image.names.empty() == wanted;
    };
  }
  if (name == "readonly") {
    return [wanted = parse_filter_boolean(name, value)](const storage::Image& image) {
      return image.store.empty() != wanted;
    };
  }
  if (name == "manifest") {
    return [wanted = parse_filter_boolean(name, value)](const storage::Image& image) {
      return is_list(image) == wanted;
    };
  }
  // There are no intermediate images.
  if (name == "intermediate") {
    return [wanted = parse_filter_boolean(name, value)](const storage::Image&) { return !wanted; };
  }
  if (name == "digest") {
    return [value](const storage::Image& image) { return render(image.manifest).starts_with(value); };
  }
  if (name == "id") {
    const std::string id = value.starts_with("sha256:") ? value.substr(7) : value;
    return [id](const storage::Image& image) { return image.id.starts_with(id); };
  }
  if (name == "reference") {
    return [value](const storage::Image& image) { return matches_reference(image, value); };
  }
  if (name == "label" || name == "label!") {
    return [value, wanted = name == "label"](const storage::Image& image) {
      return has_label(image.config.labels, value) == wanted;
    };
  }
  return match_time(engine, name, value);
}

}  // namespace

bool matches_reference(const storage::Image& image, const std::string& pattern) {
  return std::any_of(image.names.begin(), image.names.end(),
                     [&](const std::string& name) { return name_matches(pattern, name); });
}

std::vector<storage::Image> filter_images(const engine::Engine& engine, std::vector<storage::Image> images,
                                          const std::vector<std::string>& texts) {
  for (const auto& [name, values] : parse_filters(texts, known_filters)) {
    std::vector<Test> tests;
    for (const std::string& value : values) tests.push_back(make_test(engine, name, value));
    const bool all = name == "label" || name == "label!";
    std::erase_if(images, [&](const storage::Image& image) {
      const auto passes = [&](const Test& test) { return test(image); };
      return all ? !std::all_of(tests.begin(), tests.end(), passes)
                 : std::none_of(tests.begin(), tests.end(), passes);
    });
  }
  return images;
}

}  // namespace knarr::cli
