// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/diff_id_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::storage {
namespace {

sys::Lock acquire(const Store& store, const std::string& path) {
  for (;;) {
    // It may go at any instant: the one before us is done, or a clean-up took the directory for garbage.
    try {
      sys::make_directory(store.fd(), path, 0700);
      return sys::Lock::acquire(store.fd(), path, sys::Lock::Mode::exclusive);
    } catch (const NotFound&) {
    } catch (const SysError& error) {
      if (error.code() != ENOENT) throw;
    }
  }
}

}  // namespace

DiffIdLock::DiffIdLock(const Store& store, const Digest& diff_id)
    : store_(store), path_("staging/unpacking-" + diff_id.hex), lock_(acquire(store, path_)) {}

DiffIdLock::~DiffIdLock() {
  ::unlinkat(store_.fd(), path_.c_str(), AT_REMOVEDIR);
}

}  // namespace knarr::storage
