// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/error.h"
#include "storage/content/base64.h"
#include "storage/content/decompress.h"
#include "storage/foreign/recorded_files.h"
#include "storage/layer/entry_path.h"
#include "storage/meta/json_reader.h"

namespace knarr::storage {
namespace {

// A line holds a header with its pax records, or the padding between two entries.
constexpr std::size_t max_line_bytes = 16u << 20;
constexpr std::size_t max_files = 20'000'000;
constexpr std::uint64_t file_entry = 1;  // tar-split's storage.FileType
// Segments are written so, are most of the bytes, and say nothing about files.
constexpr std::string_view segment_start = R"({"type":2,)";

std::string read_name(const JsonReader& entry) {
  const auto raw = entry.find("name_raw");  // of names that are no UTF-8
  if (!raw) return entry.read_string("name");
  const auto name = decode_base64(raw->as_string());
  if (!name) raw->fail("not base64");
  return *name;
}

// The path an entry is about: a whiteout is about what it hides.
std::string subject_of(const std::string& clean_path, const WhiteoutName& whiteout) {
  if (whiteout.kind != Whiteout::name) return clean_path;
  const std::string_view parent = parent_of(clean_path);
  return parent.empty() ? std::string(whiteout.hidden) : concat(parent, '/', whiteout.hidden);
}

}  // namespace

void add_recorded_line(RecordedFiles& files, std::string_view line) {
  if (line.empty() || line.starts_with(segment_start)) return;
  const Json document = parse_json(line, "tar-split", max_line_bytes);
  const JsonReader entry(document, "tar-split");
  if (entry.get("type").as_unsigned() != file_entry) return;
  const std::string path = clean_entry_path(read_name(entry));
  if (path.empty()) files.has_root = true;
  const WhiteoutName whiteout = parse_whiteout(path);
  if (path.empty() || whiteout.kind == Whiteout::opaque || whiteout.kind == Whiteout::reserved) return;
  // Of several entries of one name the last one counts: a link, say, in place of a file.
  const std::string subject = subject_of(path, whiteout);
  if (const std::uint64_t size = entry.read_unsigned("size"); size > 0) {
    files.sizes.insert_or_assign(subject, size);
  } else {
    files.sizes.erase(subject);
  }
  if (files.sizes.size() > max_files) throw InvalidArgument("tar-split: too many files");
}

RecordedFiles read_recorded_files(ByteSource source) {
  constexpr std::size_t block = 256u << 10;
  Decompressor decompressor(std::move(source));
  RecordedFiles files;
  std::string pending;
  for (bool more = true; more;) {
    const std::size_t kept = pending.size();
    pending.resize(kept + block);
    const std::size_t got = decompressor.read(pending.data() + kept, block);
    pending.resize(kept + got);
    more = got > 0;
    std::size_t start = 0;
    for (std::size_t end = pending.find('\n', kept); end != std::string::npos;
         end = pending.find('\n', start)) {
      add_recorded_line(files, std::string_view(pending).substr(start, end - start));
      start = end + 1;
    }
    pending.erase(0, start);
    if (pending.size() > max_line_bytes) throw InvalidArgument("tar-split: a line is too long");
  }
  add_recorded_line(files, pending);
  return files;
}

}  // namespace knarr::storage
