// SPDX-License-Identifier: Apache-2.0
#include "cli/template/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "cli/quote.h"
#include "cli/units.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"

namespace knarr::cli::templates {

namespace {

// No count of nanoseconds reaches year 1, so the zero time has a mark of its own.
constexpr std::int64_t zero_time_ns = std::numeric_limits<std::int64_t>::min();

// With an exponent for magnitudes below `low` and from `high` on; two digits of exponent at least, as
// to_chars and Go agree.
std::string render_shortest(double value, double low, double high) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  const double magnitude = std::fabs(value);
  const bool exponent = magnitude != 0 && (magnitude < low || magnitude >= high);
  char digits[64];
  const auto [end, error] =
      std::to_chars(digits, digits + sizeof digits, value,
                    exponent ? std::chars_format::scientific : std::chars_format::fixed);
  return error == std::errc() ? std::string(digits, end) : "";
}

std::string render_time(Value::Time time) {
  return time.ns == zero_time_ns ? "0001-01-01 00:00:00 +0000 UTC" : render_go_time(time.ns);
}

std::string render_json_time(Value::Time time) {
  return quote_json(time.ns == zero_time_ns ? "0001-01-01T00:00:00Z"
                                            : engine::render_rfc3339_nano(time.ns, engine::TimeZone::utc));
}

// The members JSON shows; those of a map by key.
std::vector<const Value::Member*> shown_members(const Value& value) {
  std::vector<const Value::Member*> members;
  for (const Value::Member& member : value.members()) {
    if (member.in_json) members.push_back(&member);
  }
  if (value.type() == Value::Type::map) {
    std::sort(members.begin(), members.end(),
              [](const Value::Member* a, const Value::Member* b) { return a->name < b->name; });
  }
  return members;
}

class JsonWriter {
 public:
  explicit JsonWriter(int indent) : indent_(indent) {}

  void write(const Value& value, int depth) {
    switch (value.type()) {
      case Value::Type::list:
        return write_list(value, depth);
      case Value::Type::map:
      case Value::Type::structure:
        return write_object(value, depth);
      default:
        text_ += render_scalar(value);
    }
  }
  std::string take() { return std::move(text_); }

 private:
  static std::string render_scalar(const Value& value) {
    switch (value.type()) {
      case Value::Type::boolean:
        return value.boolean() ? "true" : "false";
      case Value::Type::integer:
        return std::to_string(value.integer());
      case Value::Type::real:
        return std::isfinite(value.real()) ? render_shortest(value.real(), 1e-6, 1e21) : "null";
      case Value::Type::string:
        return quote_json(value.string());
      case Value::Type::time:
        return render_json_time(value.time());
      default:
        return "null";
    }
  }

  void write_list(const Value& value, int depth) {
    if (value.items().empty()) {
      text_ += "[]";
      return;
    }
    char separator = '[';
    for (const Value& item : value.items()) {
      text_ += std::exchange(separator, ',');
      break_line(depth + 1);
      write(item, depth + 1);
    }
    break_line(depth);
    text_ += ']';
  }

  void write_object(const Value& value, int depth) {
    const auto members = shown_members(value);
    if (members.empty()) {
      text_ += "{}";
      return;
    }
    char separator = '{';
    for (const Value::Member* member : members) {
      text_ += std::exchange(separator, ',');
      break_line(depth + 1);
      text_ += quote_json(member->name);
      text_ += indent_ > 0 ? ": " : ":";
      write(member->value, depth + 1);
    }
    break_line(depth);
    text_ += '}';
  }

  void break_line(int depth) {
    if (indent_ == 0) return;
    text_ += '\n';
    text_.append(static_cast<std::size_t>(indent_) * static_cast<std::size_t>(depth), ' ');
  }

  int indent_;
  std::string text_;
};

std::string render_list(const Value& value) {
  std::string text = "[";
  for (const Value& item : value.items()) {
    if (&item != &value.items().front()) text += ' ';
    text += render_plain(item);
  }
  return text + ']';
}

std::string render_object(const Value& value) {
  const bool is_map = value.type() == Value::Type::map;
  std::string text = is_map ? "map[" : "{";
  bool first = true;
  for (const Value::Member* member : shown_members(value)) {
    if (!std::exchange(first, false)) text += ' ';
    if (is_map) text += member->name + ':';
    text += render_plain(member->value);
  }
  return text + (is_map ? ']' : '}');
}

}  // namespace

Value::Value(const std::vector<std::string>& strings)
    : data_(std::make_shared<List>(strings.begin(), strings.end())) {}

Value::Value(const std::map<std::string, std::string>& strings) {
  auto object = std::make_shared<Object>();
  object->string_map = true;
  for (const auto& [key, text] : strings) object->members.push_back({key, Value(text), true});
  data_ = std::move(object);
}

Value Value::zero_time() {
  return Value(Time{zero_time_ns});
}

Value Value::list() {
  Value value;
  value.data_ = std::make_shared<List>();
  return value;
}

Value Value::map() {
  return Value(std::make_shared<Object>());
}

Value Value::structure(std::string type_name) {
  auto object = std::make_shared<Object>();
  object->is_structure = true;
  object->type_name = std::move(type_name);
  return Value(std::move(object));
}

Value& Value::push_back(Value item) {
  std::get<std::shared_ptr<List>>(data_)->push_back(std::move(item));
  return *this;
}

Value& Value::set(std::string_view name, Value value) {
  object().members.push_back({std::string(name), std::move(value), true});
  return *this;
}

Value& Value::set_hidden(std::string_view name, Value value) {
  object().members.push_back({std::string(name), std::move(value), false});
  return *this;
}

Value& Value::set_method(std::string_view name, Method method) {
  object().methods.emplace_back(name, std::move(method));
  return *this;
}

Value& Value::set_fallback(std::function<Value(std::string_view, std::span<const Value>)> fallback) {
  object().fallback = std::move(fallback);
  return *this;
}

Value::Type Value::type() const {
  constexpr Type types[] = {Type::null,   Type::boolean, Type::integer, Type::real,
                            Type::string, Type::time,    Type::list,    Type::map};
  const Type type = types[data_.index()];
  return type == Type::map && object().is_structure ? Type::structure : type;
}

const Value::Object& Value::object() const {
  return *std::get<std::shared_ptr<Object>>(data_);
}

Value::Object& Value::object() {
  return *std::get<std::shared_ptr<Object>>(data_);
}

const Value::List& Value::items() const {
  return *std::get<std::shared_ptr<List>>(data_);
}

const std::vector<Value::Member>& Value::members() const {
  return object().members;
}

const Value* Value::find(std::string_view name) const {
  for (const Member& member : object().members) {
    if (member.name == name) return &member.value;
  }
  return nullptr;
}

const Value::Method* Value::find_method(std::string_view name) const {
  for (const auto& [known, method] : object().methods) {
    if (known == name) return &method;
  }
  return nullptr;
}

std::optional<Value> Value::ask_fallback(std::string_view name, std::span<const Value> arguments) const {
  if (!object().fallback) return std::nullopt;
  return object().fallback(name, arguments);
}

bool Value::is_string_map() const {
  return object().string_map;
}

std::string Value::type_name() const {
  switch (type()) {
    case Type::null:
      return "nil";
    case Type::boolean:
      return "bool";
    case Type::integer:
      return "int";
    case Type::real:
      return "float64";
    case Type::string:
      return "string";
    case Type::time:
      return "time.Time";
    case Type::list:
      return "list";
    case Type::map:
      return "map";
    case Type::structure:
      return object().type_name;
  }
  return "unknown";
}

bool Value::is_true() const {
  switch (type()) {
    case Type::null:
      return false;
    case Type::boolean:
      return boolean();
    case Type::integer:
      return integer() != 0;
    case Type::real:
      return real() != 0;
    case Type::string:
      return !string().empty();
    case Type::list:
      return !items().empty();
    case Type::map:
      return !members().empty();
    case Type::time:
    case Type::structure:
      return true;
  }
  return false;
}

std::string render_real(double value) {
  return render_shortest(value, 1e-4, 1e6);
}

std::string render_plain(const Value& value) {
  switch (value.type()) {
    case Value::Type::null:
      return "<nil>";
    case Value::Type::boolean:
      return value.boolean() ? "true" : "false";
    case Value::Type::integer:
      return std::to_string(value.integer());
    case Value::Type::real:
      return render_real(value.real());
    case Value::Type::string:
      return value.string();
    case Value::Type::time:
      return render_time(value.time());
    case Value::Type::list:
      return render_list(value);
    case Value::Type::map:
    case Value::Type::structure:
      return render_object(value);
  }
  return "";
}

std::string render_json(const Value& value) {
  JsonWriter writer(0);
  writer.write(value, 0);
  return writer.take();
}

std::string render_json_indented(const Value& value, int indent) {
  JsonWriter writer(indent);
  writer.write(value, 0);
  return writer.take();
}

}  // namespace knarr::cli::templates
