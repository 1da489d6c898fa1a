// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/tar_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

constexpr std::uint64_t max_file_size = std::numeric_limits<std::int64_t>::max() - tar_block_size;

std::uint64_t padding_after(std::uint64_t size) {
  return (tar_block_size - size % tar_block_size) % tar_block_size;
}

bool is_regular(char type_flag) {
  return type_flag == '0' || type_flag == '\0' || type_flag == '7';  // 7: "contiguous", long forgotten
}

// Only these are followed by content; the others may carry a size that means nothing.
bool has_content(char type_flag) {
  return is_regular(type_flag) || type_flag == 'S' || type_flag == 'D' || type_flag == 'V';
}

TarType entry_type(char type_flag, std::string_view path) {
  switch (type_flag) {
    case '\0':
      // Before directories had a type of their own they had a slash.
      return path.ends_with('/') ? TarType::directory : TarType::file;
    case '0':
    case '7':
    case 'S':
      return TarType::file;
    case '1':
      return TarType::hard_link;
    case '2':
      return TarType::symlink;
    case '3':
      return TarType::character_device;
    case '4':
      return TarType::block_device;
    case '5':
    case 'D':  // GNU's incremental archives: a directory with a list of names as content
      return TarType::directory;
    case '6':
      return TarType::fifo;
    case 'M':
      throw Unsupported("part of a file that began in another volume");
    default:
      throw Unsupported(
          concat("entry type ", quote_name(std::string_view(&type_flag, 1)), " is not supported"));
  }
}

std::uint32_t id_of(std::uint64_t number, std::string_view what) {
  // 2^32-1 means "leave it" to chown(2).
  if (number >= std::numeric_limits<std::uint32_t>::max()) {
    throw InvalidArgument(concat(what, " ", number, " is not possible"));
  }
  return static_cast<std::uint32_t>(number);
}

// The decimal numbers of a GNU sparse map 1.0, one a line, fed block by block.
class SparseMapParser {
 public:
  explicit SparseMapParser(std::size_t max_extents) : max_extents_(max_extents) {}

  // False when the map is complete; the rest of the block is padding.
  bool feed(std::string_view block) {
    for (const char byte : block) {
      if (byte == '\n') {
        if (!end_number()) return false;
      } else if (byte < '0' || byte > '9' || ++digits_ > 18) {
        throw InvalidArgument("malformed sparse map");
      } else {
        number_ = number_ * 10 + static_cast<std::uint64_t>(byte - '0');
      }
    }
    return true;
  }

  std::vector<TarExtent> extents;

 private:
  bool end_number() {
    if (digits_ == 0) throw InvalidArgument("malformed sparse map");
    if (!count_) {
      if (number_ > max_extents_) {
        throw InvalidArgument(concat("a sparse file of more than ", max_extents_, " pieces"));
      }
      count_ = number_;
    } else if (!offset_) {
      offset_ = number_;
    } else {
      extents.push_back({*offset_, number_});
      offset_.reset();
    }
    number_ = 0;
    digits_ = 0;
    return extents.size() < *count_;
  }

  std::size_t max_extents_;
  std::optional<std::uint64_t> count_;
  std::optional<std::uint64_t> offset_;
  std::uint64_t number_ = 0;
  int digits_ = 0;
};

}  // namespace

struct TarReader::Extended {
  PaxRecords pax;
  std::optional<std::string> long_path;
  std::optional<std::string> long_link;
};

// ---- bytes ----

bool TarReader::load() {
  if (chunk_.empty()) chunk_ = source_.next_chunk();
  return !chunk_.empty();
}

std::string_view TarReader::take(std::uint64_t limit) {
  if (limit == 0 || !load()) return {};
  const std::string_view piece = chunk_.substr(0, std::min<std::uint64_t>(limit, chunk_.size()));
  chunk_.remove_prefix(piece.size());
  position_ += piece.size();
  return piece;
}

std::string_view TarReader::take_raw(std::uint64_t limit) {
  const std::string_view piece = take(limit);
  if (tap_ != nullptr) tap_->pass(piece);
  return piece;
}

std::optional<std::string_view> TarReader::read_block() {
  std::string_view piece = take_raw(tar_block_size);
  if (piece.size() == tar_block_size) return piece;
  if (piece.empty()) return std::nullopt;
  std::size_t filled = 0;
  while (!piece.empty()) {
    std::memcpy(block_ + filled, piece.data(), piece.size());
    filled += piece.size();
    piece = take_raw(tar_block_size - filled);
  }
  if (filled < tar_block_size) fail_truncated("a header");
  return std::string_view(block_, tar_block_size);
}

std::string_view TarReader::need_block(std::string_view what) {
  const std::optional<std::string_view> block = read_block();
  if (!block) fail_truncated(what);
  return *block;
}

void TarReader::skip(std::uint64_t size) {
  std::uint64_t skipped = 0;
  if (tap_ == nullptr) {
    skipped = std::min<std::uint64_t>(size, chunk_.size());
    chunk_.remove_prefix(skipped);
    if (skipped < size) skipped += source_.skip(size - skipped);
    position_ += skipped;
  }
  while (skipped < size) {
    const std::string_view piece = take_raw(size - skipped);
    if (piece.empty()) fail_truncated("the content");
    skipped += piece.size();
  }
}

void TarReader::fail_truncated(std::string_view what) const {
  throw InvalidArgument(concat("the archive ends in the middle of ", what, ", after ", position_, " bytes"));
}

// ---- content ----

std::string_view TarReader::read_content() {
  if (content_left_ == 0) return {};
  const std::string_view piece = take(content_left_);
  if (piece.empty()) {
    throw InvalidArgument(concat("tar entry ", quote_name(name_), ": the archive ends ", content_left_,
                                 " bytes before the end of its content"));
  }
  content_left_ -= piece.size();
  return piece;
}

void TarReader::skip_rest_of_entry() {
  skip(content_left_ + padding_);
  content_left_ = 0;
  padding_ = 0;
}

void TarReader::drain() {
  while (!take_raw(std::numeric_limits<std::uint64_t>::max()).empty()) {
  }
}

// ---- headers ----

bool TarReader::next(TarEntry& entry) {
  std::uint64_t start = position_;
  try {
    skip_rest_of_entry();
    name_.clear();
    start = position_;
    std::optional<std::string_view> block = read_block();
    if (!block) return false;  // some writers leave out the two zero blocks
    if (is_zero_block(*block)) {
      block = read_block();
      if (block && !is_zero_block(*block)) throw InvalidArgument("a header after the end of the archive");
      return false;
    }
    Extended extended;
    TarHeader header;
    read_extended_headers(*block, header, extended);
    fill_entry(entry, header, extended);
    if (header.type_flag == 'S') read_old_sparse_map(entry, *block);
    if (extended.pax.sparse_major == 1 && entry.is_sparse) read_sparse_map_before_content(entry);
    if (entry.is_sparse) check_extents(entry);
    entry.content_offset = position_;
    return true;
  } catch (Error& error) {
    error.add_context(name_.empty() ? concat("tar header at byte ", start)
                                    : concat("tar entry ", quote_name(name_)));
    throw;
  }
}

void TarReader::count_header() {
  if (++headers_ > limits_.headers) {
    throw InvalidArgument(concat("the archive has more than ", limits_.headers, " headers"));
  }
}

// Reads up to the header of an entry proper: it stays in `block`.
void TarReader::read_extended_headers(std::string_view& block, TarHeader& header, Extended& extended) {
  for (;; block = need_block("its headers")) {
    count_header();
    header = parse_tar_header(block);
    switch (header.type_flag) {
      case 'x':
      case 'X':  // Solaris
        extended.pax = parse_pax(read_extended(header, "a PAX header"), limits_.extents);
        break;
      case 'g':
        apply_global(read_extended(header, "a PAX header"));
        break;
      case 'L':
        extended.long_path = read_extended(header, "a long name");
        extended.long_path->resize(std::strlen(extended.long_path->c_str()));
        break;
      case 'K':
        extended.long_link = read_extended(header, "a long name");
        extended.long_link->resize(std::strlen(extended.long_link->c_str()));
        break;
      case 'V':  // GNU's volume label
        skip(header.size + padding_after(header.size));
        break;
      default:
        return;
    }
  }
}

std::string TarReader::read_extended(const TarHeader& header, std::string_view what) {
  if (header.size > limits_.extended_header) {
    throw InvalidArgument(
        concat(what, " of ", header.size, " bytes is longer than the ", limits_.extended_header, " allowed"));
  }
  std::string text;
  text.reserve(header.size);
  while (text.size() < header.size) {
    const std::string_view piece = take_raw(header.size - text.size());
    if (piece.empty()) fail_truncated(what);
    text += piece;
  }
  skip(padding_after(header.size));
  return text;
}

// POSIX lets a global header say anything about all later entries. Owners, times and attributes make sense;
// one name or one size for all of them only makes two readers see two different archives.
void TarReader::apply_global(std::string_view text) {
  PaxRecords records = parse_pax(text, limits_.extents);
  if (records.path || records.link || records.size || records.sparse_name || records.sparse_size ||
      records.sparse_major || records.has_sparse_map) {
    throw InvalidArgument("a global PAX header that sets names or sizes");
  }
  if (records.uid) global_.uid = records.uid;
  if (records.gid) global_.gid = records.gid;
  if (records.mtime) global_.mtime = records.mtime;
  if (!records.xattrs.empty()) global_.xattrs = std::move(records.xattrs);
}

void TarReader::fill_entry(TarEntry& entry, const TarHeader& header, Extended& extended) {
  PaxRecords& pax = extended.pax;
  entry.path = pax.path ? std::move(*pax.path) : header.path;
  entry.link = pax.link ? std::move(*pax.link) : header.link;
  if (extended.long_path) entry.path = std::move(*extended.long_path);
  if (extended.long_link) entry.link = std::move(*extended.long_link);
  entry.is_sparse = header.type_flag == 'S' || (is_regular(header.type_flag) &&
                                                (pax.has_sparse_map || pax.sparse_major.value_or(0) != 0));
  if (entry.is_sparse && pax.sparse_name) entry.path = std::move(*pax.sparse_name);
  name_ = entry.path;

  if (entry.path.empty()) throw InvalidArgument("an entry without a name");
  if (entry.path.size() > limits_.path) throw InvalidArgument("the name is too long");
  if (entry.link.size() > limits_.path) throw InvalidArgument("the link target is too long");
  entry.type = entry_type(header.type_flag, entry.path);
  const bool is_link = entry.type == TarType::hard_link || entry.type == TarType::symlink;
  if (is_link && entry.link.empty()) throw InvalidArgument("a link without a target");
  entry.mode = header.mode;
  entry.uid = id_of(pax.uid ? *pax.uid : global_.uid.value_or(header.uid), "uid");
  entry.gid = id_of(pax.gid ? *pax.gid : global_.gid.value_or(header.gid), "gid");
  entry.mtime = pax.mtime ? *pax.mtime : global_.mtime.value_or(std::timespec{header.mtime, 0});
  entry.device_major = header.device_major;
  entry.device_minor = header.device_minor;
  entry.xattrs = pax.xattrs.empty() ? global_.xattrs : std::move(pax.xattrs);

  entry.stored_size = has_content(header.type_flag) ? pax.size.value_or(header.size) : 0;
  if (entry.stored_size > max_file_size) throw InvalidArgument("the size is not possible");
  content_left_ = entry.stored_size;
  padding_ = padding_after(entry.stored_size);
  entry.size = entry.type == TarType::file ? entry.stored_size : 0;
  entry.extents.clear();
  if (!entry.is_sparse || header.type_flag == 'S') return;
  if (pax.sparse_major.value_or(0) > 1) throw Unsupported("a sparse file of an unknown format");
  if (!pax.sparse_size) throw InvalidArgument("a sparse file without its size");
  entry.size = *pax.sparse_size;
  if (pax.sparse_major.value_or(0) == 0) entry.extents = std::move(pax.extents);
}

// ---- sparse files ----

void TarReader::add_old_extents(TarEntry& entry, std::string_view fields) {
  constexpr std::size_t number_size = 12;
  for (; fields.size() >= 2 * number_size; fields.remove_prefix(2 * number_size)) {
    if (fields[0] == '\0') return;
    const std::int64_t offset = parse_tar_number(fields.substr(0, number_size), "sparse offset");
    const std::int64_t size = parse_tar_number(fields.substr(number_size, number_size), "sparse size");
    if (offset < 0 || size < 0) throw InvalidArgument("malformed sparse map");
    if (entry.extents.size() >= limits_.extents) {
      throw InvalidArgument(concat("a sparse file of more than ", limits_.extents, " pieces"));
    }
    entry.extents.push_back({static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(size)});
  }
}

void TarReader::read_old_sparse_map(TarEntry& entry, std::string_view block) {
  entry.size = old_sparse_real_size(block);
  OldSparseBlock map = old_sparse_of_header(block);
  add_old_extents(entry, map.entries);
  while (map.is_extended) {
    count_header();
    map = old_sparse_of_extension(need_block("its sparse map"));
    add_old_extents(entry, map.entries);
  }
}

void TarReader::read_sparse_map_before_content(TarEntry& entry) {
  SparseMapParser parser(limits_.extents);
  do {
    if (content_left_ < tar_block_size) throw InvalidArgument("malformed sparse map");
    content_left_ -= tar_block_size;
  } while (parser.feed(need_block("its sparse map")));
  entry.extents = std::move(parser.extents);
  entry.stored_size = content_left_;
}

void TarReader::check_extents(const TarEntry& entry) const {
  std::uint64_t end = 0, stored = 0;
  for (const TarExtent& extent : entry.extents) {
    const bool fits =
        extent.offset >= end && extent.offset <= entry.size && extent.size <= entry.size - extent.offset;
    if (!fits) throw InvalidArgument("the pieces of a sparse file overlap or lie outside of it");
    end = extent.offset + extent.size;
    stored += extent.size;
  }
  if (entry.size > max_file_size || stored != entry.stored_size) {
    throw InvalidArgument("the pieces of a sparse file do not add up to its content");
  }
}

}  // namespace knarr::storage
