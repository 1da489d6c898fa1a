// SPDX-License-Identifier: Apache-2.0
#include "storage/volume/volume_mount.h"

#include <algorithm>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

bool is_access_word(std::string_view word) {
  constexpr std::string_view words[] = {"ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev"};
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

bool is_tmpfs_word(std::string_view word) {
  constexpr std::string_view keys[] = {"size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks="};
  return std::any_of(std::begin(keys), std::end(keys), [word](std::string_view key) {
    return word.starts_with(key) && word.size() > key.size();
  });
}

std::string option(const Volume& volume, const std::string& key) {
  const auto found = volume.options.find(key);
  return found == volume.options.end() ? "" : found->second;
}

[[noreturn]] void fail(const Volume& volume, std::string_view reason) {
  throw InvalidArgument(concat("volume ", volume.name, ": ", reason));
}

VolumeMount::Kind kind_of(const Volume& volume, const std::string& type, bool says_bind) {
  if (type == "tmpfs") return VolumeMount::Kind::tmpfs;
  if (type == "bind" || says_bind) return VolumeMount::Kind::bind;
  if (type.empty()) return VolumeMount::Kind::directory;
  throw Unsupported(concat("volume ", volume.name, ": type ", type,
                           " is not supported: an ordinary user can mount tmpfs and bind only"));
}

void apply_word(const Volume& volume, VolumeMount& mount, const std::string& word) {
  if (word == "bind" || word == "rbind") {
    if (mount.kind == VolumeMount::Kind::tmpfs)
      fail(volume, concat("o=", word, " and type=tmpfs exclude each other"));
    mount.recursive = word == "rbind";
  } else if (is_access_word(word) && mount.kind != VolumeMount::Kind::directory) {
    mount.words.push_back(word);
  } else if (mount.kind == VolumeMount::Kind::tmpfs && is_tmpfs_word(word)) {
    mount.words.push_back(word);
  } else if (word.starts_with("uid=") || word.starts_with("gid=") || word.starts_with("size=") ||
             word.starts_with("inodes=")) {
    throw Unsupported(concat("volume ", volume.name, ": o=", word, " is supported with type=tmpfs only"));
  } else {
    fail(volume, concat("invalid mount option \"", word, "\" in o="));
  }
}

}  // namespace

VolumeMount parse_volume_options(const Volume& volume) {
  for (const auto& [key, value] : volume.options) {
    if (key != "type" && key != "device" && key != "o") fail(volume, concat("invalid option \"", key, "\""));
  }
  const std::vector<std::string> words = split_words(option(volume, "o"));
  const bool says_bind = std::any_of(
      words.begin(), words.end(), [](const std::string& word) { return word == "bind" || word == "rbind"; });
  const std::string type = option(volume, "type"), device = option(volume, "device");
  VolumeMount mount;
  mount.kind = kind_of(volume, type, says_bind);
  for (const std::string& word : words) apply_word(volume, mount, word);
  if (mount.kind == VolumeMount::Kind::bind) {
    if (!device.starts_with('/')) fail(volume, "a bind needs device=, an absolute path");
    mount.source = device;
  } else if (mount.kind == VolumeMount::Kind::directory) {
    if (!device.empty()) fail(volume, "device= needs a type=");
    mount.source = volume.mountpoint;
  }
  return mount;
}

}  // namespace knarr::storage
