// SPDX-License-Identifier: Apache-2.0
// Names in a layer tar: where an entry lies below the root of the tree, and what its name means (image-spec
// layer.md, "Representing Changes"). Pure.
#pragma once

#include <string>
#include <string_view>

namespace knarr::storage {

constexpr std::size_t max_path_depth = 256;
constexpr std::size_t max_name_length = 255;  // NAME_MAX

// The path relative to the root without ".", "..", doubled, leading or trailing slashes; empty: the root
// itself. The name is only taken apart as text here: links are a matter for whoever walks it. Throws
// InvalidArgument when it leaves the root, is too deep or has a component longer than a file system allows.
std::string clean_entry_path(std::string_view path);

std::string_view parent_of(std::string_view clean_path);  // empty: the root
std::string_view leaf_of(std::string_view clean_path);

constexpr std::string_view whiteout_prefix = ".wh.";
constexpr std::string_view opaque_whiteout = ".wh..wh..opq";

enum class Whiteout {
  none,
  name,      // ".wh.NAME" hides NAME of the layers below
  opaque,    // ".wh..wh..opq" hides all that the layers below have in this directory
  reserved,  // other ".wh..wh." names and what lies in them: AUFS's own bookkeeping, not content
};
struct WhiteoutName {
  Whiteout kind = Whiteout::none;
  std::string_view hidden;  // NAME
};

// What the name says. Throws InvalidArgument for a whiteout of nothing, of "." or "..", and for one
// used as a directory.
WhiteoutName parse_whiteout(std::string_view clean_path);

}  // namespace knarr::storage
