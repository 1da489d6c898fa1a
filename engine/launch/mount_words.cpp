// SPDX-License-Identifier: Apache-2.0
#include "engine/launch/mount_words.h"

#include <sys/mount.h>

namespace knarr::engine {

namespace {

struct AttributeWord {
  std::string_view word;
  std::uint64_t set, clear;
};
constexpr AttributeWord attribute_words[] = {{"ro", MOUNT_ATTR_RDONLY, 0},
                                             // A read-only source stays so: nobody asked to make it writable.
                                             {"rw", 0, 0},
                                             {"nosuid", MOUNT_ATTR_NOSUID, 0},
                                             {"suid", 0, MOUNT_ATTR_NOSUID},
                                             {"nodev", MOUNT_ATTR_NODEV, 0},
                                             {"dev", 0, MOUNT_ATTR_NODEV},
                                             {"noexec", MOUNT_ATTR_NOEXEC, 0},
                                             {"exec", 0, MOUNT_ATTR_NOEXEC},
                                             {"noatime", MOUNT_ATTR_NOATIME, 0},
                                             {"atime", 0, 0},
                                             {"relatime", MOUNT_ATTR_RELATIME, 0},
                                             {"strictatime", MOUNT_ATTR_STRICTATIME, 0},
                                             {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
                                             {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0}};

bool apply_attribute(MountWords& parsed, std::string_view word) {
  for (const AttributeWord& known : attribute_words) {
    if (known.word != word) continue;
    parsed.attributes |= known.set;
    parsed.clear_attributes |= known.clear;
    return true;
  }
  return false;
}

void apply_filesystem_option(MountWords& parsed, std::string_view word) {
  const std::size_t equals = word.find('=');
  FilesystemOption option{.key = std::string(word.substr(0, equals)), .value = std::nullopt};
  if (equals != std::string_view::npos) option.value = word.substr(equals + 1);
  parsed.filesystem_options.push_back(std::move(option));
}

}  // namespace

std::optional<std::uint64_t> parse_propagation(std::string_view word) {
  std::uint64_t flags = 0;
  if (word.size() > 1 && word.front() == 'r') {
    flags = MS_REC;
    word.remove_prefix(1);
  }
  if (word == "private") return flags | MS_PRIVATE;
  if (word == "slave") return flags | MS_SLAVE;
  if (word == "shared") return flags | MS_SHARED;
  if (word == "unbindable") return flags | MS_UNBINDABLE;
  return std::nullopt;
}

MountWords parse_mount_words(const std::vector<std::string>& words) {
  MountWords parsed;
  for (const std::string& word : words) {
    if (word == "optional") {
      parsed.optional = true;
    } else if (word == "tmpcopyup") {
      parsed.copy_up = true;
    } else if (word == "bind" || word == "rbind") {
      parsed.recursive = word == "rbind";
    } else if (const auto propagation = parse_propagation(word)) {
      parsed.propagation = *propagation;
    } else if (!apply_attribute(parsed, word)) {
      apply_filesystem_option(parsed, word);
    }
  }
  return parsed;
}

}  // namespace knarr::engine
