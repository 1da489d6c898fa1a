// SPDX-License-Identifier: Apache-2.0
// RLIMIT_NOFILE: the usual soft limit, 1024, is less than what a range of ports or a few hundred connections
// take.
#pragma once

#include <sys/resource.h>

namespace knarr::netns::forward {

// The soft limit as high as the hard one, for good. Children inherit it.
inline rlimit raise_descriptor_limit() {
  rlimit before{};
  if (::getrlimit(RLIMIT_NOFILE, &before) == 0 && before.rlim_cur < before.rlim_max) {
    const rlimit raised{before.rlim_max, before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &raised);
  }
  return before;
}

// For a while; descriptors above the old limit stay open.
class RaisedDescriptorLimit {
 public:
  RaisedDescriptorLimit() : before_(raise_descriptor_limit()) {}
  ~RaisedDescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  RaisedDescriptorLimit(const RaisedDescriptorLimit&) = delete;
  RaisedDescriptorLimit& operator=(const RaisedDescriptorLimit&) = delete;

 private:
  rlimit before_;
};

}  // namespace knarr::netns::forward
