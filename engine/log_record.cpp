// SPDX-License-Identifier: Apache-2.0
#include "engine/log_record.h"

#include <charconv>

#include "engine/time_format.h"

namespace knarr::engine {

namespace {

std::optional<Stream> parse_stream(std::string_view name) {
  if (name == stream_name(Stream::output)) return Stream::output;
  if (name == stream_name(Stream::error)) return Stream::error;
  return std::nullopt;
}

std::string_view take_word(std::string_view& line) {
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return word;
}

std::optional<LogEntry> parse_k8s_record(std::string_view line) {
  const auto time = parse_rfc3339(take_word(line));
  const auto stream = parse_stream(take_word(line));
  // More tags may follow the first after a ':' (the CRI's logging format).
  const std::string_view tags = take_word(line);
  if (!time || !stream || tags.empty() || (tags[0] != 'F' && tags[0] != 'P')) return std::nullopt;
  return LogEntry{.time_ns = *time, .stream = *stream, .text = line, .partial = tags[0] == 'P'};
}

// As much of JSON as a flat record of strings needs; the values of other keys are stepped over.
class JsonRecordReader {
 public:
  explicit JsonRecordReader(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }

  bool accept(char wanted) {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t')) rest_.remove_prefix(1);
    if (rest_.empty() || rest_[0] != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) ok_ = false;
  }

  // A string's value, appended to `out`.
  void read_string(std::string& out) {
    expect('"');
    while (ok_) {
      const std::size_t plain = rest_.find_first_of("\"\\");
      if (plain == std::string_view::npos) return fail();
      out += rest_.substr(0, plain);
      const bool at_end = rest_[plain] == '"';
      rest_.remove_prefix(plain + 1);
      if (at_end) return;
      read_escape(out);
    }
  }

  void skip_value() {
    std::string ignored;
    int depth = 0;
    do {
      if (rest_.empty()) return fail();
      const char next = rest_[0];
      if (next == '"') {
        read_string(ignored);
        continue;
      }
      if (depth == 0 && (next == ',' || next == '}')) return;
      depth += next == '{' || next == '[' ? 1 : next == '}' || next == ']' ? -1 : 0;
      rest_.remove_prefix(1);
    } while (ok_ && (depth > 0 || (!rest_.empty() && rest_[0] != ',' && rest_[0] != '}')));
  }

 private:
  void fail() { ok_ = false; }

  void read_escape(std::string& out) {
    if (rest_.empty()) return fail();
    const char kind = rest_[0];
    rest_.remove_prefix(1);
    constexpr std::string_view letters = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
    const std::size_t at = letters.find(kind);
    if (at != std::string_view::npos) {
      out += values[at];
    } else if (kind == 'u') {
      append_utf8(out, read_code_point());
    } else {
      fail();
    }
  }

  // After "\u". Two surrogates are one character; a lone one becomes U+FFFD.
  unsigned read_code_point() {
    const unsigned first = read_hex();
    if (first < 0xd800 || first > 0xdfff) return first;
    if (first > 0xdbff || !rest_.starts_with("\\u")) return 0xfffd;
    rest_.remove_prefix(2);
    const unsigned second = read_hex();
    if (second < 0xdc00 || second > 0xdfff) return 0xfffd;
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
  }

  unsigned read_hex() {
    unsigned value = 0;
    if (rest_.size() < 4) {
      fail();
      return 0;
    }
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + 4, value, 16);
    if (error != std::errc{} || end != rest_.data() + 4) fail();
    rest_.remove_prefix(4);
    return value;
  }

  static void append_utf8(std::string& out, unsigned code) {
    const auto put = [&](unsigned byte) { out += static_cast<char>(byte); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xc0 | code >> 6);
      put(0x80 | (code & 0x3f));
    } else {
      if (code < 0x10000) {
        put(0xe0 | code >> 12);
      } else {
        put(0xf0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3f));
      }
      put(0x80 | (code >> 6 & 0x3f));
      put(0x80 | (code & 0x3f));
    }
  }

  std::string_view rest_;
  bool ok_ = true;
};

std::optional<LogEntry> parse_json_record(std::string_view line, std::string& text) {
  JsonRecordReader in(line);
  std::string key, stream, time;
  text.clear();
  in.expect('{');
  do {
    key.clear();
    in.read_string(key);
    in.expect(':');
    if (key == "log") {
      in.read_string(text);
    } else if (key == "stream") {
      in.read_string(stream);
    } else if (key == "time") {
      in.read_string(time);
    } else {
      in.skip_value();
    }
  } while (in.ok() && in.accept(','));
  in.expect('}');
  const auto when = parse_rfc3339(time);
  const auto from = parse_stream(stream);
  if (!in.ok() || !when || !from) return std::nullopt;
  LogEntry entry{.time_ns = *when, .stream = *from, .text = text, .partial = !text.ends_with('\n')};
  if (!entry.partial) entry.text.remove_suffix(1);
  return entry;
}

}  // namespace

std::optional<LogEntry> parse_log_record(std::string_view line, std::string& scratch) {
  return line.starts_with('{') ? parse_json_record(line, scratch) : parse_k8s_record(line);
}

}  // namespace knarr::engine
