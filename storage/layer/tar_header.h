// SPDX-License-Identifier: Apache-2.0
// One 512-byte header block of a tar archive: v7, ustar (POSIX.1-1988), star and GNU. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace knarr::storage {

constexpr std::size_t tar_block_size = 512;

// The fields as the block has them; what extended headers override is not applied yet.
struct TarHeader {
  char type_flag = '0';
  std::string path;  // with the ustar prefix
  std::string link;
  std::uint32_t mode = 0;  // permission bits, 07777 at most
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
};

bool is_zero_block(std::string_view block);

// Throws InvalidArgument: wrong checksum, malformed number, negative or absurd size.
TarHeader parse_tar_header(std::string_view block);

// A numeric field: octal digits with leading spaces, ended by space or NUL, or GNU's base 256 (first bit
// set). An empty field is 0. `what` names it in the error.
std::int64_t parse_tar_number(std::string_view field, std::string_view what);

// The sizes a sparse file of the old GNU format (type 'S') carries in its header block and, when there are
// more than four, in the blocks after it.
struct OldSparseBlock {
  std::string_view entries;  // pairs of 12-byte numbers: offset, size; a pair of empty fields ends the list
  bool is_extended = false;  // another block follows
};
OldSparseBlock old_sparse_of_header(std::string_view block);
OldSparseBlock old_sparse_of_extension(std::string_view block);
std::uint64_t old_sparse_real_size(std::string_view header_block);

// A name as errors show it: quoted, control characters and bytes beyond ASCII kept readable.
std::string quote_name(std::string_view name);

}  // namespace knarr::storage
