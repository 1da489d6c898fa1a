// SPDX-License-Identifier: Apache-2.0
#include "cli/template/functions.h"

#include <algorithm>
#include <compare>

#include "cli/template/syntax.h"
#include "cli/text.h"
#include "rootless/sys/error.h"

namespace knarr::cli::templates {

namespace {

using Arguments = std::span<const Value>;
using Type = Value::Type;

// A page of blanks is a mistake, and memory is finite.
constexpr std::int64_t max_padding = 10'000;

const std::string& text_argument(Arguments arguments, std::size_t index) {
  const Value& value = arguments[index];
  if (value.type() == Type::string) return value.string();
  throw TemplateError(concat("wrong type for value; expected string; got ", value.type_name()));
}

std::int64_t integer_argument(Arguments arguments, std::size_t index) {
  const Value& value = arguments[index];
  if (value.type() == Type::integer) return value.integer();
  throw TemplateError(concat("wrong type for value; expected int; got ", value.type_name()));
}

// --- comparisons ---

bool is_basic(const Value& value) {
  return value.type() != Type::list && value.type() != Type::map && value.type() != Type::structure;
}

bool are_equal(const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) return a.is_null() && b.is_null();
  if (!is_basic(a) || !is_basic(b)) {
    throw TemplateError(concat("non-comparable type: ", is_basic(a) ? b.type_name() : a.type_name()));
  }
  if (a.type() != b.type()) throw TemplateError("incompatible types for comparison");
  switch (a.type()) {
    case Type::boolean:
      return a.boolean() == b.boolean();
    case Type::integer:
      return a.integer() == b.integer();
    case Type::real:
      return a.real() == b.real();
    case Type::time:
      return a.time() == b.time();
    default:
      return a.string() == b.string();
  }
}

Value equal_any(Arguments arguments) {
  for (const Value& other : arguments.subspan(1)) {
    if (are_equal(arguments[0], other)) return true;
  }
  return false;
}

std::partial_ordering order(Arguments arguments) {
  const Value& a = arguments[0];
  const Value& b = arguments[1];
  if (a.type() != b.type()) throw TemplateError("incompatible types for comparison");
  switch (a.type()) {
    case Type::integer:
      return a.integer() <=> b.integer();
    case Type::real:
      return a.real() <=> b.real();
    case Type::string:
      return a.string() <=> b.string();
    default:
      throw TemplateError(concat("invalid type for comparison: ", a.type_name()));
  }
}

Value not_equal(Arguments arguments) {
  return !are_equal(arguments[0], arguments[1]);
}
Value less(Arguments arguments) {
  return order(arguments) < 0;
}
Value less_or_equal(Arguments arguments) {
  return order(arguments) <= 0;
}
Value greater(Arguments arguments) {
  return order(arguments) > 0;
}
Value greater_or_equal(Arguments arguments) {
  return order(arguments) >= 0;
}
Value negate(Arguments arguments) {
  return !arguments[0].is_true();
}

// --- lists, maps, strings ---

Value length(Arguments arguments) {
  const Value& value = arguments[0];
  switch (value.type()) {
    case Type::string:
      return value.string().size();
    case Type::list:
      return value.items().size();
    case Type::map:
      return value.members().size();
    default:
      throw TemplateError(concat("len of type ", value.type_name()));
  }
}

std::size_t checked_index(const Value& index, std::size_t size) {
  if (index.type() != Type::integer) {
    throw TemplateError(concat("cannot index slice/array with type ", index.type_name()));
  }
  if (index.integer() < 0 || static_cast<std::uint64_t>(index.integer()) >= size) {
    throw TemplateError(concat("index out of range: ", index.integer()));
  }
  return static_cast<std::size_t>(index.integer());
}

Value index_once(const Value& value, const Value& index) {
  switch (value.type()) {
    case Type::list:
      return value.items()[checked_index(index, value.items().size())];
    case Type::string:
      return static_cast<std::int64_t>(
          static_cast<unsigned char>(value.string()[checked_index(index, value.string().size())]));
    case Type::map: {
      if (index.type() != Type::string) {
        throw TemplateError(concat("value has type ", index.type_name(), "; should be string"));
      }
      if (const Value* found = value.find(index.string())) return *found;
      return value.is_string_map() ? Value("") : Value();
    }
    case Type::null:
      throw TemplateError("index of untyped nil");
    default:
      throw TemplateError(concat("can't index item of type ", value.type_name()));
  }
}

Value index_path(Arguments arguments) {
  Value value = arguments[0];
  for (const Value& index : arguments.subspan(1)) value = index_once(value, index);
  return value;
}

Value slice(Arguments arguments) {
  const Value& value = arguments[0];
  if (value.type() != Type::list && value.type() != Type::string) {
    throw TemplateError(concat("can't slice item of type ", value.type_name()));
  }
  const std::size_t size = value.type() == Type::list ? value.items().size() : value.string().size();
  const auto bound = [&](std::size_t which, std::size_t otherwise) {
    return arguments.size() > which ? checked_index(arguments[which], size + 1) : otherwise;
  };
  const std::size_t begin = bound(1, 0);
  const std::size_t end = bound(2, size);
  if (arguments.size() > 3 && value.type() == Type::string)
    throw TemplateError("cannot 3-index slice a string");
  if (begin > end) throw TemplateError(concat("invalid slice index: ", begin, " > ", end));
  if (value.type() == Type::string) return value.string().substr(begin, end - begin);
  Value part = Value::list();
  for (std::size_t i = begin; i < end; ++i) part.push_back(value.items()[i]);
  return part;
}

Value split_text(Arguments arguments) {
  const std::string& text = text_argument(arguments, 0);
  const std::string& separator = text_argument(arguments, 1);
  if (!separator.empty()) return split(text, separator);
  Value characters = Value::list();  // as strings.Split does
  for (std::size_t i = 0; i < text.size(); i += character_bytes(text, i)) {
    characters.push_back(text.substr(i, character_bytes(text, i)));
  }
  return characters;
}

Value join_items(Arguments arguments) {
  if (arguments[0].type() != Type::list) {
    throw TemplateError(concat("wrong type for value; expected list; got ", arguments[0].type_name()));
  }
  std::vector<std::string> parts;
  for (const Value& item : arguments[0].items()) parts.push_back(render_plain(item));
  return join(parts, text_argument(arguments, 1));
}

Value lower(Arguments arguments) {
  return lower_case(text_argument(arguments, 0));
}
Value upper(Arguments arguments) {
  return upper_case(text_argument(arguments, 0));
}

// strings.Title for ASCII: the first letter of every word.
Value title(Arguments arguments) {
  std::string text = text_argument(arguments, 0);
  bool inside_word = false;
  for (char& c : text) {
    const bool is_lower = c >= 'a' && c <= 'z';
    const bool of_word =
        is_lower || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
    if (is_lower && !inside_word) c = static_cast<char>(c - 32);
    inside_word = of_word;
  }
  return text;
}

Value pad(Arguments arguments) {
  const std::string& text = text_argument(arguments, 0);
  const std::int64_t before = integer_argument(arguments, 1);
  const std::int64_t after = integer_argument(arguments, 2);
  if (before < 0 || after < 0 || before > max_padding || after > max_padding) {
    throw TemplateError(concat("padding must be 0 to ", max_padding));
  }
  if (text.empty()) return text;
  return std::string(static_cast<std::size_t>(before), ' ') + text +
         std::string(static_cast<std::size_t>(after), ' ');
}

Value truncate(Arguments arguments) {
  const std::string& text = text_argument(arguments, 0);
  const std::int64_t count = integer_argument(arguments, 1);
  if (count < 0) throw TemplateError(concat("cannot truncate to ", count, " characters"));
  return first_characters(text, static_cast<std::size_t>(count));
}

Value json(Arguments arguments) {
  return render_json(arguments[0]);
}

// --- escaping and printing ---

Value html(Arguments arguments) {
  std::string escaped;
  for (const char c : sprint(arguments)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&#34;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

Value url_query(Arguments arguments) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : sprint(arguments)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-_.~").find(c) != std::string_view::npos;
    if (plain) {
      escaped += c;
    } else if (c == ' ') {
      escaped += '+';
    } else {
      escaped += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return escaped;
}

Value print(Arguments arguments) {
  return sprint(arguments);
}
Value println(Arguments arguments) {
  return sprintln(arguments);
}
Value printf(Arguments arguments) {
  return sprintf(text_argument(arguments, 0), arguments.subspan(1));
}

struct Function {
  std::string_view name;
  std::size_t min_arguments, max_arguments;
  Value (*call)(Arguments);
};
constexpr std::size_t any = 1'000;
constexpr Function functions[] = {
    {"eq", 2, any, equal_any},
    {"ge", 2, 2, greater_or_equal},
    {"gt", 2, 2, greater},
    {"html", 1, any, html},
    {"index", 1, any, index_path},
    {"join", 2, 2, join_items},
    {"json", 1, 1, json},
    {"le", 2, 2, less_or_equal},
    {"len", 1, 1, length},
    {"lower", 1, 1, lower},
    {"lt", 2, 2, less},
    {"ne", 2, 2, not_equal},
    {"not", 1, 1, negate},
    {"pad", 3, 3, pad},
    {"print", 0, any, print},
    {"printf", 1, any, printf},
    {"println", 0, any, println},
    {"slice", 1, 4, slice},
    {"split", 2, 2, split_text},
    {"title", 1, 1, title},
    {"truncate", 2, 2, truncate},
    {"upper", 1, 1, upper},
    {"urlquery", 1, any, url_query},
};

const Function* find_function(std::string_view name) {
  const auto* const found = std::find_if(std::begin(functions), std::end(functions),
                                         [&](const Function& f) { return f.name == name; });
  return found == std::end(functions) ? nullptr : found;
}

}  // namespace

bool is_function(std::string_view name) {
  return name == "and" || name == "or" || find_function(name) != nullptr;
}

Value call_function(std::string_view name, Arguments arguments) {
  const Function* function = find_function(name);
  if (function == nullptr) throw TemplateError(concat("\"", name, "\" is not a defined function"));
  if (arguments.size() < function->min_arguments || arguments.size() > function->max_arguments) {
    const bool at_least = function->max_arguments == any;
    throw TemplateError(concat("wrong number of args for ", name, ": want ", at_least ? "at least " : "",
                               function->min_arguments, " got ", arguments.size()));
  }
  return function->call(arguments);
}

}  // namespace knarr::cli::templates
