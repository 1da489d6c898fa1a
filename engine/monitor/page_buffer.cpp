// SPDX-License-Identifier: Apache-2.0
#include "engine/monitor/page_buffer.h"

#include <sys/mman.h>

#include "rootless/sys/error.h"

namespace knarr::engine::monitor {

PageBuffer::PageBuffer(std::size_t size) : size_(size) {
  void* pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw_errno("reserving ", size, " bytes");
  data_ = static_cast<char*>(pages);
}

PageBuffer::~PageBuffer() {
  ::munmap(data_, size_);
}

void PageBuffer::release() {
  ::madvise(data_, size_, MADV_DONTNEED);
}

}  // namespace knarr::engine::monitor
