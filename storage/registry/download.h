// SPDX-License-Identifier: Apache-2.0
// The bytes of a layer as it is shipped, kept while it is fetched: a pull that is killed goes on where it
// was.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "storage/digest.h"
#include "storage/store.h"

namespace knarr::storage {

// downloads/<hex>, for as long as this lives nobody else's.
class Download {
 public:
  // nullptr when another process has it. What is there and longer than `size` is no beginning: it is cut off.
  static std::unique_ptr<Download> open(const Store& store, const Digest& blob, std::uint64_t size);

  std::uint64_t size() const { return size_; }
  std::size_t read(char* buffer, std::size_t size, std::uint64_t offset) const;
  // At the end. A full disk ends the keeping, not the pull: false, and the file is gone.
  bool append(std::string_view bytes);
  void remove();

 private:
  Download(const Store& store, std::string path, sys::Lock lock, sys::UniqueFd fd, std::uint64_t size)
      : store_(store), path_(std::move(path)), lock_(std::move(lock)), fd_(std::move(fd)), size_(size) {}

  const Store& store_;
  std::string path_;
  sys::Lock lock_;
  sys::UniqueFd fd_;
  std::uint64_t size_;
};

// For one whose bytes have turned out wrong; also when another process has it open.
void remove_download(const Store& store, const Digest& blob);

}  // namespace knarr::storage
