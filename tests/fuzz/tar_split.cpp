// SPDX-License-Identifier: Apache-2.0
// The split of a tar: bytes of anybody in, records within their limits out, and names that stay in the tree.
#include "storage/layer/tar_split.h"

#include <cstdint>
#include <limits>
#include <string>

#include "rootless/sys/error.h"
#include "tests/fuzz/check.h"

namespace {

using namespace knarr::storage;

void check_path(const std::string& name) {
  const std::string path = "/" + name + "/";
  for (const char* bad : {"//", "/./", "/../"}) FUZZ_CHECK(path.find(bad) == std::string::npos);
  FUZZ_CHECK(path.find('\0') == std::string::npos);
}

void check_content(const SplitContent& content) {
  check_path(content.path);
  FUZZ_CHECK(!content.extents.empty());
  std::uint64_t end = 0;
  for (const TarExtent& extent : content.extents) {
    FUZZ_CHECK(extent.size > 0 && extent.offset >= end);
    FUZZ_CHECK(extent.size <= std::numeric_limits<std::int64_t>::max() - extent.offset);
    end = extent.offset + extent.size;
  }
}

// All records as text, and the error they ended with.
std::string read_records(std::string_view bytes, std::size_t piece) {
  std::string text;
  try {
    SplitReader reader([&](char* buffer, std::size_t size) {
      const std::size_t given = bytes.copy(buffer, std::min(size, piece));
      bytes.remove_prefix(given);
      return given;
    });
    for (;;) {
      const SplitReader::Kind kind = reader.next();
      if (kind == SplitReader::Kind::end) return text + "end";
      if (kind == SplitReader::Kind::content) {
        check_content(reader.content());
        text += knarr::concat("content ", reader.content().path, ' ', reader.content().size(), ' ',
                              reader.content().checksum, '\n');
        continue;
      }
      if (kind == SplitReader::Kind::place) {
        check_path(reader.place().path);
        if (!reader.place().link_target.empty()) check_path(reader.place().link_target);
        text += knarr::concat("place ", reader.place().path, ' ', reader.place().link_target, '\n');
        continue;
      }
      for (std::string_view raw; !(raw = reader.read_raw()).empty();) text += raw;
    }
  } catch (const knarr::InvalidArgument& error) {
    text += error.message();
  } catch (const knarr::Unsupported& error) {
    text += error.message();
  }
  return text;
}

}  // namespace

// Plain records, as they are before compression: the reader takes both, and no mutation makes a zstd frame.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FUZZ_CHECK(read_records(bytes, size + 1) == read_records(bytes, 3));
  return 0;
}
