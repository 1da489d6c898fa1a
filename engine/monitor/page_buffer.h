// SPDX-License-Identifier: Apache-2.0
// Memory that a monitor holds only while it works: an idle one gives the pages back.
#pragma once

#include <cstddef>

namespace knarr::engine::monitor {

class PageBuffer {
 public:
  explicit PageBuffer(std::size_t size);  // address space; throws SysError
  ~PageBuffer();
  PageBuffer(const PageBuffer&) = delete;
  PageBuffer& operator=(const PageBuffer&) = delete;

  char* data() { return data_; }
  std::size_t size() const { return size_; }
  void release();  // the content is lost

 private:
  char* data_;
  std::size_t size_;
};

}  // namespace knarr::engine::monitor
