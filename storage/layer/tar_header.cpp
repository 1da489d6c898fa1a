// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/tar_header.h"

#include <algorithm>
#include <array>
#include <limits>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

struct Field {
  std::size_t offset;
  std::size_t size;
};
constexpr Field name_field{0, 100}, mode_field{100, 8}, uid_field{108, 8}, gid_field{116, 8},
    size_field{124, 12}, mtime_field{136, 12}, checksum_field{148, 8}, link_field{157, 100},
    magic_field{257, 8}, major_field{329, 8}, minor_field{337, 8}, prefix_field{345, 155},
    star_prefix_field{345, 131}, star_trailer_field{508, 4}, sparse_entries_field{386, 4 * 24},
    sparse_real_size_field{483, 12}, extension_entries_field{0, 21 * 24};
constexpr std::size_t type_offset = 156, sparse_extended_offset = 482, extension_extended_offset = 504;

using namespace std::string_view_literals;
constexpr std::string_view posix_magic = "ustar\0"sv;  // the two bytes of version differ among writers
constexpr std::string_view star_trailer = "tar\0"sv;

std::string_view slice(std::string_view block, Field field) {
  return block.substr(field.offset, field.size);
}

std::string_view text_field(std::string_view block, Field field) {
  const std::string_view bytes = slice(block, field);
  return bytes.substr(0, bytes.find('\0'));
}

void check_checksum(std::string_view block) {
  // Some old writers summed signed characters.
  std::int64_t as_unsigned = 0, as_signed = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool in_field = i >= checksum_field.offset && i < checksum_field.offset + checksum_field.size;
    const char byte = in_field ? ' ' : block[i];
    as_unsigned += static_cast<unsigned char>(byte);
    as_signed += static_cast<signed char>(byte);
  }
  const std::int64_t wanted = parse_tar_number(slice(block, checksum_field), "checksum");
  if (wanted != as_unsigned && wanted != as_signed) throw InvalidArgument("wrong header checksum");
}

std::int64_t parse_base256(std::string_view field, std::string_view what) {
  // Two's complement, big endian; the first bit only marks the form, the second is the sign.
  const bool negative = (static_cast<unsigned char>(field[0]) & 0x40) != 0;
  const unsigned char fill = negative ? 0xff : 0;
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    unsigned char byte = static_cast<unsigned char>(field[i]);
    if (i == 0) byte = static_cast<unsigned char>((byte & 0x7f) | (negative ? 0x80 : 0));
    // The bytes before the last eight may only repeat the sign, and the eighth must keep it.
    if (i + 8 < field.size() && byte != fill) throw InvalidArgument(concat(what, " is too large"));
    value = value << 8 | byte;
  }
  if ((static_cast<std::int64_t>(value) < 0) != negative)
    throw InvalidArgument(concat(what, " is too large"));
  return static_cast<std::int64_t>(value);
}

std::uint64_t unsigned_number(std::string_view block, Field field, std::string_view what) {
  const std::int64_t number = parse_tar_number(slice(block, field), what);
  if (number < 0) throw InvalidArgument(concat("negative ", what));
  return static_cast<std::uint64_t>(number);
}

std::uint32_t device_number(std::string_view block, Field field, std::string_view what) {
  const std::uint64_t number = unsigned_number(block, field, what);
  if (number > std::numeric_limits<std::uint32_t>::max())
    throw InvalidArgument(concat(what, " is too large"));
  return static_cast<std::uint32_t>(number);
}

bool is_device(char type_flag) {
  return type_flag == '3' || type_flag == '4';
}

std::string full_path(std::string_view block) {
  const std::string_view name = text_field(block, name_field);
  // GNU ("ustar  ") keeps other things where POSIX has the prefix.
  if (slice(block, magic_field).substr(0, posix_magic.size()) != posix_magic) return std::string(name);
  const bool is_star = slice(block, star_trailer_field) == star_trailer;
  const std::string_view prefix = text_field(block, is_star ? star_prefix_field : prefix_field);
  return prefix.empty() ? std::string(name) : concat(prefix, '/', name);
}

}  // namespace

bool is_zero_block(std::string_view block) {
  return std::all_of(block.begin(), block.end(), [](char byte) { return byte == '\0'; });
}

std::int64_t parse_tar_number(std::string_view field, std::string_view what) {
  if (!field.empty() && (static_cast<unsigned char>(field[0]) & 0x80)) return parse_base256(field, what);
  const std::size_t start = std::min(field.find_first_not_of(" \0"sv), field.size());
  std::string_view digits = field.substr(start);
  digits = digits.substr(0, std::min(digits.find_first_of(" \0"sv), digits.size()));
  std::uint64_t value = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '7') throw InvalidArgument(concat(what, " is no octal number"));
    value = value << 3 | static_cast<std::uint64_t>(digit - '0');  // 12 digits at most: no overflow
  }
  return static_cast<std::int64_t>(value);
}

TarHeader parse_tar_header(std::string_view block) {
  check_checksum(block);
  TarHeader header;
  header.type_flag = block[type_offset];
  header.path = full_path(block);
  header.link = text_field(block, link_field);
  header.mode = static_cast<std::uint32_t>(unsigned_number(block, mode_field, "mode") & 07777);
  header.uid = unsigned_number(block, uid_field, "uid");
  header.gid = unsigned_number(block, gid_field, "gid");
  header.size = unsigned_number(block, size_field, "size");
  header.mtime = parse_tar_number(slice(block, mtime_field), "mtime");
  if (is_device(header.type_flag)) {
    header.device_major = device_number(block, major_field, "device major");
    header.device_minor = device_number(block, minor_field, "device minor");
  }
  return header;
}

OldSparseBlock old_sparse_of_header(std::string_view block) {
  return {slice(block, sparse_entries_field), block[sparse_extended_offset] != '\0'};
}

OldSparseBlock old_sparse_of_extension(std::string_view block) {
  return {slice(block, extension_entries_field), block[extension_extended_offset] != '\0'};
}

std::uint64_t old_sparse_real_size(std::string_view header_block) {
  return unsigned_number(header_block, sparse_real_size_field, "sparse file size");
}

std::string quote_name(std::string_view name) {
  constexpr std::size_t longest_shown = 300;
  constexpr std::string_view hex = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char byte : name.substr(0, longest_shown)) {
    const auto code = static_cast<unsigned char>(byte);
    if (byte == '"' || byte == '\\') quoted += '\\';
    if (code < 0x20 || code == 0x7f) {
      quoted += concat("\\x", hex[code >> 4], hex[code & 15]);
    } else {
      quoted += byte;
    }
  }
  return quoted + (name.size() > longest_shown ? "...\"" : "\"");
}

}  // namespace knarr::storage
