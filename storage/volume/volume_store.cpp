// SPDX-License-Identifier: Apache-2.0
#include "storage/volume/volume_store.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "rootless/sys/error.h"
#include "storage/meta/object_name.h"
#include "storage/meta/random.h"
#include "storage/volume/volume_json.h"

namespace knarr::storage {
namespace {

constexpr std::size_t anonymous_name_digits = 64;

std::string volume_path(const std::string& name) {
  return "volumes/" + name;
}

std::string meta_path(const std::string& name) {
  return volume_path(name) + "/meta.json";
}

[[noreturn]] void throw_unknown(const std::string& name) {
  throw NotFound(concat("no volume with name \"", name, "\" found"));
}

bool is_anonymous_name(const std::string& name) {
  return name.size() == anonymous_name_digits &&
         name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// A power cut may leave the record of an anonymous volume empty or take it (it is not synced). The data is
// still there and worth more than its labels; it is not filled again.
Volume volume_without_record(const std::string& name) {
  Volume volume;
  volume.name = name;
  volume.anonymous = is_anonymous_name(name);
  volume.needs_copy_up = false;
  return volume;
}

Volume read_volume(const Store& store, const std::string& name, std::string_view json) {
  return with_context(store.path(meta_path(name)), [&] {
    Volume volume = json.empty() ? volume_without_record(name) : parse_volume(json);
    if (volume.name != name) throw InvalidArgument(concat("the record is that of volume ", volume.name));
    volume.mountpoint = store.path(volume_path(name) + "/_data");
    return volume;
  });
}

// `run` makes anonymous volumes and does not wait for the disk.
sys::Durability durability_of(const Volume& volume) {
  return volume.anonymous ? sys::Durability::none : sys::Durability::synced;
}

// The mode of _data is what a container sees at its mount point until copy-up gives it the image's.
void fill_staging(const Store& store, const std::string& path, const Volume& volume) {
  const sys::UniqueFd directory = sys::open_directory(store.fd(), path);
  sys::make_directory(directory.get(), "_data", 0755);
  sys::create_file(directory.get(), "meta.json", render_volume(volume), 0600, durability_of(volume));
}

// rename(2) puts a directory only where there is none, or an empty one.
void publish(const Store& store, const std::string& staged, const Volume& volume) {
  const std::string path = volume_path(volume.name);
  if (::renameat(store.fd(), staged.c_str(), store.fd(), path.c_str()) < 0) {
    if (errno == EEXIST || errno == ENOTEMPTY) {
      throw Conflict(concat("volume with name \"", volume.name, "\" already exists"));
    }
    throw_errno("creating volume ", volume.name);
  }
  if (durability_of(volume) == sys::Durability::none) return;
  if (::fsync(sys::open_directory(store.fd(), "volumes").get()) < 0) throw_errno("syncing ", path);
}

}  // namespace

std::optional<Volume> VolumeStore::find_volume(const std::string& name) const {
  if (!is_object_name(name)) return std::nullopt;
  const std::optional<std::string> json = sys::read_file_if_exists(store_.fd(), meta_path(name));
  if (!json && !has_volume(name)) return std::nullopt;
  return read_volume(store_, name, json.value_or(""));
}

Volume VolumeStore::get_volume(const std::string& name) const {
  std::optional<Volume> volume = find_volume(name);
  if (!volume) throw_unknown(name);
  return *std::move(volume);
}

Volume VolumeStore::create_volume(const Volume& wanted) const {
  Volume volume = wanted;
  if (volume.name.empty() && volume.anonymous) volume.name = random_hex(anonymous_name_digits);
  require_object_name("volume", volume.name);
  if (volume.driver != "local") {
    throw Unsupported(concat("creating volume ", volume.name, ": there is no volume driver \"", volume.driver,
                             "\", only \"local\""));
  }
  const Store::Staging staging = store_.make_staging("volume");
  try {
    fill_staging(store_, staging.path, volume);
    publish(store_, staging.path, volume);
  } catch (...) {
    sys::remove_tree(store_.fd(), staging.path);
    throw;
  }
  volume.mountpoint = store_.path(volume_path(volume.name) + "/_data");
  return volume;
}

Volume VolumeStore::ensure_volume(const Volume& wanted) const {
  // Another command may be faster (what it makes is what we want), and a third one may remove that again; but
  // no such game lasts for ever.
  for (int attempts_left = 16;; --attempts_left) {
    if (std::optional<Volume> volume = find_volume(wanted.name)) return *std::move(volume);
    try {
      return create_volume(wanted);
    } catch (const Conflict&) {
      if (attempts_left == 0) throw;
    }
  }
}

std::vector<Volume> VolumeStore::list_volumes(const DamageReport& damaged) const {
  std::vector<Volume> volumes;
  for (const std::string& name : sys::list_directory(store_.fd(), "volumes")) {
    try {
      if (std::optional<Volume> volume = find_volume(name)) volumes.push_back(*std::move(volume));
    } catch (const Error& error) {
      if (damaged) damaged(error);
    }
  }
  std::sort(volumes.begin(), volumes.end(), [](const Volume& a, const Volume& b) { return a.name < b.name; });
  return volumes;
}

sys::Lock VolumeStore::lock_volume(const std::string& name) const {
  if (!is_object_name(name)) throw_unknown(name);
  try {
    return sys::Lock::acquire(store_.fd(), volume_path(name), sys::Lock::Mode::exclusive);
  } catch (const NotFound&) {
    throw_unknown(name);
  }
}

void VolumeStore::mark_copied_up(const std::string& name) const {
  Volume volume = get_volume(name);
  if (!volume.needs_copy_up) return;
  volume.needs_copy_up = false;
  sys::replace_file(store_.fd(), meta_path(name), render_volume(volume), 0600, sys::Durability::none);
}

bool VolumeStore::has_volume(const std::string& name) const {
  if (!is_object_name(name)) return false;
  const auto info = sys::stat_at(store_.fd(), volume_path(name), AT_SYMLINK_NOFOLLOW);
  return info && S_ISDIR(info->st_mode);
}

void VolumeStore::restore_record(const std::string& name) const {
  if (!has_volume(name)) throw_unknown(name);
  store_.move_to_trash(meta_path(name));
  sys::create_file(store_.fd(), meta_path(name), render_volume(volume_without_record(name)), 0600,
                   sys::Durability::synced);
}

void VolumeStore::remove_volume(const std::string& name) const {
  if (!is_object_name(name) || !store_.move_to_trash(volume_path(name))) throw_unknown(name);
}

}  // namespace knarr::storage
