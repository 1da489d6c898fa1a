// SPDX-License-Identifier: Apache-2.0
// fmt.Sprint and its kin: https://pkg.go.dev/fmt#hdr-Printing
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/quote.h"
#include "cli/template/functions.h"
#include "cli/text.h"
#include "rootless/sys/error.h"

namespace knarr::cli::templates {

namespace {

using Type = Value::Type;

constexpr int max_width = 10'000;

// What stands between % and the verb.
struct Directive {
  bool minus = false, plus = false, sharp = false, space = false, zero = false;
  int width = -1;
  int precision = -1;
  char32_t verb = 0;
};

std::string fill(std::string text, const Directive& directive) {
  const auto width = static_cast<std::size_t>(std::max(directive.width, 0));
  const std::size_t length = count_characters(text);
  if (length >= width) return text;
  const std::size_t missing = width - length;
  if (directive.minus) return text + std::string(missing, ' ');
  if (!directive.zero) return std::string(missing, ' ') + text;
  const bool has_sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  return text.insert(has_sign ? 1 : 0, missing, '0');
}

std::string with_sign(std::string digits, bool negative, const Directive& directive) {
  if (negative) return '-' + digits;
  if (directive.plus) return '+' + digits;
  return directive.space ? ' ' + digits : digits;
}

std::string digits_of(std::uint64_t number, unsigned base, bool upper) {
  const std::string_view alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string digits;
  do {
    digits += alphabet[number % base];
    number /= base;
  } while (number > 0);
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::string format_integer(std::int64_t number, const Directive& directive, unsigned base) {
  const bool negative = number < 0;
  const auto magnitude =
      negative ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
  std::string digits = digits_of(magnitude, base, directive.verb == 'X');
  if (directive.precision > static_cast<int>(digits.size())) {
    digits.insert(0, static_cast<std::size_t>(directive.precision) - digits.size(), '0');
  }
  if (directive.sharp && base == 16) digits.insert(0, directive.verb == 'X' ? "0X" : "0x");
  if (directive.sharp && base == 8) digits.insert(0, "0");
  return with_sign(std::move(digits), negative, directive);
}

std::string format_real(double number, const Directive& directive) {
  if (directive.verb == 'v' || (directive.verb == 'g' && directive.precision < 0)) {
    return with_sign(render_real(std::fabs(number)), std::signbit(number), directive);
  }
  const char format[] = {'%', '.', '*', static_cast<char>(directive.verb), '\0'};
  char text[400 + max_width];
  std::snprintf(text, sizeof text, format, directive.precision < 0 ? 6 : directive.precision,
                std::fabs(number));
  return with_sign(text, std::signbit(number), directive);
}

std::string cut(const std::string& text, const Directive& directive) {
  if (directive.precision < 0) return text;
  return std::string(first_characters(text, static_cast<std::size_t>(directive.precision)));
}

std::string hex_of(std::string_view text, bool upper) {
  std::string hex;
  for (const char c : text) {
    const std::string digits = digits_of(static_cast<unsigned char>(c), 16, upper);
    hex += digits.size() == 1 ? '0' + digits : digits;
  }
  return hex;
}

// "%!d(string=hi)"
std::string bad_verb(const Value& value, const Directive& directive) {
  std::string text = "%!";
  append_utf8(text, directive.verb);
  if (value.is_null()) return text + "(<nil>)";
  return concat(text, '(', value.type_name(), '=', render_plain(value), ')');
}

std::string format_integer_verb(const Value& value, const Directive& directive) {
  std::string character;
  switch (directive.verb) {
    case 'd':
    case 'v':
      return format_integer(value.integer(), directive, 10);
    case 'x':
    case 'X':
      return format_integer(value.integer(), directive, 16);
    case 'o':
      return format_integer(value.integer(), directive, 8);
    case 'b':
      return format_integer(value.integer(), directive, 2);
    case 'c':
    case 'q':
      append_utf8(character, value.integer() >= 0 && value.integer() <= 0x10FFFF
                                 ? static_cast<char32_t>(value.integer())
                                 : U'\uFFFD');
      return directive.verb == 'c' ? character : concat('\'', character, '\'');
    default:
      return bad_verb(value, directive);
  }
}

std::string format_string_verb(const Value& value, const Directive& directive) {
  const std::string text = value.type() == Type::string ? value.string() : render_plain(value);
  switch (directive.verb) {
    case 's':
    case 'v':
      return cut(text, directive);
    case 'q':
      return quote_go(cut(text, directive));
    case 'x':
    case 'X':
      return hex_of(text, directive.verb == 'X');
    default:
      return bad_verb(value, directive);
  }
}

std::string format_list(const Value& value, const Directive& directive);

std::string format_value(const Value& value, const Directive& directive) {
  if (directive.verb == 'T') return value.type_name();
  switch (value.type()) {
    case Type::null:
      return directive.verb == 'v' ? "<nil>" : bad_verb(value, directive);
    case Type::boolean:
      if (directive.verb != 't' && directive.verb != 'v') return bad_verb(value, directive);
      return value.boolean() ? "true" : "false";
    case Type::integer:
      return format_integer_verb(value, directive);
    case Type::real:
      if (std::u32string_view(U"vgGeEfF").find(directive.verb) == std::u32string_view::npos) {
        return bad_verb(value, directive);
      }
      return format_real(value.real(), directive);
    case Type::string:
    case Type::time:
      return format_string_verb(value, directive);
    case Type::list:
      return format_list(value, directive);
    case Type::map:
    case Type::structure:
      return directive.verb == 'v' || directive.verb == 's' ? render_plain(value)
                                                            : bad_verb(value, directive);
  }
  return "";
}

// fmt gives the verb to every element.
std::string format_list(const Value& value, const Directive& directive) {
  std::string text = "[";
  for (const Value& item : value.items()) {
    if (&item != &value.items().front()) text += ' ';
    text += fill(format_value(item, directive), directive);
  }
  return text + ']';
}

class Formatter {
 public:
  Formatter(std::string_view format, std::span<const Value> arguments)
      : format_(format), arguments_(arguments) {}

  std::string run() {
    while (at_ < format_.size()) {
      const std::size_t percent = std::min(format_.find('%', at_), format_.size());
      text_.append(format_, at_, percent - at_);
      at_ = percent + 1;
      if (percent < format_.size()) append_directive();
    }
    append_extra();
    return std::move(text_);
  }

 private:
  void append_directive() {
    Directive directive = parse_flags();
    directive.width = parse_count();
    if (directive.width < -1) {
      directive.minus = true;
      directive.width = -directive.width;
    }
    if (at_ < format_.size() && format_[at_] == '.') {
      ++at_;
      directive.precision = std::max(parse_count(), 0);
    }
    if (at_ >= format_.size()) {
      text_ += "%!(NOVERB)";
      return;
    }
    directive.verb = decode_utf8(format_, at_);
    at_ += character_bytes(format_, at_);
    append_formatted(directive);
  }

  void append_formatted(const Directive& directive) {
    if (directive.verb == '%') {
      text_ += '%';
    } else if (next_ == arguments_.size()) {
      text_ += "%!";
      append_utf8(text_, directive.verb);
      text_ += "(MISSING)";
    } else {
      const Value& value = arguments_[next_++];
      const std::string formatted = format_value(value, directive);
      text_ += value.type() == Type::list ? formatted : fill(formatted, directive);
    }
  }

  Directive parse_flags() {
    Directive directive;
    for (; at_ < format_.size(); ++at_) {
      switch (format_[at_]) {
        case '-':
          directive.minus = true;
          break;
        case '+':
          directive.plus = true;
          break;
        case '#':
          directive.sharp = true;
          break;
        case ' ':
          directive.space = true;
          break;
        case '0':
          directive.zero = true;
          break;
        default:
          return directive;
      }
    }
    return directive;
  }

  // A number, or '*' for the next argument; -1: neither.
  int parse_count() {
    if (at_ < format_.size() && format_[at_] == '*') {
      ++at_;
      if (next_ == arguments_.size() || arguments_[next_].type() != Type::integer) {
        text_ += "%!(BADWIDTH)";
        return -1;
      }
      return static_cast<int>(std::clamp<std::int64_t>(arguments_[next_++].integer(), -max_width, max_width));
    }
    int count = -1;
    for (; at_ < format_.size() && format_[at_] >= '0' && format_[at_] <= '9'; ++at_) {
      count = std::min(std::max(count, 0) * 10 + (format_[at_] - '0'), max_width);
    }
    return count;
  }

  void append_extra() {
    if (next_ == arguments_.size()) return;
    text_ += "%!(EXTRA ";
    for (std::size_t i = next_; i < arguments_.size(); ++i) {
      if (i > next_) text_ += ", ";
      const Value& value = arguments_[i];
      text_ += value.is_null() ? "<nil>" : concat(value.type_name(), '=', render_plain(value));
    }
    text_ += ')';
  }

  std::string_view format_;
  std::span<const Value> arguments_;
  std::size_t at_ = 0;
  std::size_t next_ = 0;
  std::string text_;
};

}  // namespace

std::string sprint(std::span<const Value> arguments) {
  std::string text;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    // A space between two operands neither of which is a string.
    if (i > 0 && arguments[i].type() != Type::string && arguments[i - 1].type() != Type::string) text += ' ';
    text += render_plain(arguments[i]);
  }
  return text;
}

std::string sprintln(std::span<const Value> arguments) {
  std::string text;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (i > 0) text += ' ';
    text += render_plain(arguments[i]);
  }
  return text + '\n';
}

std::string sprintf(std::string_view format, std::span<const Value> arguments) {
  return Formatter(format, arguments).run();
}

}  // namespace knarr::cli::templates
