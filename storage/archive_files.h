// SPDX-License-Identifier: Apache-2.0
// The files inside an image archive, by name: in a tar on the disk, read where they lie, or in a directory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "storage/layer/layer.h"
#include "storage/store.h"

namespace knarr::storage {

class ArchiveFiles {
 public:
  virtual ~ArchiveFiles() = default;
  virtual bool is_directory() const = 0;
  virtual bool has(const std::string& name) const = 0;
  // These throw NotFound when there is no regular file of that name.
  virtual std::uint64_t size(const std::string& name) const = 0;
  virtual ByteSource stream(const std::string& name) const = 0;  // must not outlive this object

  // The whole file; InvalidArgument when it is larger than max_bytes.
  std::string read(const std::string& name, std::size_t max_bytes) const;
};

// A file, a directory, or "-" for standard input. What is compressed or cannot be read at any place is first
// copied into staging/. Throws InvalidArgument when a file is no tar.
std::unique_ptr<ArchiveFiles> open_archive(const Store& store, const std::string& path);

// A file in the store nobody else sees: its name is gone before it has content.
sys::UniqueFd make_spool(const Store& store);

// A descriptor read from its current position, for sources that are read once. It is borrowed; `what` names
// it in errors.
ByteSource stream_of(int fd, const std::string& what);

}  // namespace knarr::storage
