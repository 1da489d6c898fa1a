// SPDX-License-Identifier: Apache-2.0
// The tar reader and the rules for names: bytes of anybody in, entries within their limits out, the same ones
// however the bytes are cut.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "rootless/sys/error.h"
#include "storage/layer/entry_path.h"
#include "storage/layer/tar_reader.h"
#include "tests/fuzz/check.h"

namespace {

using namespace knarr::storage;

class Pieces : public ChunkSource {
 public:
  Pieces(std::string_view bytes, std::size_t size) : rest_(bytes), size_(size) {}
  std::string_view next_chunk() override {
    current_ = rest_.substr(0, size_);  // a copy, so that reading beyond a piece is seen
    rest_.remove_prefix(current_.size());
    return current_;
  }

 private:
  std::string_view rest_;
  std::string current_;
  std::size_t size_;
};

// No mutation finds a checksum, so the right one is put into whatever looks like a header.
std::string with_checksums(std::string bytes) {
  for (std::size_t block = 0; block + 512 <= bytes.size(); block += 512) {
    if (bytes.compare(block + 257, 5, "ustar") != 0) continue;
    bytes.replace(block + 148, 8, "        ");
    unsigned sum = 0;
    for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(bytes[block + i]);
    for (int digit = 5; digit >= 0; --digit, sum >>= 3)
      bytes[block + 148 + digit] = static_cast<char>('0' + (sum & 7));
  }
  return bytes;
}

constexpr TarLimits limits{.headers = 100, .extended_header = 10'000, .extents = 50, .path = 300};

void check_extents(const TarEntry& entry) {
  FUZZ_CHECK(entry.extents.size() <= limits.extents);
  std::uint64_t end = 0, stored = 0;
  for (const TarExtent& extent : entry.extents) {
    FUZZ_CHECK(extent.offset >= end);
    FUZZ_CHECK(extent.size <= entry.size && extent.offset <= entry.size - extent.size);
    end = extent.offset + extent.size;
    stored += extent.size;
  }
  FUZZ_CHECK(stored == entry.stored_size);
}

void check_path(const std::string& path) {
  std::string clean;
  try {
    clean = clean_entry_path(path);
    parse_whiteout(clean);
  } catch (const knarr::InvalidArgument&) {
    return;
  }
  FUZZ_CHECK(clean_entry_path(clean) == clean);
  FUZZ_CHECK(!clean.starts_with('/') && !clean.ends_with('/') && clean.find("//") == std::string::npos);
  FUZZ_CHECK(("/" + clean + "/").find("/../") == std::string::npos);
}

void check_entry(const TarEntry& entry) {
  FUZZ_CHECK(!entry.path.empty() && entry.path.size() <= limits.path && entry.link.size() <= limits.path);
  FUZZ_CHECK(entry.path.find('\0') == std::string::npos && entry.link.find('\0') == std::string::npos);
  FUZZ_CHECK((entry.mode & ~07777u) == 0);
  FUZZ_CHECK(entry.mtime.tv_nsec >= 0 && entry.mtime.tv_nsec < 1'000'000'000);
  FUZZ_CHECK(entry.type == TarType::file || entry.size == 0);
  if (entry.is_sparse) {
    check_extents(entry);
  } else if (entry.type == TarType::file) {
    FUZZ_CHECK(entry.size == entry.stored_size);
  }
  check_path(entry.path);
  check_path(entry.link);
}

// All that was read, as text, and the error it ended with.
std::string read_all(std::string_view bytes, std::size_t piece) {
  Pieces source(bytes, piece);
  TarReader reader(source, limits);
  std::string text;
  try {
    for (TarEntry entry; reader.next(entry);) {
      check_entry(entry);
      text += knarr::concat(static_cast<int>(entry.type), ' ', entry.path, ' ', entry.link, ' ', entry.uid,
                            ' ', entry.size, ' ', entry.content_offset, ' ', entry.xattrs.size(), '\n');
      std::uint64_t length = 0;
      for (std::string_view part; !(part = reader.read_content()).empty();) {
        length += part.size();
        text += part;
      }
      if (entry.type == TarType::file) FUZZ_CHECK(length == entry.stored_size);
    }
    reader.drain();
    FUZZ_CHECK(reader.position() == bytes.size());
  } catch (const knarr::Error& error) {
    text += error.message();
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes = with_checksums(std::string(reinterpret_cast<const char*>(data), size));
  const std::string whole = read_all(bytes, bytes.size() + 1);
  FUZZ_CHECK(read_all(bytes, 1) == whole);
  FUZZ_CHECK(read_all(bytes, 700) == whole);
  return 0;
}
