// SPDX-License-Identifier: Apache-2.0
// What `--format` and `inspect` show: one description of an object serves Go templates and JSON.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace knarr::cli::templates {

// A copy shares lists and objects with its original: change a value only while you build it.
class Value {
 public:
  enum class Type : std::uint8_t { null, boolean, integer, real, string, time, list, map, structure };

  struct Time {
    std::int64_t ns;  // since the epoch
    bool operator==(const Time&) const = default;
  };
  using List = std::vector<Value>;
  using Method = std::function<Value(std::span<const Value>)>;
  struct Member;

  Value() = default;
  Value(bool boolean) : data_(boolean) {}
  Value(int integer) : data_(std::int64_t{integer}) {}
  Value(unsigned integer) : data_(std::int64_t{integer}) {}
  Value(std::int64_t integer) : data_(integer) {}
  Value(std::uint64_t integer) : data_(static_cast<std::int64_t>(integer)) {}
  Value(double real) : data_(real) {}
  Value(std::string text) : data_(std::move(text)) {}
  Value(std::string_view text) : data_(std::string(text)) {}
  Value(const char* text) : data_(std::string(text)) {}
  Value(const std::vector<std::string>& strings);
  Value(const std::map<std::string, std::string>& strings);

  // Prints as Go prints a time.Time; RFC 3339 in JSON.
  static Value time(std::int64_t ns) { return Value(Time{ns}); }
  static Value zero_time();  // 0001-01-01T00:00:00Z
  static Value list();
  // A key that is missing is <no value>.
  static Value map();
  // A field that is missing is an error, which names the type.
  static Value structure(std::string type_name);

  // Builders; they return the value for chaining.
  Value& push_back(Value item);
  Value& set(std::string_view name, Value value);
  // For templates only: JSON does not show it.
  Value& set_hidden(std::string_view name, Value value);
  // {{.Label "k"}}; for templates only.
  Value& set_method(std::string_view name, Method method);
  // Answers for every name a structure does not have, with the arguments the template gives.
  Value& set_fallback(std::function<Value(std::string_view, std::span<const Value>)> fallback);

  Type type() const;
  bool is_null() const { return type() == Type::null; }
  bool boolean() const { return std::get<bool>(data_); }
  std::int64_t integer() const { return std::get<std::int64_t>(data_); }
  double real() const { return std::get<double>(data_); }
  const std::string& string() const { return std::get<std::string>(data_); }
  Time time() const { return std::get<Time>(data_); }
  const List& items() const;
  const std::vector<Member>& members() const;  // of a map or structure, in the order they were set
  const Value* find(std::string_view name) const;
  const Method* find_method(std::string_view name) const;
  // nullopt when there is no fallback.
  std::optional<Value> ask_fallback(std::string_view name, std::span<const Value> arguments) const;
  // A map whose values are all strings: index of a missing key is "".
  bool is_string_map() const;
  std::string type_name() const;  // for errors: "string", "Container"

  bool is_true() const;  // as Go's `if` sees it

 private:
  struct Object;
  explicit Value(Time time) : data_(time) {}
  explicit Value(std::shared_ptr<Object> object) : data_(std::move(object)) {}
  const Object& object() const;
  Object& object();

  std::variant<std::monostate, bool, std::int64_t, double, std::string, Time, std::shared_ptr<List>,
               std::shared_ptr<Object>>
      data_;
};

struct Value::Member {
  std::string name;
  Value value;
  bool in_json = true;
};

struct Value::Object {
  bool is_structure = false;
  bool string_map = false;
  std::string type_name;
  std::vector<Member> members;
  std::vector<std::pair<std::string, Method>> methods;
  std::function<Value(std::string_view, std::span<const Value>)> fallback;
};

// As fmt's %v prints it: [a b], map[k:v], {a b}, <nil>.
std::string render_plain(const Value& value);
// One line, keys of maps sorted, members of structures in their order.
std::string render_json(const Value& value);
// Over several lines, each level indented by `indent` spaces.
std::string render_json_indented(const Value& value, int indent);

// A number as %v prints it: the shortest digits that read back the same.
std::string render_real(double value);

}  // namespace knarr::cli::templates
