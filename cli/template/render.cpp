// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/template/functions.h"
#include "cli/template/syntax.h"
#include "cli/template/template.h"
#include "rootless/sys/error.h"

namespace knarr::cli::templates {

namespace {

using Type = Value::Type;

// {{range 1000000000}} is a mistake, and memory is finite.
constexpr std::int64_t max_count = 1'000'000;

enum class Flow { next, break_loop, continue_loop };

struct Variable {
  std::string name;
  Value value;
};

class Renderer {
 public:
  Renderer(const std::string& name, std::string_view source, const Value& data)
      : name_(name), source_(source), variables_{{"$", data}} {}

  std::string run(const Block& block, const Value& data) {
    render_block(block, data);
    return std::move(text_);
  }

 private:
  // Go's words: template: ps:1:3: executing "ps" at <.Foo>: can't evaluate field Foo in type Container
  [[noreturn]] void fail(std::size_t offset, std::string_view at, std::string_view what) const {
    const std::string_view before = source_.substr(0, offset);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t newline = before.rfind('\n');
    const std::size_t column = newline == std::string_view::npos ? offset : offset - newline - 1;
    throw TemplateError(concat("template: ", name_, ':', line, ':', column, ": executing \"", name_,
                               "\" at <", at, ">: ", what));
  }
  [[noreturn]] void fail(const Operand& operand, std::string_view what) const {
    fail(operand.offset, operand.text, what);
  }

  Flow render_block(const Block& block, const Value& dot) {
    for (const Node& node : block.nodes) {
      const Flow flow = render_node(node, dot);
      if (flow != Flow::next) return flow;
    }
    return Flow::next;
  }

  Flow render_node(const Node& node, const Value& dot) {
    switch (node.kind) {
      case Node::Kind::text:
        text_ += node.text;
        return Flow::next;
      case Node::Kind::action:
        render_action(node, dot);
        return Flow::next;
      case Node::Kind::conditional:
        return render_conditional(node, dot);
      case Node::Kind::with:
        return render_with(node, dot);
      case Node::Kind::range:
        return render_range(node, dot);
      case Node::Kind::break_loop:
        return Flow::break_loop;
      case Node::Kind::continue_loop:
        return Flow::continue_loop;
    }
    return Flow::next;
  }

  void render_action(const Node& node, const Value& dot) {
    const Value value = evaluate(node.pipeline, dot);
    store(node.pipeline, value);
    if (!node.pipeline.variables.empty()) return;
    text_ += value.is_null() ? "<no value>" : render_plain(value);
  }

  Flow render_conditional(const Node& node, const Value& dot) {
    const Scope scope(*this);
    const Value value = evaluate(node.pipeline, dot);
    store(node.pipeline, value);
    return render_block(value.is_true() ? node.body : node.otherwise, dot);
  }

  Flow render_with(const Node& node, const Value& dot) {
    const Scope scope(*this);
    const Value value = evaluate(node.pipeline, dot);
    store(node.pipeline, value);
    return value.is_true() ? render_block(node.body, value) : render_block(node.otherwise, dot);
  }

  Flow render_range(const Node& node, const Value& dot) {
    const Scope scope(*this);
    const Value value = evaluate(node.pipeline, dot);
    bool any = false;
    const auto once = [&](const Value& key, const Value& item) {
      any = true;
      const Scope inner(*this);
      store_range(node.pipeline, key, item);
      return render_block(node.body, item) != Flow::break_loop;
    };
    visit_items(node, value, once);
    return any ? Flow::next : render_block(node.otherwise, dot);
  }

  // Calls once(key, item) until it returns false.
  template <typename Once>
  void visit_items(const Node& node, const Value& value, const Once& once) {
    switch (value.type()) {
      case Type::list:
        for (std::size_t i = 0; i < value.items().size(); ++i) {
          if (!once(Value(i), value.items()[i])) return;
        }
        return;
      case Type::map:
        for (const Value::Member* member : sorted_members(value)) {
          if (!once(Value(member->name), member->value)) return;
        }
        return;
      case Type::integer:
        if (value.integer() > max_count)
          fail(node.offset, "range", concat("more than ", max_count, " rounds"));
        for (std::int64_t i = 0; i < value.integer(); ++i) {
          if (!once(Value(i), Value(i))) return;
        }
        return;
      case Type::null:
        return;
      default:
        fail(node.offset, "range", concat("range can't iterate over ", render_plain(value)));
    }
  }

  static std::vector<const Value::Member*> sorted_members(const Value& map) {
    std::vector<const Value::Member*> members;
    for (const Value::Member& member : map.members()) members.push_back(&member);
    std::sort(members.begin(), members.end(),
              [](const Value::Member* a, const Value::Member* b) { return a->name < b->name; });
    return members;
  }

  // --- variables ---

  // Variables declared inside a block end with it.
  class Scope {
   public:
    explicit Scope(Renderer& renderer) : renderer_(renderer), count_(renderer.variables_.size()) {}
    ~Scope() { renderer_.variables_.resize(count_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Renderer& renderer_;
    std::size_t count_;
  };

  Variable& find_variable(std::string_view name) {
    const auto found = std::find_if(variables_.rbegin(), variables_.rend(),
                                    [&](const Variable& variable) { return variable.name == name; });
    // The parser has checked that it is declared, in the branches it saw.
    if (found == variables_.rend()) throw TemplateError(concat("undefined variable: ", name));
    return *found;
  }

  void set_variable(bool declares, const std::string& name, const Value& value) {
    if (declares) {
      variables_.push_back({name, value});
    } else {
      find_variable(name).value = value;
    }
  }

  void store(const Pipeline& pipeline, const Value& value) {
    for (const std::string& name : pipeline.variables) set_variable(pipeline.declares, name, value);
  }

  // One variable is the item; two are key and item.
  void store_range(const Pipeline& pipeline, const Value& key, const Value& item) {
    if (pipeline.variables.size() == 2) set_variable(pipeline.declares, pipeline.variables[0], key);
    if (!pipeline.variables.empty()) set_variable(pipeline.declares, pipeline.variables.back(), item);
  }

  // --- values ---

  Value evaluate(const Pipeline& pipeline, const Value& dot) {
    std::optional<Value> value;
    for (const Command& command : pipeline.commands)
      value = evaluate(command, dot, value ? &*value : nullptr);
    return value ? std::move(*value) : Value();
  }

  // `last` is what the stage before gave; it becomes the last argument.
  Value evaluate(const Command& command, const Value& dot, const Value* last) {
    const Operand& first = command.operands.front();
    const std::span<const Operand> rest = std::span(command.operands).subspan(1);
    switch (first.kind) {
      case Operand::Kind::function:
        return call(first, rest, dot, last);
      case Operand::Kind::field:
        return evaluate_fields(first, dot, rest, dot, last);
      case Operand::Kind::variable:
        return evaluate_fields(first, find_variable(first.name).value, rest, dot, last);
      case Operand::Kind::pipeline:
        return evaluate_fields(first, evaluate(*first.pipeline, dot), rest, dot, last);
      case Operand::Kind::nil:
        fail(first, "nil is not a command");
      default:
        if (!rest.empty() || last != nullptr)
          fail(first, concat("can't give argument to non-function ", first.text));
        return evaluate_argument(first, dot);
    }
  }

  Value evaluate_argument(const Operand& operand, const Value& dot) {
    switch (operand.kind) {
      case Operand::Kind::dot:
        return dot;
      case Operand::Kind::nil:
        return {};
      case Operand::Kind::literal:
        return operand.value;
      case Operand::Kind::field:
        return evaluate_fields(operand, dot, {}, dot, nullptr);
      case Operand::Kind::variable:
        return evaluate_fields(operand, find_variable(operand.name).value, {}, dot, nullptr);
      case Operand::Kind::pipeline:
        return evaluate_fields(operand, evaluate(*operand.pipeline, dot), {}, dot, nullptr);
      case Operand::Kind::function:
        return call(operand, {}, dot, nullptr);
    }
    return {};
  }

  std::vector<Value> evaluate_arguments(std::span<const Operand> operands, const Value& dot,
                                        const Value* last) {
    std::vector<Value> arguments;
    arguments.reserve(operands.size() + 1);
    for (const Operand& operand : operands) arguments.push_back(evaluate_argument(operand, dot));
    if (last != nullptr) arguments.push_back(*last);
    return arguments;
  }

  Value call(const Operand& function, std::span<const Operand> operands, const Value& dot,
             const Value* last) {
    if (function.name == "and" || function.name == "or") return decide(function, operands, dot, last);
    const std::vector<Value> arguments = evaluate_arguments(operands, dot, last);
    try {
      return call_function(function.name, arguments);
    } catch (const TemplateError& error) {
      fail(function, concat("error calling ", function.name, ": ", error.message()));
    }
  }

  // and, or: the first argument that decides; the ones after it are not evaluated.
  Value decide(const Operand& function, std::span<const Operand> operands, const Value& dot,
               const Value* last) {
    if (operands.empty() && last == nullptr) {
      fail(function, concat("wrong number of args for ", function.name, ": want at least 1 got 0"));
    }
    const bool deciding = function.name == "or";
    Value value;
    for (const Operand& operand : operands) {
      value = evaluate_argument(operand, dot);
      if (value.is_true() == deciding) return value;
    }
    return last != nullptr ? *last : value;
  }

  // Walks .A.B.C; only the last may be a method with arguments.
  Value evaluate_fields(const Operand& operand, Value receiver, std::span<const Operand> operands,
                        const Value& dot, const Value* last) {
    if (operand.fields.empty()) {
      if (!operands.empty() || last != nullptr) {
        fail(operand, concat("can't give argument to non-function ", operand.text));
      }
      return receiver;
    }
    const std::vector<Value> arguments = evaluate_arguments(operands, dot, last);
    for (std::size_t i = 0; i < operand.fields.size(); ++i) {
      const bool is_last = i + 1 == operand.fields.size();
      receiver = evaluate_field(operand, receiver, operand.fields[i],
                                is_last ? arguments : std::span<const Value>{});
    }
    return receiver;
  }

  Value evaluate_field(const Operand& operand, const Value& receiver, const std::string& field,
                       std::span<const Value> arguments) {
    switch (receiver.type()) {
      case Type::null:
        return {};
      case Type::time:
        return evaluate_time(operand, receiver, field);
      case Type::map:
      case Type::structure:
        return evaluate_member(operand, receiver, field, arguments);
      default:
        fail(operand, concat("can't evaluate field ", field, " in type ", receiver.type_name()));
    }
  }

  Value evaluate_member(const Operand& operand, const Value& receiver, const std::string& field,
                        std::span<const Value> arguments) {
    if (const Value::Method* method = receiver.find_method(field)) {
      try {
        return (*method)(arguments);
      } catch (const TemplateError& error) {
        fail(operand, concat("error calling ", field, ": ", error.message()));
      }
    }
    if (const Value* member = receiver.find(field)) {
      if (arguments.empty()) return *member;
      fail(operand, concat(field, " is not a method but has arguments"));
    }
    if (auto value = receiver.ask_fallback(field, arguments)) return *value;
    if (receiver.type() == Type::map && arguments.empty()) return {};
    fail(operand, concat("can't evaluate field ", field, " in type ", receiver.type_name()));
  }

  Value evaluate_time(const Operand& operand, const Value& time, const std::string& field) const {
    if (field == "Unix") return time.time().ns / 1'000'000'000;
    if (field == "UnixNano") return time.time().ns;
    if (field == "String") return render_plain(time);
    fail(operand, concat("can't evaluate field ", field, " in type ", time.type_name()));
  }

  const std::string& name_;
  std::string_view source_;
  std::string text_;
  std::vector<Variable> variables_;
};

}  // namespace

Template Template::parse(std::string name, std::string_view text) {
  auto block = std::make_shared<Block>(parse_template(name, text));
  return Template(std::move(name), std::string(text), std::move(block));
}

bool Template::ranges_over_all() const {
  if (block_->nodes.empty() || block_->nodes.front().kind != Node::Kind::range) return false;
  const std::vector<Command>& commands = block_->nodes.front().pipeline.commands;
  return commands.size() == 1 && commands.front().operands.front().kind == Operand::Kind::dot;
}

std::string Template::render(const Value& data) const {
  return Renderer(name_, text_, data).run(*block_, data);
}

}  // namespace knarr::cli::templates
