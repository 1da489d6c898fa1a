// SPDX-License-Identifier: Apache-2.0
#include "cli/template/lexer.h"

#include <charconv>

#include "cli/flags.h"
#include "cli/template/syntax.h"
#include "cli/text.h"
#include "rootless/sys/error.h"

namespace knarr::cli::templates {

namespace {

constexpr std::string_view blanks = " \t\r\n";

bool is_blank(char c) {
  return blanks.find(c) != std::string_view::npos;
}

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         byte >= 0x80;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

class Lexer {
 public:
  Lexer(const std::string& name, std::string_view source) : name_(name), source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      lex_text();
      if (at_ < source_.size()) lex_action();
    }
    push(Token::Kind::end, at_);
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(std::size_t offset, std::string_view what) const {
    throw_syntax_error(name_, source_, offset, what);
  }

  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }
  bool starts_with(std::string_view text) const { return source_.substr(at_).starts_with(text); }

  Token& push(Token::Kind kind, std::size_t begin, bool space_before = false) {
    Token token;
    token.kind = kind;
    token.offset = begin;
    token.source = source_.substr(begin, at_ - begin);
    token.space_before = space_before;
    return tokens_.emplace_back(std::move(token));
  }

  void lex_text() {
    const std::size_t begin = at_;
    at_ = std::min(source_.find("{{", at_), source_.size());
    std::string_view text = source_.substr(begin, at_ - begin);
    if (trim_left_) text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    if (starts_with("{{-") && is_blank(peek(3))) text = text.substr(0, text.find_last_not_of(blanks) + 1);
    trim_left_ = false;
    if (text.empty()) return;
    push(Token::Kind::text, begin).source = text;
  }

  void lex_action() {
    const std::size_t begin = at_;
    at_ += 2;
    if (peek() == '-' && is_blank(peek(1))) ++at_;
    std::size_t comment = source_.find_first_not_of(blanks, at_);
    if (comment != std::string_view::npos && source_.substr(comment).starts_with("/*")) {
      return lex_comment(begin, comment);
    }
    push(Token::Kind::left_delimiter, begin);
    while (!lex_right_delimiter()) lex_inside();
  }

  // A comment must be alone in its action.
  void lex_comment(std::size_t begin, std::size_t comment) {
    const std::size_t end = source_.find("*/", comment + 2);
    if (end == std::string_view::npos) fail(begin, "unclosed comment");
    at_ = end + 2;
    const std::size_t next = std::min(source_.find_first_not_of(blanks, at_), source_.size());
    if (next > at_ && source_.substr(next).starts_with("-}}")) {
      at_ = next + 3;
      trim_left_ = true;
    } else if (starts_with("}}")) {
      at_ += 2;
    } else {
      fail(begin, "comment ends before closing delimiter");
    }
  }

  bool lex_right_delimiter() {
    const std::size_t begin = at_;
    const std::size_t next = std::min(source_.find_first_not_of(blanks, at_), source_.size());
    const std::string_view rest = source_.substr(next);
    if (next > at_ && rest.starts_with("-}}")) {
      at_ = next + 3;
      trim_left_ = true;
    } else if (rest.starts_with("}}")) {
      at_ = next + 2;
    } else {
      return false;
    }
    push(Token::Kind::right_delimiter, begin);
    return true;
  }

  void lex_inside() {
    const std::size_t blank = at_;
    at_ = std::min(source_.find_first_not_of(blanks, at_), source_.size());
    const bool space = at_ > blank;
    if (at_ == source_.size()) fail(blank, "unclosed action");
    const char c = peek();
    if (c == '.' && !is_digit(peek(1))) return lex_field(space);
    if (c == '$') return lex_word(Token::Kind::variable, space);
    if (c == '"') return lex_string(space);
    if (c == '`') return lex_raw_string(space);
    if (c == '\'') return lex_character(space);
    if (is_digit(c) || c == '.' || c == '+' || c == '-') return lex_number(space);
    if (is_word(c)) return lex_identifier(space);
    lex_sign(space);
  }

  void lex_sign(bool space) {
    struct Sign {
      std::string_view text;
      Token::Kind kind;
    };
    constexpr Sign signs[] = {{":=", Token::Kind::declare},
                              {"=", Token::Kind::assign},
                              {"|", Token::Kind::pipe},
                              {",", Token::Kind::comma},
                              {"(", Token::Kind::left_parenthesis},
                              {")", Token::Kind::right_parenthesis}};
    for (const Sign& sign : signs) {
      if (!starts_with(sign.text)) continue;
      const std::size_t begin = at_;
      at_ += sign.text.size();
      push(sign.kind, begin, space);
      return;
    }
    fail(at_, concat("unexpected ", quoted_character(), " in command"));
  }

  std::string quoted_character() const {
    return concat('"', source_.substr(at_, character_bytes(source_, at_)), '"');
  }

  // After a word must come something that ends it.
  void require_end_of_word() const {
    if (at_ == source_.size() || is_blank(peek()) ||
        std::string_view(".,|:()=").find(peek()) != std::string_view::npos || starts_with("}}")) {
      return;
    }
    fail(at_, concat("unexpected ", quoted_character(), " behind a word"));
  }

  void skip_word() {
    while (at_ < source_.size() && is_word(peek())) ++at_;
  }

  void lex_field(bool space) {
    const std::size_t begin = at_++;
    skip_word();
    const bool is_dot = at_ == begin + 1;
    if (!is_dot) require_end_of_word();
    push(is_dot ? Token::Kind::dot : Token::Kind::field, begin, space);
  }

  void lex_word(Token::Kind kind, bool space) {
    const std::size_t begin = at_++;
    skip_word();
    require_end_of_word();
    push(kind, begin, space);
  }

  void lex_identifier(bool space) {
    lex_word(Token::Kind::identifier, space);
    Token& token = tokens_.back();
    if (token.source != "true" && token.source != "false") return;
    token.kind = Token::Kind::literal;
    token.value = token.source == "true";
  }

  void push_literal(std::size_t begin, bool space, Value value) {
    push(Token::Kind::literal, begin, space).value = std::move(value);
  }

  void lex_raw_string(bool space) {
    const std::size_t begin = at_;
    const std::size_t end = source_.find('`', begin + 1);
    if (end == std::string_view::npos) fail(begin, "unterminated raw quoted string");
    at_ = end + 1;
    push_literal(begin, space, std::string(source_.substr(begin + 1, end - begin - 1)));
  }

  void lex_string(bool space) {
    const std::size_t begin = at_++;
    std::string text;
    while (peek() != '"') {
      if (at_ >= source_.size() || peek() == '\n') fail(begin, "unterminated quoted string");
      lex_string_character(text, '"');
    }
    ++at_;
    push_literal(begin, space, std::move(text));
  }

  void lex_character(bool space) {
    const std::size_t begin = at_++;
    std::string text;
    if (at_ < source_.size() && peek() != '\'') lex_string_character(text, '\'');
    if (peek() != '\'' || text.empty()) fail(begin, "unterminated character constant");
    ++at_;
    push_literal(begin, space, static_cast<std::int64_t>(decode_utf8(text, 0)));
  }

  // One character of a quoted text, escapes undone (the Go spec's "Rune literals").
  void lex_string_character(std::string& text, char quote) {
    if (peek() != '\\') {
      const std::size_t bytes = character_bytes(source_, at_);
      text.append(source_, at_, bytes);
      at_ += bytes;
      return;
    }
    ++at_;
    constexpr std::string_view letters = "abfnrtv\\";
    constexpr std::string_view meanings = "\a\b\f\n\r\t\v\\";
    const char c = peek();
    if (const std::size_t known = letters.find(c); c != '\0' && known != std::string_view::npos) {
      text += meanings[known];
      ++at_;
    } else if (c == quote) {
      text += quote;
      ++at_;
    } else if (c == 'x') {
      text += static_cast<char>(lex_code(1, 2, 16));
    } else if (c == 'u') {
      append_utf8(text, lex_code(1, 4, 16));
    } else if (c == 'U') {
      append_utf8(text, lex_code(1, 8, 16));
    } else if (c >= '0' && c <= '7') {
      text += static_cast<char>(lex_code(0, 3, 8));
    } else {
      fail(at_, "unknown escape sequence");
    }
  }

  char32_t lex_code(std::size_t skip, std::size_t width, int base) {
    at_ += skip;
    const std::string_view digits = source_.substr(at_, width);
    std::uint32_t code = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, base);
    const bool complete = digits.size() == width && error == std::errc() && end == digits.data() + width;
    const bool surrogate = width > 2 && base == 16 && code >= 0xD800 && code <= 0xDFFF;
    if (!complete || surrogate || code > 0x10FFFF || (base == 8 && code > 255))
      fail(at_, "bad escape sequence");
    at_ += width;
    return code;
  }

  void lex_number(bool space) {
    const std::size_t begin = at_;
    if (peek() == '+' || peek() == '-') ++at_;
    while (is_word(peek()) || peek() == '.' || is_exponent_sign()) ++at_;
    const std::string_view digits = source_.substr(begin, at_ - begin);
    if (const auto integer = parse_integer(digits)) return push_literal(begin, space, *integer);
    const std::string_view unsigned_digits = digits.substr(digits.starts_with('+') ? 1 : 0);
    double real = 0;
    const auto [end, error] =
        std::from_chars(unsigned_digits.data(), unsigned_digits.data() + unsigned_digits.size(), real);
    const bool numeric = unsigned_digits.find_first_of("0123456789") != std::string_view::npos;
    if (error != std::errc() || end != unsigned_digits.data() + unsigned_digits.size() || !numeric) {
      fail(begin, concat("bad number syntax: \"", digits, '"'));
    }
    push_literal(begin, space, real);
  }

  bool is_exponent_sign() const {
    if ((peek() != '+' && peek() != '-') || at_ == 0) return false;
    return source_[at_ - 1] == 'e' || source_[at_ - 1] == 'E';
  }

  const std::string& name_;
  std::string_view source_;
  std::size_t at_ = 0;
  bool trim_left_ = false;  // the last action ended in -}}
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(const std::string& name, std::string_view source) {
  return Lexer(name, source).run();
}

}  // namespace knarr::cli::templates
