// SPDX-License-Identifier: Apache-2.0
#include "storage/foreign/storage_conf.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::storage {
namespace {

// ---- TOML (v1.0), as far as strings go ----

// A value: the strings in it. Numbers, booleans and dates are left out.
using Strings = std::vector<std::string>;
using OnValue = std::function<void(const std::string& path, const Strings& values)>;

void append_utf8(std::string& text, std::uint32_t code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr std::array<std::uint32_t, 4> marks = {0, 0xC0, 0xE0, 0xF0};
  text += static_cast<char>(marks[static_cast<std::size_t>(more)] | (code >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) text += static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F));
}

class TomlWalker {
 public:
  TomlWalker(std::string_view text, std::string file, OnValue on_value)
      : text_(text), file_(std::move(file)), on_value_(std::move(on_value)) {}

  void walk() {
    for (skip_blank_lines(); at_ < text_.size(); skip_blank_lines()) {
      if (peek() == '[') {
        table_ = read_table_name();
      } else {
        read_assignment(table_);
      }
      end_line();
    }
  }

 private:
  static constexpr int max_depth = 32;

  [[noreturn]] void fail(std::string_view what) const {
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
    throw InvalidArgument(concat(file_, ':', line, ": ", what));
  }

  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void expect(char c) {
    if (peek() != c) fail(concat("expected '", c, '\''));
    ++at_;
  }

  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  void skip_comment() {
    if (peek() == '#') at_ = std::min(text_.find('\n', at_), text_.size());
  }
  void skip_blank_lines() {
    for (;;) {
      skip_blanks();
      skip_comment();
      if (peek() != '\n' && peek() != '\r') return;
      ++at_;
    }
  }
  void end_line() {
    skip_blanks();
    skip_comment();
    if (at_ < text_.size() && peek() != '\n' && peek() != '\r') fail("unexpected text after the value");
  }

  // "[storage.options]". Elements of an array of tables get a name that no key of ours has.
  std::string read_table_name() {
    const bool is_array = take("[[");
    if (!is_array) expect('[');
    std::string name = read_key();
    expect(']');
    if (is_array) expect(']');
    return is_array ? name + "[]" : name;
  }

  static bool is_bare(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  }

  std::string read_key() {
    std::string key;
    for (;;) {
      skip_blanks();
      key += read_simple_key();
      skip_blanks();
      if (!take(".")) return key;
      key += '.';
    }
  }

  std::string read_simple_key() {
    if (peek() == '"' || peek() == '\'') return read_string();
    const std::size_t start = at_;
    while (is_bare(peek())) ++at_;
    if (at_ == start) fail("expected a key");
    return std::string(text_.substr(start, at_ - start));
  }

  void read_assignment(const std::string& table) {
    const std::string key = read_key();
    expect('=');
    skip_blanks();
    const std::string path = table.empty() ? key : concat(table, '.', key);
    Strings values;
    read_value(path, values);
    on_value_(path, values);
  }

  void read_value(const std::string& path, Strings& values) {
    if (++depth_ > max_depth) fail("values are nested too deeply");
    if (peek() == '"' || peek() == '\'') {
      values.push_back(read_string());
    } else if (peek() == '[') {
      read_array(path, values);
    } else if (peek() == '{') {
      read_inline_table(path);
    } else {
      read_other();
    }
    --depth_;
  }

  void read_array(const std::string& path, Strings& values) {
    expect('[');
    for (;;) {
      skip_blank_lines();
      if (take("]")) return;
      read_value(path + "[]", values);
      skip_blank_lines();
      if (take("]")) return;
      expect(',');
    }
  }

  void read_inline_table(const std::string& path) {
    expect('{');
    skip_blanks();
    while (!take("}")) {
      read_assignment(path);
      skip_blanks();
      if (peek() != '}') expect(',');
      skip_blanks();
    }
  }

  void read_other() {
    const std::size_t start = at_;
    at_ = std::min(text_.find_first_of(",]}#\r\n", at_), text_.size());
    if (text_.substr(start, at_ - start).find_first_not_of(" \t") == std::string_view::npos)
      fail("expected a value");
  }

  std::string read_string() {
    for (const std::string_view quote : {"\"\"\"", "'''", "\"", "'"}) {
      if (!take(quote)) continue;
      if (quote.size() == 3 && !take("\r\n")) take("\n");
      return read_string_until(quote);
    }
    fail("expected a string");
  }

  std::string read_string_until(std::string_view quote) {
    std::string value;
    while (!text_.substr(at_).starts_with(quote)) {
      if (at_ >= text_.size() || (quote.size() == 1 && peek() == '\n')) fail("a string is not closed");
      if (quote[0] == '"' && peek() == '\\') {
        read_escape(value);
      } else {
        value += text_[at_++];
      }
    }
    at_ += quote.size();
    // Up to two quotation marks may stand before the closing three.
    while (quote.size() == 3 && take(quote.substr(0, 1))) value += quote[0];
    return value;
  }

  void read_escape(std::string& value) {
    ++at_;
    constexpr std::string_view letters = "btnfr\"\\e", meanings = "\b\t\n\f\r\"\\\x1b";
    const char c = peek();
    if (const std::size_t found = letters.find(c); c != '\0' && found != std::string_view::npos) {
      value += meanings[found];
      ++at_;
    } else if (c == 'u' || c == 'U') {
      ++at_;
      append_utf8(value, read_code_point(c == 'u' ? 4 : 8));
    } else if (c == '\n' || c == '\r' || c == ' ' || c == '\t') {
      while (peek() == '\n' || peek() == '\r' || peek() == ' ' || peek() == '\t') ++at_;
    } else {
      fail("unknown escape in a string");
    }
  }

  std::uint32_t read_code_point(int digits) {
    constexpr std::string_view hex = "0123456789abcdef";
    std::uint32_t code = 0;
    for (int i = 0; i < digits; ++i) {
      const std::size_t digit = hex.find(static_cast<char>(peek() | (peek() >= 'A' ? 0x20 : 0)));
      if (peek() == '\0' || digit == std::string_view::npos) fail("expected a hexadecimal digit");
      code = code * 16 + static_cast<std::uint32_t>(digit);
      ++at_;
    }
    if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) fail("no such character");
    return code;
  }

  std::string_view text_;
  std::string file_;
  OnValue on_value_;
  std::size_t at_ = 0;
  std::string table_;
  int depth_ = 0;
};

// ---- the places ----

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string config_home(const rootless::HostFacts& host) {
  const std::string home = variable("XDG_CONFIG_HOME");
  return home.empty() ? host.home + "/.config" : home;
}

std::string data_home(const rootless::HostFacts& host) {
  const std::string home = variable("XDG_DATA_HOME");
  return home.empty() ? host.home + "/.local/share" : home;
}

// $HOME, $UID, ${USER} and the like, as the Go programs expand them.
std::string expand_variables(const std::string& text, const rootless::HostFacts& host) {
  std::string expanded;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '$') {
      expanded += text[i++];
      continue;
    }
    const bool braces = i + 1 < text.size() && text[i + 1] == '{';
    const std::size_t start = i + (braces ? 2 : 1);
    std::size_t end = start;
    while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_'))
      ++end;
    const std::string name = text.substr(start, end - start);
    expanded += name == "UID"    ? std::to_string(host.uid)
                : name == "HOME" ? host.home
                                 : variable(name.c_str());
    i = end + (braces && end < text.size() ? 1 : 0);
  }
  return expanded;
}

struct ConfFile {
  std::string path;
  bool is_users = false;
};

std::vector<ConfFile> conf_files(const rootless::HostFacts& host) {
  std::vector<ConfFile> files;
  if (std::string chosen = variable("CONTAINERS_STORAGE_CONF"); !chosen.empty())
    files.push_back({std::move(chosen), true});
  if (!host.rootful) files.push_back({config_home(host) + "/containers/storage.conf", true});
  files.push_back({"/etc/containers/storage.conf"});
  files.push_back({"/usr/share/containers/storage.conf"});
  return files;
}

// An ordinary user's store is not where the system's file puts that of root.
std::string choose_root(const StorageConf& conf, bool is_users, const rootless::HostFacts& host) {
  if (!conf.image_store.empty() && (is_users || host.rootful)) return conf.image_store;
  if (!conf.graph_root.empty() && (is_users || host.rootful)) return conf.graph_root;
  if (host.rootful) return "/var/lib/containers/storage";
  if (!conf.rootless_storage_path.empty()) return conf.rootless_storage_path;
  return data_home(host) + "/containers/storage";
}

ForeignPlaces places_of(const StorageConf& conf, bool is_users, const rootless::HostFacts& host) {
  ForeignPlaces places;
  places.root = expand_variables(choose_root(conf, is_users, host), host);
  for (const std::string& store : conf.additional_image_stores)
    places.additional_stores.push_back(expand_variables(store, host));
  return places;
}

}  // namespace

StorageConf parse_storage_conf(std::string_view toml, const std::string& file) {
  StorageConf conf;
  const auto first = [](const Strings& values) { return values.empty() ? std::string() : values.front(); };
  TomlWalker(toml, file, [&](const std::string& path, const Strings& values) {
    if (path == "storage.graphroot") conf.graph_root = first(values);
    if (path == "storage.rootless_storage_path") conf.rootless_storage_path = first(values);
    if (path == "storage.imagestore") conf.image_store = first(values);
    if (path == "storage.options.additionalimagestores") conf.additional_image_stores = values;
  }).walk();
  for (const std::string& store : conf.additional_image_stores) {
    if (!store.starts_with('/') && !store.starts_with('$'))
      throw InvalidArgument(concat(file, ": additionalimagestores: \"", store, "\" is not an absolute path"));
  }
  return conf;
}

ForeignPlaces find_foreign_places(const rootless::HostFacts& host) {
  for (const ConfFile& file : conf_files(host)) {
    const auto toml = sys::read_file_if_exists(AT_FDCWD, file.path, 1u << 20);
    if (toml) return places_of(parse_storage_conf(*toml, file.path), file.is_users, host);
  }
  return places_of({}, false, host);
}

}  // namespace knarr::storage
