// SPDX-License-Identifier: Apache-2.0
// PAX extended headers (POSIX.1-2001 pax, "pax Header Block") with the extensions of star (SCHILY.xattr.*)
// and GNU (GNU.sparse.*, formats 0.0, 0.1 and 1.0). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::storage {

// A run of content inside a sparse file.
struct TarExtent {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  bool operator==(const TarExtent&) const = default;
};

struct TarXattr {
  std::string name;
  std::string value;  // bytes
  bool operator==(const TarXattr&) const = default;
};

struct PaxRecords {
  std::optional<std::string> path;
  std::optional<std::string> link;
  std::optional<std::uint64_t> size;
  std::optional<std::uint64_t> uid;
  std::optional<std::uint64_t> gid;
  std::optional<std::timespec> mtime;
  std::vector<TarXattr> xattrs;

  // GNU.sparse.*: `extents` is filled by formats 0.0 and 0.1; in 1.0 the map lies before the content.
  std::optional<std::string> sparse_name;
  std::optional<std::uint64_t> sparse_size;  // of the whole file
  std::optional<std::uint64_t> sparse_major;
  bool has_sparse_map = false;
  std::vector<TarExtent> extents;
};

// Throws InvalidArgument that names the record, also when there are more than `max_extents`. Unknown
// keywords are ignored; of equal ones the last counts.
PaxRecords parse_pax(std::string_view text, std::size_t max_extents);

// Decimal digits only; nullopt for anything else and beyond 2^63-1.
std::optional<std::uint64_t> parse_decimal(std::string_view text);

}  // namespace knarr::storage
