// SPDX-License-Identifier: Apache-2.0
#include "cli/template/yaml.h"

#include <algorithm>

#include "cli/quote.h"
#include "cli/text.h"
#include "rootless/sys/error.h"

namespace knarr::cli::templates {

namespace {

using Type = Value::Type;

// Plain only where no reader could take it for anything but a string.
bool is_plain(const std::string& text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || (!is_letter(text[0]) && text[0] != '/')) return false;
  if (text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+,@ ") !=
      std::string::npos) {
    return false;
  }
  if (text.back() == ' ') return false;
  const std::string lower = lower_case(text);
  for (const char* word : {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}) {
    if (lower == word) return false;
  }
  return true;
}

bool is_block(const Value& value) {
  if (value.type() == Type::list) return !value.items().empty();
  if (value.type() != Type::map && value.type() != Type::structure) return false;
  return std::any_of(value.members().begin(), value.members().end(),
                     [](const Value::Member& member) { return member.in_json; });
}

class Writer {
 public:
  void write(const Value& value, std::size_t depth) {
    if (value.type() == Type::list) {
      for (const Value& item : value.items()) write_item(item, depth);
      return;
    }
    std::vector<const Value::Member*> members;
    for (const Value::Member& member : value.members()) {
      if (member.in_json) members.push_back(&member);
    }
    if (value.type() == Type::map) {
      std::sort(members.begin(), members.end(),
                [](const Value::Member* a, const Value::Member* b) { return a->name < b->name; });
    }
    for (const Value::Member* member : members) {
      const std::string name = is_plain(member->name) ? member->name : quote_json(member->name);
      write_entry(concat(std::string(depth, ' '), name, ':'), member->value, depth);
    }
  }
  std::string take() { return std::move(text_); }

 private:
  // The first line of a block stands behind its dash.
  void write_item(const Value& item, std::size_t depth) {
    if (!is_block(item)) return write_entry(std::string(depth, ' ') + '-', item, depth);
    const std::size_t begin = text_.size();
    write(item, depth + 2);
    text_[begin + depth] = '-';
  }

  void write_entry(const std::string& lead, const Value& value, std::size_t depth) {
    text_ += lead;
    if (!is_block(value)) {
      const bool plain = value.type() == Type::string && is_plain(value.string());
      text_ += concat(' ', plain ? value.string() : render_json(value), '\n');
      return;
    }
    text_ += '\n';
    write(value, depth + 2);
  }

  std::string text_;
};

}  // namespace

std::string render_yaml(const Value& value) {
  Writer writer;
  writer.write(value, 0);
  return writer.take();
}

}  // namespace knarr::cli::templates
