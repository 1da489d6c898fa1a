// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/tar_split.h"

#include <zstd.h>

#include <algorithm>
#include <limits>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::storage {
namespace {

constexpr std::string_view magic = "knarrtar";
constexpr unsigned char version = 1;
enum Tag : unsigned char { end_tag = 0, raw_tag = 1, content_tag = 2, sparse_tag = 3, place_tag = 4 };

constexpr std::size_t max_raw = 64u << 10;  // bytes that wait to become one record
constexpr std::size_t batch = 128u << 10;   // bytes that are compressed at once
constexpr std::size_t max_path = 256 * 256;
constexpr std::size_t max_extents = 128u << 10;
constexpr std::uint64_t max_size = std::numeric_limits<std::int64_t>::max();

[[noreturn]] void fail_malformed(std::string_view detail) {
  throw InvalidArgument(concat("malformed split of a tar: ", detail));
}

void require_zstd(std::size_t result) {
  if (ZSTD_isError(result)) throw Error(concat("compressing with zstd: ", ZSTD_getErrorName(result)));
}

bool is_canonical(std::string_view path) {
  if (path.empty() || path.find('\0') != std::string_view::npos) return false;
  while (!path.empty()) {
    const std::string_view component = path.substr(0, path.find('/'));
    if (component.empty() || component == "." || component == ".." || component.size() > 255) return false;
    path.remove_prefix(component.size());
    if (path == "/") return false;
    if (!path.empty()) path.remove_prefix(1);
  }
  return true;
}

}  // namespace

std::uint64_t SplitContent::size() const {
  std::uint64_t total = 0;
  for (const TarExtent& extent : extents) total += extent.size;
  return total;
}

// ---- writing ----

void SplitWriter::Free::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}

SplitWriter::SplitWriter(int fd)
    : fd_(fd), context_(ZSTD_createCCtx()), output_(ZSTD_CStreamOutSize(), '\0') {
  if (!context_) throw Error("out of memory for zstd");
  require_zstd(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, 1));
  require_zstd(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1));
  records_.reserve(batch + max_raw + 64);
  records_ += magic;
  records_ += static_cast<char>(version);
}

SplitWriter::~SplitWriter() = default;

void SplitWriter::pass(std::string_view raw) {
  total_ += raw.size();
  while (!raw.empty()) {
    const std::string_view part = raw.substr(0, max_raw - raw_.size());
    raw_ += part;
    raw.remove_prefix(part.size());
    if (raw_.size() == max_raw) flush_raw();
  }
}

void SplitWriter::flush_raw() {
  if (raw_.empty()) return;
  records_ += static_cast<char>(raw_tag);
  append_number(raw_.size());
  records_ += raw_;
  raw_.clear();
  if (records_.size() >= batch) write_out(false);
}

void SplitWriter::add(const SplitContent& content) {
  flush_raw();
  total_ += content.size();
  const bool is_sparse = content.extents.size() != 1 || content.extents[0].offset != 0;
  records_ += static_cast<char>(is_sparse ? sparse_tag : content_tag);
  append_path(content.path);
  if (is_sparse) append_number(content.extents.size());
  std::uint64_t end = 0;
  for (const TarExtent& extent : content.extents) {
    if (is_sparse) append_number(extent.offset - end);
    append_number(extent.size);
    end = extent.offset + extent.size;
  }
  append_checksum(content.checksum);
  if (records_.size() >= batch) write_out(false);
}

void SplitWriter::add_place(const std::string& path, const std::string& link_target) {
  flush_raw();
  records_ += static_cast<char>(place_tag);
  append_path(path);
  append_path(link_target);
}

void SplitWriter::finish() {
  flush_raw();
  records_ += static_cast<char>(end_tag);
  append_number(total_);
  write_out(true);
}

void SplitWriter::append_number(std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) records_ += static_cast<char>(number | 0x80);
  records_ += static_cast<char>(number);
}

void SplitWriter::append_path(std::string_view path) {
  append_number(path.size());
  records_ += path;
}

void SplitWriter::append_checksum(std::uint64_t checksum) {
  for (int shift = 0; shift < 64; shift += 8) records_ += static_cast<char>(checksum >> shift);
}

void SplitWriter::write_out(bool is_last) {
  ZSTD_inBuffer in{records_.data(), records_.size(), 0};
  for (std::size_t left = 1; in.pos < in.size || (is_last && left > 0);) {
    ZSTD_outBuffer out{output_.data(), output_.size(), 0};
    left = ZSTD_compressStream2(context_.get(), &out, &in, is_last ? ZSTD_e_end : ZSTD_e_continue);
    require_zstd(left);
    sys::write_all(fd_, std::string_view(output_).substr(0, out.pos), "the split of the layer's tar");
  }
  records_.clear();
}

// ---- reading ----

SplitReader::SplitReader(ByteSource compressed)
    : decompressor_(std::move(compressed)), buffer_(64u << 10, '\0') {
  if (take_bytes(magic.size()) != magic) fail_malformed("it does not begin like one");
  if (const unsigned found = take_byte(); found != version)
    throw Unsupported(concat("the split of a tar has version ", found, ", which this knarr does not know"));
}

SplitReader::Kind SplitReader::next() {
  if (at_end_) return Kind::end;
  while (!read_raw().empty()) {
  }
  switch (take_byte()) {
    case raw_tag:
      raw_left_ = take_number();
      if (raw_left_ == 0 || raw_left_ > max_size - total_) fail_malformed("a raw record of no possible size");
      total_ += raw_left_;
      return Kind::raw;
    case content_tag:
      read_content(false);
      return Kind::content;
    case sparse_tag:
      read_content(true);
      return Kind::content;
    case place_tag:
      place_.path = take_path();
      place_.link_target = take_path();
      if (place_.path.empty()) fail_malformed("an empty name");
      return Kind::place;
    case end_tag:
      check_end();
      return Kind::end;
    default:
      fail_malformed("a record of an unknown kind");
  }
}

std::string_view SplitReader::read_raw() {
  if (raw_left_ == 0) return {};
  if (!load()) fail_malformed("it ends too early");
  const std::string_view piece = input_.substr(0, std::min<std::uint64_t>(raw_left_, input_.size()));
  input_.remove_prefix(piece.size());
  raw_left_ -= piece.size();
  return piece;
}

std::string SplitReader::take_path() {
  const std::uint64_t size = take_number();
  if (size > max_path) fail_malformed("a name that is too long");
  std::string path = take_bytes(size);
  if (!path.empty() && !is_canonical(path)) fail_malformed("a name that is not canonical");
  return path;
}

void SplitReader::read_content(bool is_sparse) {
  content_.path = take_path();
  if (content_.path.empty()) fail_malformed("an empty name");
  const std::uint64_t count = is_sparse ? take_number() : 1;
  if (count == 0 || count > max_extents) fail_malformed("a sparse file of no possible count of pieces");
  content_.extents.clear();
  std::uint64_t end = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t gap = is_sparse ? take_number() : 0;
    const std::uint64_t size = take_number();
    if (size == 0 || gap > max_size - end || size > max_size - end - gap)
      fail_malformed("an impossible size");
    content_.extents.push_back({end + gap, size});
    end += gap + size;
    if (size > max_size - total_) fail_malformed("an impossible size");
    total_ += size;
  }
  content_.checksum = take_checksum();
}

void SplitReader::check_end() {
  if (take_number() != total_) fail_malformed("the records do not add up to the size of the tar");
  if (load()) fail_malformed("bytes after its end");
  at_end_ = true;
}

bool SplitReader::load() {
  if (input_.empty())
    input_ = std::string_view(buffer_).substr(0, decompressor_.read(buffer_.data(), buffer_.size()));
  return !input_.empty();
}

unsigned char SplitReader::take_byte() {
  if (!load()) fail_malformed("it ends too early");
  const auto byte = static_cast<unsigned char>(input_[0]);
  input_.remove_prefix(1);
  return byte;
}

std::string SplitReader::take_bytes(std::size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    if (!load()) fail_malformed("it ends too early");
    const std::string_view piece = input_.substr(0, size - bytes.size());
    bytes += piece;
    input_.remove_prefix(piece.size());
  }
  return bytes;
}

std::uint64_t SplitReader::take_number() {
  std::uint64_t number = 0;
  for (int shift = 0; shift < 63; shift += 7) {
    const std::uint64_t byte = take_byte();
    number |= (byte & 0x7f) << shift;
    if (byte < 0x80) return number;
  }
  fail_malformed("a number that is too large");
}

std::uint64_t SplitReader::take_checksum() {
  std::uint64_t checksum = 0;
  for (int shift = 0; shift < 64; shift += 8) checksum |= std::uint64_t{take_byte()} << shift;
  return checksum;
}

}  // namespace knarr::storage
