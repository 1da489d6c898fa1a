// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/entry_path.h"

#include <algorithm>

#include "rootless/sys/error.h"
#include "storage/layer/tar_header.h"

namespace knarr::storage {
namespace {

constexpr std::string_view reserved_prefix = ".wh..wh.";

}  // namespace

std::string clean_entry_path(std::string_view path) {
  std::string clean;
  clean.reserve(path.size());
  std::size_t depth = 0;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (component.empty() || component == ".") continue;
    if (component == "..") {
      if (depth-- == 0) throw InvalidArgument("the name leads out of the tree");
      clean.resize(clean.rfind('/') == std::string::npos ? 0 : clean.rfind('/'));
      continue;
    }
    if (component.size() > max_name_length) throw InvalidArgument("a component of the name is too long");
    if (++depth > max_path_depth) throw InvalidArgument("the name has too many components");
    if (!clean.empty()) clean += '/';
    clean += component;
  }
  return clean;
}

std::string_view parent_of(std::string_view clean_path) {
  const std::size_t slash = clean_path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : clean_path.substr(0, slash);
}

std::string_view leaf_of(std::string_view clean_path) {
  const std::size_t slash = clean_path.rfind('/');
  return slash == std::string_view::npos ? clean_path : clean_path.substr(slash + 1);
}

WhiteoutName parse_whiteout(std::string_view clean_path) {
  std::size_t start = clean_path.starts_with(whiteout_prefix) ? 0 : clean_path.find("/.wh.");
  if (start == std::string_view::npos) return {};
  if (start > 0) ++start;
  const std::string_view name = clean_path.substr(start);  // from the first component that is one
  if (name == opaque_whiteout) return {Whiteout::opaque, {}};
  const bool is_leaf = name.find('/') == std::string_view::npos;
  if (name.starts_with(reserved_prefix) && !name.starts_with(".wh..wh..opq/"))
    return {Whiteout::reserved, {}};
  if (!is_leaf) throw InvalidArgument("a whiteout cannot be a directory");
  const std::string_view hidden = name.substr(whiteout_prefix.size());
  if (hidden.empty() || hidden == "." || hidden == "..") {
    throw InvalidArgument(concat("a whiteout of ", quote_name(hidden)));
  }
  return {Whiteout::name, hidden};
}

}  // namespace knarr::storage
