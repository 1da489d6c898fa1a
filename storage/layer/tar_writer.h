// SPDX-License-Identifier: Apache-2.0
// Writes a tar archive as a stream: ustar (POSIX.1-1988), with PAX headers (POSIX.1-2001) for what does not
// fit into its fields. Equal entries give equal bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/layer/layer.h"
#include "storage/layer/tar_reader.h"

namespace knarr::storage {

class TarWriter {
 public:
  explicit TarWriter(ByteSink sink) : sink_(std::move(sink)) {}

  // The entry with all its metadata; a directory's name gets a slash at its end. After a file exactly
  // `entry.size` bytes must be written (a sparse one is written whole). Throws InvalidArgument for what a tar
  // cannot hold.
  void add(const TarEntry& entry);
  void write(std::string_view content);
  // A file and its content at once; sets its size.
  void add_file(TarEntry entry, std::string_view content);
  // The end of the archive.
  void finish();

  // Of the file that was added last.
  std::uint64_t content_left() const { return content_left_; }

 private:
  void end_entry();

  ByteSink sink_;
  std::uint64_t content_left_ = 0;
  std::uint64_t padding_ = 0;
};

// A sink that writes to a borrowed descriptor; `what` names it in errors.
ByteSink sink_to(int fd, std::string what);

}  // namespace knarr::storage
