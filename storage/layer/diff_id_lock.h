// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "rootless/sys/lock.h"
#include "storage/layer/layer.h"

namespace knarr::storage {

// The right to make or to judge the layer of one diffID. Its directory in staging/ exists only while somebody
// holds or wants it.
class DiffIdLock {
 public:
  DiffIdLock(const Store& store, const Digest& diff_id);
  DiffIdLock(const DiffIdLock&) = delete;
  DiffIdLock& operator=(const DiffIdLock&) = delete;
  // Whoever waits finds it gone, makes a new one and looks for the layer again.
  ~DiffIdLock();

 private:
  const Store& store_;
  std::string path_;
  sys::Lock lock_;
};

}  // namespace knarr::storage
