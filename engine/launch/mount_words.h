// SPDX-License-Identifier: Apache-2.0
// The words of mount(8) as what the kernel's mount API wants. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::engine {

struct FilesystemOption {
  std::string key;
  std::optional<std::string> value;
  bool operator==(const FilesystemOption&) const = default;
};

struct MountWords {
  std::uint64_t attributes = 0;        // MOUNT_ATTR_* to set
  std::uint64_t clear_attributes = 0;  // MOUNT_ATTR_* to clear
  std::uint64_t propagation = 0;       // MS_PRIVATE, ..., with MS_REC; 0: none named
  bool recursive = true;               // "bind" makes it false
  bool optional = false;
  bool copy_up = false;  // "tmpcopyup": filled with what the directory below holds
  std::vector<FilesystemOption> filesystem_options;  // all other words, in order
};

MountWords parse_mount_words(const std::vector<std::string>& words);
// "rslave" → MS_SLAVE | MS_REC
std::optional<std::uint64_t> parse_propagation(std::string_view word);

}  // namespace knarr::engine
