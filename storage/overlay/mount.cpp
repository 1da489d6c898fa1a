// SPDX-License-Identifier: Apache-2.0
#include "storage/overlay/mount.h"

#include <fcntl.h>
#include <sys/mount.h>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::storage {

namespace {

void set_option(int context, const char* key, const std::string& value) {
  if (::fsconfig(context, FSCONFIG_SET_STRING, key, value.c_str(), 0) < 0) {
    throw_errno("mounting overlay: setting ", key, " to ", value);
  }
}

// Kernels before 6.7 know only one "lowerdir" with all of them, where ':' and '\' are escaped.
std::string join_lowers(const std::vector<std::string>& lowers) {
  std::string joined;
  for (const std::string& lower : lowers) {
    if (!joined.empty()) joined += ':';
    for (const char c : lower) {
      if (c == ':' || c == '\\' || c == ',') joined += '\\';
      joined += c;
    }
  }
  return joined;
}

// "lowerdir+" takes one at a time; older kernels refuse it, some only when the mount is made.
enum class Lowers { appended, joined };

bool create(int context, const RootfsPlan& plan, Lowers lowers) {
  if (lowers == Lowers::joined) {
    set_option(context, "lowerdir", join_lowers(plan.lowers));
  } else {
    for (const std::string& lower : plan.lowers) {
      if (::fsconfig(context, FSCONFIG_SET_STRING, "lowerdir+", lower.c_str(), 0) < 0) return false;
    }
  }
  for (const std::string& lower : plan.data_lowers) {
    if (::fsconfig(context, FSCONFIG_SET_STRING, "datadir+", lower.c_str(), 0) < 0) return false;
  }
  if (!plan.upper.empty()) {
    set_option(context, "upperdir", plan.upper);
    set_option(context, "workdir", plan.work);
  }
  if (plan.userxattr && ::fsconfig(context, FSCONFIG_SET_FLAG, "userxattr", nullptr, 0) < 0) return false;
  return ::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
}

}  // namespace

sys::UniqueFd mount_detached(const RootfsPlan& plan) {
  if (!plan.directory.empty()) return clone_mount(plan.directory);
  sys::UniqueFd context(::fsopen("overlay", FSOPEN_CLOEXEC));
  if (!context) throw_errno("mounting overlay");
  if (!create(context.get(), plan, Lowers::appended)) {
    if (errno != EINVAL || !plan.data_lowers.empty()) throw_errno("mounting overlay");
    context.reset(::fsopen("overlay", FSOPEN_CLOEXEC));
    if (!context || !create(context.get(), plan, Lowers::joined)) throw_errno("mounting overlay");
  }
  sys::UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  if (!mount) throw_errno("mounting overlay");
  return mount;
}

sys::UniqueFd mount_read_only(RootfsPlan plan) {
  plan.upper.clear();
  // Overlay wants two layers at least where there is no upper one.
  if (plan.lowers.size() == 1 && plan.data_lowers.empty()) plan.directory = plan.lowers.front();
  sys::UniqueFd mount = mount_detached(plan);
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(mount.get(), "", AT_EMPTY_PATH, &read_only, sizeof(read_only)) < 0)
    throw_errno("making the mount read-only");
  return mount;
}

sys::UniqueFd clone_mount(const std::string& path) {
  sys::UniqueFd tree(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!tree) throw_errno("mounting ", path);
  return tree;
}

}  // namespace knarr::storage
