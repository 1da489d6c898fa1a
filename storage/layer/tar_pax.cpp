// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/tar_pax.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "rootless/sys/error.h"
#include "storage/layer/tar_header.h"

namespace knarr::storage {
namespace {

constexpr std::string_view xattr_prefix = "SCHILY.xattr.";

struct Record {
  std::string_view key;
  std::string_view value;
};

[[noreturn]] void refuse(const Record& record) {
  throw InvalidArgument(concat("PAX record ", quote_name(record.key), " has the malformed value ",
                               quote_name(record.value.substr(0, 80))));
}

// "<length> <key>=<value>\n"; the length counts itself.
Record take_record(std::string_view& text) {
  const std::size_t space = text.substr(0, 20).find(' ');
  const std::optional<std::uint64_t> length =
      space == std::string_view::npos ? std::nullopt : parse_decimal(text.substr(0, space));
  if (!length || *length < space + 3 || *length > text.size() || text[*length - 1] != '\n') {
    throw InvalidArgument("malformed PAX header");
  }
  const std::string_view record = text.substr(space + 1, *length - space - 2);
  text.remove_prefix(*length);
  const std::size_t equals = record.find('=');
  if (equals == std::string_view::npos || equals == 0) throw InvalidArgument("malformed PAX header");
  return {record.substr(0, equals), record.substr(equals + 1)};
}

std::string parse_name(const Record& record) {
  // A NUL would cut the name short in the kernel, after our checks have seen all of it.
  if (record.value.find('\0') != std::string_view::npos) refuse(record);
  return std::string(record.value);
}

std::uint64_t parse_unsigned(const Record& record) {
  const std::optional<std::uint64_t> number = parse_decimal(record.value);
  if (!number) refuse(record);
  return *number;
}

// "[-]seconds[.fraction]"
std::timespec parse_time(const Record& record) {
  std::string_view text = record.value;
  const bool negative = text.substr(0, 1) == "-";
  if (negative) text.remove_prefix(1);
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::optional<std::uint64_t> seconds = parse_decimal(text.substr(0, point));
  const std::string_view fraction = text.substr(std::min(point + 1, text.size()));
  if (!seconds || fraction.find_first_not_of("0123456789") != std::string_view::npos) refuse(record);
  long nanoseconds = 0;
  for (std::size_t i = 0; i < 9; ++i)
    nanoseconds = nanoseconds * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  std::timespec time{static_cast<std::time_t>(*seconds), nanoseconds};
  if (negative) {
    time.tv_sec = -time.tv_sec;
    if (nanoseconds > 0) time = {time.tv_sec - 1, 1'000'000'000 - nanoseconds};
  }
  return time;
}

class Parser {
 public:
  explicit Parser(std::size_t max_extents) : max_extents_(max_extents) {}

  void apply(const Record& record) {
    if (record.key.substr(0, 11) == "GNU.sparse.") return apply_sparse(record);
    if (record.key.substr(0, xattr_prefix.size()) == xattr_prefix) return apply_xattr(record);
    // An empty value takes the record back: the field of the header counts again.
    const bool keep = !record.value.empty();
    if (record.key == "path") set(records_.path, keep, [&] { return parse_name(record); });
    if (record.key == "linkpath") set(records_.link, keep, [&] { return parse_name(record); });
    if (record.key == "size") set(records_.size, keep, [&] { return parse_unsigned(record); });
    if (record.key == "uid") set(records_.uid, keep, [&] { return parse_unsigned(record); });
    if (record.key == "gid") set(records_.gid, keep, [&] { return parse_unsigned(record); });
    if (record.key == "mtime") set(records_.mtime, keep, [&] { return parse_time(record); });
  }

  PaxRecords finish() {
    if (pending_offset_) throw InvalidArgument("GNU.sparse.offset without GNU.sparse.numbytes");
    return std::move(records_);
  }

 private:
  template <typename T, typename Parse>
  static void set(std::optional<T>& field, bool keep, Parse&& parse) {
    if (keep) {
      field = parse();
    } else {
      field.reset();
    }
  }

  void apply_xattr(const Record& record) {
    const Record attribute{record.key.substr(xattr_prefix.size()), record.value};
    std::string name = parse_name({record.key, attribute.key});
    const auto same = [&name](const TarXattr& xattr) { return xattr.name == name; };
    const auto old = std::find_if(records_.xattrs.begin(), records_.xattrs.end(), same);
    if (old != records_.xattrs.end()) {
      old->value = record.value;
    } else {
      records_.xattrs.push_back({std::move(name), std::string(record.value)});
    }
  }

  void apply_sparse(const Record& record) {
    const std::string_view key = record.key.substr(11);
    if (key == "name") records_.sparse_name = parse_name(record);
    if (key == "size" || key == "realsize") records_.sparse_size = parse_unsigned(record);
    if (key == "major") records_.sparse_major = parse_unsigned(record);
    if (key == "map") apply_sparse_map(record);
    if (key == "numblocks") records_.has_sparse_map = true;  // 0.0 announces a map that may be empty
    if (key == "offset") {
      if (pending_offset_) refuse(record);
      pending_offset_ = parse_unsigned(record);
    }
    if (key == "numbytes") {
      if (!pending_offset_) refuse(record);
      add_extent({*pending_offset_, parse_unsigned(record)});
      pending_offset_.reset();
    }
  }

  // "offset,size,offset,size,..."
  void apply_sparse_map(const Record& record) {
    records_.has_sparse_map = true;
    records_.extents.clear();
    std::string_view rest = record.value;
    const auto take_number = [&] {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      const std::optional<std::uint64_t> number = parse_decimal(rest.substr(0, comma));
      if (!number) refuse(record);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      return *number;
    };
    while (!rest.empty()) {
      const std::uint64_t offset = take_number();
      add_extent({offset, take_number()});
    }
  }

  void add_extent(TarExtent extent) {
    records_.has_sparse_map = true;
    if (records_.extents.size() >= max_extents_) {
      throw InvalidArgument(concat("a sparse file of more than ", max_extents_, " pieces"));
    }
    records_.extents.push_back(extent);
  }

  std::size_t max_extents_;
  PaxRecords records_;
  std::optional<std::uint64_t> pending_offset_;
};

}  // namespace

PaxRecords parse_pax(std::string_view text, std::size_t max_extents) {
  Parser parser(max_extents);
  while (!text.empty()) parser.apply(take_record(text));
  return parser.finish();
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || number > std::numeric_limits<std::int64_t>::max())
    return std::nullopt;
  return number;
}

}  // namespace knarr::storage
