// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/tar_writer.h"

#include <cstdio>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/layer/tar_header.h"

namespace knarr::storage {
namespace {

constexpr std::size_t max_name = 100, max_prefix = 155;
constexpr std::uint64_t max_octal7 = 07777777, max_octal11 = 077777777777;

std::string_view zeros(std::size_t size) {
  static const std::string block(2 * tar_block_size, '\0');
  return std::string_view(block).substr(0, size);
}

std::uint64_t padding_after(std::uint64_t size) {
  return (tar_block_size - size % tar_block_size) % tar_block_size;
}

// ---- one header block ----

struct Fields {
  std::string_view name, prefix, link;
  char type = '0';
  std::uint32_t mode = 0;
  std::uint64_t uid = 0, gid = 0, size = 0, mtime = 0, major = 0, minor = 0;
};

void put_text(std::string& block, std::size_t offset, std::string_view text) {
  block.replace(offset, text.size(), text);
}

void put_octal(std::string& block, std::size_t offset, int digits, std::uint64_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(number));
  put_text(block, offset, text);
}

std::string render_block(const Fields& fields) {
  std::string block(tar_block_size, '\0');
  put_text(block, 0, fields.name.substr(0, max_name));
  put_octal(block, 100, 7, fields.mode);
  put_octal(block, 108, 7, fields.uid);
  put_octal(block, 116, 7, fields.gid);
  put_octal(block, 124, 11, fields.size);
  put_octal(block, 136, 11, fields.mtime);
  block[156] = fields.type;
  put_text(block, 157, fields.link.substr(0, max_name));
  put_text(block, 257,
           std::string_view("ustar\0"
                            "00",
                            8));
  put_octal(block, 329, 7, fields.major);
  put_octal(block, 337, 7, fields.minor);
  put_text(block, 345, fields.prefix);
  put_text(block, 148, "        ");
  unsigned sum = 0;
  for (const char byte : block) sum += static_cast<unsigned char>(byte);
  put_octal(block, 148, 6, sum);
  block[154] = '\0';
  return block;
}

// ---- what does not fit ----

std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;  // space, '=', line break
  std::size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length) length = std::to_string(length).size() + rest;
  return concat(length, ' ', key, '=', value, '\n');
}

std::string render_time(const std::timespec& time) {
  std::int64_t seconds = time.tv_sec;
  long nanoseconds = time.tv_nsec;
  const bool is_negative = seconds < 0;
  if (is_negative && nanoseconds > 0) {  // -5 s and 3/4 are -4.25
    ++seconds;
    nanoseconds = 1'000'000'000 - nanoseconds;
  }
  char fraction[32] = "";
  if (nanoseconds > 0) std::snprintf(fraction, sizeof fraction, ".%09ld", nanoseconds);
  std::string_view digits = fraction;
  digits = digits.substr(0, digits.find_last_not_of('0') + 1);
  return concat(is_negative ? "-" : "", is_negative ? -seconds : seconds, digits);
}

// Splits a name at a slash into prefix and name. False when no slash will do.
bool split_name(std::string_view path, Fields& fields) {
  if (path.size() <= max_name) {
    fields.name = path;
    return true;
  }
  if (path.size() > max_prefix + 1 + max_name) return false;
  const std::size_t slash = path.find('/', path.size() - max_name - 1);
  if (slash == std::string_view::npos || slash == 0 || slash > max_prefix || slash + 1 == path.size())
    return false;
  fields.prefix = path.substr(0, slash);
  fields.name = path.substr(slash + 1);
  return true;
}

char type_flag(TarType type) {
  switch (type) {
    case TarType::hard_link:
      return '1';
    case TarType::symlink:
      return '2';
    case TarType::character_device:
      return '3';
    case TarType::block_device:
      return '4';
    case TarType::directory:
      return '5';
    case TarType::fifo:
      return '6';
    case TarType::file:
      break;
  }
  return '0';
}

void require_text(std::string_view what, std::string_view text) {
  if (text.find('\0') != std::string_view::npos)
    throw InvalidArgument(concat(what, " ", quote_name(text), " holds a NUL"));
}

// A field that holds `number` when it fits; else a record does.
std::uint64_t fit(std::uint64_t number, std::uint64_t limit, const char* key, std::string& pax) {
  if (number <= limit) return number;
  pax += pax_record(key, std::to_string(number));
  return 0;
}

// Fills the fields of the entry and says what only records can hold.
std::string plan_header(const TarEntry& entry, const std::string& path, Fields& fields) {
  std::string pax;
  if (!split_name(path, fields)) {
    pax += pax_record("path", path);
    fields.name = path;
  }
  fields.link = entry.link;
  if (entry.link.size() > max_name) pax += pax_record("linkpath", entry.link);
  fields.type = type_flag(entry.type);
  fields.mode = entry.mode & 07777;
  fields.size = fit(entry.type == TarType::file ? entry.size : 0, max_octal11, "size", pax);
  fields.uid = fit(entry.uid, max_octal7, "uid", pax);
  fields.gid = fit(entry.gid, max_octal7, "gid", pax);
  const bool is_plain = entry.mtime.tv_nsec == 0 && entry.mtime.tv_sec >= 0 &&
                        static_cast<std::uint64_t>(entry.mtime.tv_sec) <= max_octal11;
  if (!is_plain) pax += pax_record("mtime", render_time(entry.mtime));
  const bool has_field =
      entry.mtime.tv_sec >= 0 && static_cast<std::uint64_t>(entry.mtime.tv_sec) <= max_octal11;
  fields.mtime = has_field ? static_cast<std::uint64_t>(entry.mtime.tv_sec) : 0;
  if (entry.type == TarType::character_device || entry.type == TarType::block_device) {
    fields.major = entry.device_major;
    fields.minor = entry.device_minor;
    if (fields.major > max_octal7 || fields.minor > max_octal7)
      throw InvalidArgument("its device number does not fit into a tar");
  }
  for (const TarXattr& xattr : entry.xattrs) {
    require_text("attribute", xattr.name);
    if (xattr.name.find('=') != std::string::npos)
      throw InvalidArgument(concat("attribute ", quote_name(xattr.name), " cannot be named in a tar"));
    pax += pax_record(concat("SCHILY.xattr.", xattr.name), xattr.value);
  }
  return pax;
}

}  // namespace

void TarWriter::add(const TarEntry& entry) {
  end_entry();
  with_context(concat("tar entry ", quote_name(entry.path)), [&] {
    if (entry.path.empty()) throw InvalidArgument("it has no name");
    require_text("name", entry.path);
    require_text("link target", entry.link);
    std::string path = entry.path;
    if (entry.type == TarType::directory && !path.ends_with('/')) path += '/';
    Fields fields;
    const std::string pax = plan_header(entry, path, fields);
    if (!pax.empty()) {
      const std::string name = concat("PaxHeaders/", path.substr(0, max_name - 11));
      sink_(render_block(
          {.name = name, .prefix = {}, .link = {}, .type = 'x', .mode = 0644, .size = pax.size()}));
      sink_(pax);
      sink_(zeros(padding_after(pax.size())));
    }
    sink_(render_block(fields));
  });
  content_left_ = entry.type == TarType::file ? entry.size : 0;
  padding_ = padding_after(content_left_);
}

void TarWriter::write(std::string_view content) {
  if (content.size() > content_left_) throw InvalidArgument("more content than the tar entry has room for");
  content_left_ -= content.size();
  if (!content.empty()) sink_(content);
}

void TarWriter::add_file(TarEntry entry, std::string_view content) {
  entry.type = TarType::file;
  entry.size = content.size();
  add(entry);
  write(content);
}

void TarWriter::end_entry() {
  if (content_left_ > 0)
    throw InvalidArgument(concat("the content of a tar entry ends ", content_left_, " bytes early"));
  if (padding_ > 0) sink_(zeros(padding_));
  padding_ = 0;
}

void TarWriter::finish() {
  end_entry();
  sink_(zeros(2 * tar_block_size));
}

ByteSink sink_to(int fd, std::string what) {
  return [fd, what = std::move(what)](std::string_view bytes) { sys::write_all(fd, bytes, what); };
}

}  // namespace knarr::storage
