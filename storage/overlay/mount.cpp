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

void set_lowers(int context, const std::vector<std::string>& lowers) {
  for (std::size_t i = 0; i < lowers.size(); ++i) {
    if (::fsconfig(context, FSCONFIG_SET_STRING, "lowerdir+", lowers[i].c_str(), 0) == 0) continue;
    if (i != 0 || errno != EINVAL) throw_errno("mounting overlay: adding layer ", lowers[i]);
    return set_option(context, "lowerdir", join_lowers(lowers));
  }
}

}  // namespace

sys::UniqueFd mount_detached(const RootfsPlan& plan) {
  if (!plan.directory.empty()) return sys::open_at(AT_FDCWD, plan.directory, O_PATH | O_DIRECTORY);
  const sys::UniqueFd context(::fsopen("overlay", FSOPEN_CLOEXEC));
  if (!context) throw_errno("mounting overlay");
  set_lowers(context.get(), plan.lowers);
  set_option(context.get(), "upperdir", plan.upper);
  set_option(context.get(), "workdir", plan.work);
  if (plan.userxattr) ::fsconfig(context.get(), FSCONFIG_SET_FLAG, "userxattr", nullptr, 0);
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0)
    throw_errno("mounting overlay");
  sys::UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  if (!mount) throw_errno("mounting overlay");
  return mount;
}

}  // namespace knarr::storage
