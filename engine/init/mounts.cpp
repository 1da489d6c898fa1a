// SPDX-License-Identifier: Apache-2.0
#include "engine/init/mounts.h"

#include "engine/init/legacy.h"

namespace knarr::engine::init {
namespace {

bool configure(int context_fd, const char* source, Span<MountOption> options) {
  if (source != nullptr && ::fsconfig(context_fd, FSCONFIG_SET_STRING, "source", source, 0) < 0) return false;
  for (const MountOption& option : options) {
    const fsconfig_command command = option.value == nullptr ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
    if (::fsconfig(context_fd, command, option.key, option.value, 0) < 0) return false;
  }
  return ::fsconfig(context_fd, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
}

bool set_mount(int mount_fd, unsigned int flags, std::uint64_t set, std::uint64_t clear,
               std::uint64_t propagation) {
  mount_attr attributes{};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  attributes.propagation = propagation;
  // A new kind of access times needs the old one cleared in the same call.
  if ((set & MOUNT_ATTR__ATIME) != 0) attributes.attr_clr |= MOUNT_ATTR__ATIME;
  if (attributes.attr_set == 0 && attributes.attr_clr == 0 && propagation == 0) return true;
  return ::mount_setattr(mount_fd, "", AT_EMPTY_PATH | flags, &attributes, sizeof attributes) == 0;
}

}  // namespace

bool mount_api_missing() {
  return errno == ENOSYS || errno == EPERM;
}

int make_filesystem(const char* fstype, const char* source, Span<MountOption> options,
                    std::uint64_t attributes) {
  const Fd context{::fsopen(fstype, FSOPEN_CLOEXEC)};
  if (!context || !configure(context.get(), source, options)) return -1;
  return ::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned int>(attributes));
}

int clone_tree(int fd, bool recursive) {
  return ::open_tree(fd, "",
                     AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
                         static_cast<unsigned int>(recursive ? AT_RECURSIVE : 0));
}

bool change_mount(int mount_fd, const MountChange& change) {
  // What is cleared is cleared on the mount itself only: mounts below it may have locked flags, and nobody
  // asked to weaken those.
  if (!set_mount(mount_fd, 0, 0, change.clear, 0)) return false;
  if (!set_mount(mount_fd, change.recursive ? AT_RECURSIVE : 0, change.set, 0, 0)) return false;
  const bool deep = (change.propagation & MS_REC) != 0;
  return set_mount(mount_fd, deep ? AT_RECURSIVE : 0, 0, 0, change.propagation & ~std::uint64_t{MS_REC});
}

bool attach(int mount_fd, int target_fd, const MountChange& change) {
  const bool changed = change_mount(mount_fd, change);
  if (!changed && !mount_api_missing()) return false;
  if (::move_mount(mount_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
    return false;
  return changed || legacy_change_mount(mount_fd, change);
}

}  // namespace knarr::engine::init
