// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/download.h"

#include <unistd.h>

#include <cerrno>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

constexpr const char* directory = "downloads";

std::string path_of(const Digest& blob) {
  return concat(directory, '/', blob.hex);
}

}  // namespace

std::unique_ptr<Download> Download::open(const Store& store, const Digest& blob, std::uint64_t size) {
  const std::string path = path_of(blob);
  sys::make_directory(store.fd(), directory, 0700);  // a store of an earlier version has none
  for (;;) {
    sys::UniqueFd fd = sys::open_at(store.fd(), path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    std::optional<sys::Lock> lock;
    try {
      lock = sys::Lock::try_acquire(store.fd(), path, sys::Lock::Mode::exclusive);
    } catch (const NotFound&) {
      continue;  // its last owner was done with it between the two calls
    }
    if (!lock) return nullptr;
    struct stat opened, locked;
    if (::fstat(fd.get(), &opened) < 0 || ::fstat(lock->fd(), &locked) < 0) throw_errno("looking at ", path);
    if (opened.st_ino != locked.st_ino) continue;
    auto length = static_cast<std::uint64_t>(opened.st_size);
    if (length > size && ::ftruncate(fd.get(), 0) < 0) throw_errno("cutting off ", path);
    if (length > size) length = 0;
    return std::unique_ptr<Download>(new Download(store, path, *std::move(lock), std::move(fd), length));
  }
}

std::size_t Download::read(char* buffer, std::size_t size, std::uint64_t offset) const {
  for (;;) {
    const ssize_t got = ::pread(fd_.get(), buffer, size, static_cast<off_t>(offset));
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) throw Error(concat(store_.path(path_), " has become shorter"));
    if (errno != EINTR) throw_errno("reading ", store_.path(path_));
  }
}

bool Download::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      remove();
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
    size_ += static_cast<std::size_t>(written);
  }
  return true;
}

void Download::remove() {
  ::unlinkat(store_.fd(), path_.c_str(), 0);
}

void remove_download(const Store& store, const Digest& blob) {
  ::unlinkat(store.fd(), path_of(blob).c_str(), 0);
}

}  // namespace knarr::storage
