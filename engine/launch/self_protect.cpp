// SPDX-License-Identifier: Apache-2.0
#include "engine/launch/self_protect.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U  // Linux 6.3
#endif

namespace knarr::engine {

namespace {

// Tells the copy where it came from; helper programs lie beside that.
constexpr const char* origin_variable = "_KNARR_PROGRAM";
constexpr int all_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

std::string read_own_link() {
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof(path));
  return length <= 0 ? std::string() : std::string(path, static_cast<std::size_t>(length));
}

// The seals are asked, not the environment: a variable could be set by anybody.
bool is_sealed_copy(int exe_fd) {
  return ::fcntl(exe_fd, F_GET_SEALS) == all_seals;
}

// Root in a container is the user (rootless) or root; an owner may always make a file writable again.
bool writable_from_containers(int exe_fd) {
  struct stat info {};
  if (::fstat(exe_fd, &info) < 0) return true;
  const bool ours = ::geteuid() == 0 || info.st_uid == ::geteuid();
  const bool by_group = (info.st_mode & S_IWGRP) != 0 && info.st_gid == ::getegid();
  return ours || by_group || (info.st_mode & S_IWOTH) != 0;
}

sys::UniqueFd make_sealed_copy(int exe_fd) {
  sys::UniqueFd copy(::memfd_create("knarr", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC));
  if (!copy && errno == EINVAL) copy.reset(::memfd_create("knarr", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!copy) throw_errno("protecting the engine's program: making a copy in memory");
  struct stat info {};
  if (::fstat(exe_fd, &info) < 0) throw_errno("protecting the engine's program");
  for (off_t rest = info.st_size; rest > 0;) {
    const ssize_t sent = ::sendfile(copy.get(), exe_fd, nullptr, static_cast<std::size_t>(rest));
    if (sent <= 0) throw_errno("protecting the engine's program: copying it");
    rest -= sent;
  }
  if (::fcntl(copy.get(), F_ADD_SEALS, all_seals) < 0)
    throw_errno("protecting the engine's program: sealing the copy");
  return copy;
}

}  // namespace

void protect_own_binary(const std::vector<std::string>& argv) {
  const sys::UniqueFd exe = sys::open_at(AT_FDCWD, "/proc/self/exe", O_RDONLY);
  if (is_sealed_copy(exe.get()) || !writable_from_containers(exe.get())) return;
  const sys::UniqueFd copy = make_sealed_copy(exe.get());
  ::setenv(origin_variable, read_own_link().c_str(), 1);
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::fexecve(copy.get(), arguments.data(), environ);
  throw_errno("protecting the engine's program: executing the copy");
}

std::string own_program_path() {
  const sys::UniqueFd exe = sys::open_at(AT_FDCWD, "/proc/self/exe", O_RDONLY);
  const char* origin = std::getenv(origin_variable);
  return origin != nullptr && is_sealed_copy(exe.get()) ? std::string(origin) : read_own_link();
}

}  // namespace knarr::engine
