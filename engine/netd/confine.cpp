// SPDX-License-Identifier: Apache-2.0
#include "engine/netd/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <vector>

#include "rootless/sys/confine.h"
#include "rootless/sys/file.h"

namespace knarr::engine::netd {

namespace {

void drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  ::syscall(SYS_capset, &header, none);
}

// Where it really is: a link may lead to a resolver's own directory, where the file is replaced.
std::string directory_of(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  const std::string resolved = real ? real.get() : path;
  return resolved.substr(0, resolved.rfind('/') + 1);
}

// /etc and /run: the link may be changed to another resolver's file.
void restrict_files(const std::string& directory, const std::string& resolv_conf) {
  std::vector<sys::UniqueFd> open;
  std::vector<sys::FilesBelow> readable;
  for (const std::string& place : {directory, directory_of(resolv_conf), std::string("/etc"),
                                   std::string("/run"), std::string("/proc")}) {
    sys::UniqueFd fd = sys::find_at(AT_FDCWD, place, O_PATH | O_DIRECTORY);
    if (!fd) continue;
    readable.push_back({fd.get(), sys::FileAccess::read});
    open.push_back(std::move(fd));
  }
  sys::restrict_files(readable);
}

constexpr std::array listening_and_starting = {SYS_bind, SYS_listen, SYS_socketpair, SYS_clone, SYS_clone3};

}  // namespace

void confine(const std::string& directory, const std::string& resolv_conf) {
  drop_capabilities();
  sys::deny_new_privileges();
  restrict_files(directory, resolv_conf);
  sys::deny_calls({sys::privileged_calls, listening_and_starting});
}

}  // namespace knarr::engine::netd
