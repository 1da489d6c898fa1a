// SPDX-License-Identifier: Apache-2.0
// Builds tar archives in memory, well-formed and otherwise, for tests. Independent of the product's reader.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace knarr::test {

// One header block and its content.
struct TarItem {
  char type = '0';
  std::string path;
  std::string link = {};
  std::string content = {};
  unsigned mode = 0644;
  unsigned uid = 0;
  unsigned gid = 0;
  long mtime = 1;
  unsigned major = 0;
  unsigned minor = 0;
  long long size = -1;          // when it shall lie about the content
  std::string prefix = {};      // ustar prefix
  std::string magic = "ustar";  // "ustar  " for GNU
};

inline std::string octal(unsigned long long value, std::size_t width) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", static_cast<int>(width) - 1, value);
  return std::string(text) + '\0';
}

// GNU base 256, big endian.
inline std::string base256(long long value, std::size_t width) {
  std::string bytes(width, value < 0 ? '\xff' : '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[width - 1 - i] = static_cast<char>(value >> (8 * i));
  bytes[0] = static_cast<char>(bytes[0] | 0x80);
  return bytes;
}

inline void put(std::string& block, std::size_t offset, std::string_view bytes) {
  block.replace(offset, bytes.size(), bytes);
}

inline std::string with_checksum(std::string block) {
  put(block, 148, "        ");
  unsigned sum = 0;
  for (const char byte : block) sum += static_cast<unsigned char>(byte);
  put(block, 148, octal(sum, 7) + " ");
  return block;
}

inline std::string pad_to_block(std::string bytes) {
  bytes.resize((bytes.size() + 511) / 512 * 512, '\0');
  return bytes;
}

inline std::string header_block(const TarItem& item) {
  std::string block(512, '\0');
  put(block, 0, item.path.substr(0, 100));
  put(block, 100, octal(item.mode, 8));
  put(block, 108, octal(item.uid, 8));
  put(block, 116, octal(item.gid, 8));
  put(block, 124,
      octal(item.size < 0 ? item.content.size() : static_cast<unsigned long long>(item.size), 12));
  put(block, 136,
      item.mtime < 0 ? base256(item.mtime, 12) : octal(static_cast<unsigned long long>(item.mtime), 12));
  block[156] = item.type;
  put(block, 157, item.link.substr(0, 100));
  put(block, 257, item.magic);
  if (item.magic == "ustar") put(block, 263, "00");
  put(block, 329, octal(item.major, 8));
  put(block, 337, octal(item.minor, 8));
  put(block, 345, item.prefix);
  return with_checksum(std::move(block));
}

inline std::string pax_record(const std::string& key, const std::string& value) {
  const std::string rest = " " + key + "=" + value + "\n";
  std::size_t length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length)
    length = std::to_string(length).size() + rest.size();
  return std::to_string(length) + rest;
}

class TarBuilder {
 public:
  TarBuilder& add(const TarItem& item) { return raw(header_block(item) + pad_to_block(item.content)); }
  TarBuilder& file(const std::string& path, const std::string& content, unsigned mode = 0644) {
    return add({.path = path, .content = content, .mode = mode});
  }
  TarBuilder& directory(const std::string& path, unsigned mode = 0755) {
    return add({.type = '5', .path = path, .mode = mode});
  }
  TarBuilder& symlink(const std::string& path, const std::string& target) {
    return add({.type = '2', .path = path, .link = target, .mode = 0777});
  }
  TarBuilder& hard_link(const std::string& path, const std::string& target) {
    return add({.type = '1', .path = path, .link = target});
  }
  // An extended header for the entry that follows ('g': for all).
  TarBuilder& pax(const std::vector<std::pair<std::string, std::string>>& records, char type = 'x') {
    std::string content;
    for (const auto& [key, value] : records) content += pax_record(key, value);
    return add({.type = type, .path = "PaxHeaders/x", .content = content});
  }
  TarBuilder& gnu_long(char type, const std::string& name) {
    return add({.type = type, .path = "././@LongLink", .content = name + '\0', .magic = "ustar  "});
  }
  TarBuilder& raw(const std::string& bytes) {
    bytes_ += bytes;
    return *this;
  }
  const std::string& without_end() const { return bytes_; }
  std::string finish() const { return bytes_ + std::string(1024, '\0'); }

 private:
  std::string bytes_;
};

}  // namespace knarr::test
