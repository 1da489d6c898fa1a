// SPDX-License-Identifier: Apache-2.0
#include "storage/overlay/mount_points.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::storage {
namespace {

constexpr const char* directory = "mountpoints";
constexpr const char* mount_point_directories[] = {"/dev", "/etc", "/proc", "/run", "/sys"};

}  // namespace

std::string mount_points_path(const Store& store) {
  return store.path(directory);
}

bool has_mount_points(const Store& store) {
  return sys::stat_at(store.fd(), directory).has_value();
}

void make_mount_points(const Store& store) {
  if (has_mount_points(store)) return;
  const Store::Staging staging = store.make_staging(directory);
  const std::string tree = staging.path + "/tree";
  sys::make_directory(store.fd(), tree, 0755);
  for (const char* path : mount_point_directories) sys::make_directory(store.fd(), tree + path, 0755);
  for (const char* path : mount_point_files)
    sys::create_file(store.fd(), tree + path, "", 0644, sys::Durability::none);
  // Somebody else's is as good.
  if (::renameat(store.fd(), tree.c_str(), store.fd(), directory) < 0 && errno != EEXIST &&
      errno != ENOTEMPTY)
    throw_errno("publishing ", mount_points_path(store));
  ::unlinkat(store.fd(), staging.path.c_str(), AT_REMOVEDIR);
}

}  // namespace knarr::storage
