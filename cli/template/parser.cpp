// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/template/lexer.h"
#include "cli/template/syntax.h"
#include "rootless/sys/error.h"

namespace knarr::cli::templates {

namespace {

using Kind = Token::Kind;

// Deeper nesting than anybody writes by hand; the parser and the renderer are recursive.
constexpr int max_depth = 200;

std::size_t line_of(std::string_view source, std::size_t offset) {
  return 1 + static_cast<std::size_t>(
                 std::count(source.begin(), source.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

class Parser {
 public:
  Parser(const std::string& name, std::string_view source)
      : name_(name), source_(source), tokens_(tokenize(name, source)) {}

  Block run() {
    Block block = parse_block();
    if (peek().kind != Kind::end) fail(peek(), concat("unexpected {{", keyword(), "}}"));
    return block;
  }

 private:
  // Counts how deep parser and tree are.
  class Level {
   public:
    explicit Level(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > max_depth) parser_.fail(parser_.peek(), "template is nested too deeply");
    }
    ~Level() { --parser_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Parser& parser_;
  };

  [[noreturn]] void fail(const Token& token, std::string_view what) const {
    throw_syntax_error(name_, source_, token.offset, what);
  }
  [[noreturn]] void fail_unexpected(const Token& token, std::string_view context) const {
    fail(token, token.kind == Kind::end ? std::string("unexpected EOF")
                                        : concat("unexpected \"", token.source, "\" in ", context));
  }

  const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(next_ + ahead, tokens_.size() - 1)];
  }
  const Token& take() {
    const Token& token = peek();
    if (next_ + 1 < tokens_.size()) ++next_;
    return token;
  }

  // The keyword an action starts with, "" if it is not one of those that end a block.
  std::string_view keyword() const {
    if (peek().kind != Kind::left_delimiter || peek(1).kind != Kind::identifier) return {};
    return peek(1).source;
  }
  bool ends_block() const { return keyword() == "end" || keyword() == "else"; }

  Block parse_block() {
    const Level level(*this);
    Block block;
    while (peek().kind != Kind::end && !ends_block()) {
      if (peek().kind == Kind::text) {
        Node node;
        node.text = take().source;
        block.nodes.push_back(std::move(node));
      } else {
        parse_action(block);
      }
    }
    return block;
  }

  void parse_action(Block& block) {
    Node node;
    node.offset = peek(1).offset;
    const std::string_view word = keyword();
    take();  // {{
    if (word == "if") {
      parse_control(node, Node::Kind::conditional);
    } else if (word == "range") {
      ++loops_;
      parse_control(node, Node::Kind::range);
      --loops_;
    } else if (word == "with") {
      parse_control(node, Node::Kind::with);
    } else if (word == "break" || word == "continue") {
      if (loops_ == 0) fail(peek(), concat("{{", word, "}} outside {{range}}"));
      take();
      node.kind = word == "break" ? Node::Kind::break_loop : Node::Kind::continue_loop;
      expect_end_of_action(word);
    } else if (word == "define" || word == "template" || word == "block") {
      fail(peek(), concat("{{", word, "}} is not supported"));
    } else {
      node.kind = Node::Kind::action;
      node.pipeline = parse_pipeline(Kind::right_delimiter, "command", false);
    }
    block.nodes.push_back(std::move(node));
  }

  void expect_end_of_action(std::string_view context) {
    if (peek().kind != Kind::right_delimiter) fail_unexpected(peek(), concat("{{", context, "}}"));
    take();
  }

  // Variables of a block end with it.
  void parse_control(Node& node, Node::Kind kind) {
    const std::size_t variables = variables_.size();
    const std::string context(take().source);
    node.kind = kind;
    node.pipeline = parse_pipeline(Kind::right_delimiter, context, kind == Node::Kind::range);
    node.body = parse_block();
    if (peek().kind == Kind::end) fail(peek(), "unexpected EOF");
    take();  // {{
    const bool has_else = take().source == "else";
    if (has_else) {
      parse_else(node, context);
    } else {
      expect_end_of_action("end");
    }
    variables_.resize(variables);
  }

  // {{else}} ... {{end}}, or {{else if ...}} and the like, which need only the one {{end}}.
  void parse_else(Node& node, const std::string& context) {
    const Level level(*this);
    const bool chained = peek().kind == Kind::identifier && peek().source == context && context != "range";
    if (chained) {
      Node inner;
      inner.offset = peek().offset;
      parse_control(inner, node.kind);
      node.otherwise.nodes.push_back(std::move(inner));
      return;
    }
    expect_end_of_action("else");
    node.otherwise = parse_block();
    if (keyword() == "else") fail(peek(), "expected end; found {{else}}");
    if (peek().kind == Kind::end) fail(peek(), "unexpected EOF");
    take();
    take();
    expect_end_of_action("end");
  }

  Pipeline parse_pipeline(Kind end, std::string_view context, bool is_range) {
    const Level level(*this);
    Pipeline pipeline;
    pipeline.offset = peek().offset;
    parse_declarations(pipeline, is_range);
    for (;;) {
      if (peek().kind == end) {
        if (pipeline.commands.empty()) fail(peek(), concat("missing value for ", context));
        take();
        break;
      }
      pipeline.commands.push_back(parse_command(end, context));
      if (peek().kind == Kind::pipe) {
        take();
        if (peek().kind == end) fail(peek(), concat("missing value for ", context));
      }
    }
    check_stages(pipeline);
    // Known only after it: {{$x := $x}} does not know itself.
    if (pipeline.declares)
      variables_.insert(variables_.end(), pipeline.variables.begin(), pipeline.variables.end());
    return pipeline;
  }

  // "$x :=", "$x =", in a range also "$i, $x :="
  void parse_declarations(Pipeline& pipeline, bool is_range) {
    if (peek().kind != Kind::variable) return;
    std::size_t ahead = 1;
    if (peek(1).kind == Kind::comma) {
      if (!is_range) fail(peek(1), "too many declarations in command");
      if (peek(2).kind != Kind::variable) fail(peek(2), "range can only initialize variables");
      ahead = 3;
    }
    const Kind sign = peek(ahead).kind;
    if (sign != Kind::declare && sign != Kind::assign) {
      if (ahead == 3) fail_unexpected(peek(ahead), "range");
      return;
    }
    pipeline.declares = sign == Kind::declare;
    for (std::size_t i = 0; i < ahead; i += 2) {
      const Token& variable = peek(i);
      if (!pipeline.declares) check_variable(variable);
      pipeline.variables.emplace_back(variable.source);
    }
    next_ += ahead + 1;
  }

  void check_variable(const Token& token) const {
    if (token.source == "$") return;
    if (std::find(variables_.begin(), variables_.end(), token.source) != variables_.end()) return;
    fail(token, concat("undefined variable \"", token.source, '"'));
  }

  Command parse_command(Kind end, std::string_view context) {
    Command command;
    while (peek().kind != end && peek().kind != Kind::pipe) {
      if (!command.operands.empty() && !peek().space_before) fail_unexpected(peek(), "operand");
      command.operands.push_back(parse_operand(context));
    }
    if (command.operands.empty()) fail(peek(), concat("missing value for ", context));
    // A call that fails is named with its arguments.
    Operand& first = command.operands.front();
    if (first.kind == Operand::Kind::function) first.text = source_from(first.offset);
    return command;
  }

  Operand parse_operand(std::string_view context) {
    Operand operand;
    const Token& token = take();
    operand.offset = token.offset;
    switch (token.kind) {
      case Kind::dot:
        operand.kind = Operand::Kind::dot;
        break;
      case Kind::field:
        operand.kind = Operand::Kind::field;
        operand.fields.emplace_back(token.source.substr(1));
        break;
      case Kind::variable:
        check_variable(token);
        operand.kind = Operand::Kind::variable;
        operand.name = token.source;
        break;
      case Kind::identifier:
        set_identifier(operand, token);
        break;
      case Kind::literal:
        operand.kind = Operand::Kind::literal;
        operand.value = token.value;
        break;
      case Kind::left_parenthesis:
        operand.kind = Operand::Kind::pipeline;
        operand.pipeline = std::make_unique<Pipeline>(
            parse_pipeline(Kind::right_parenthesis, "parenthesized pipeline", false));
        break;
      default:
        fail_unexpected(token, context);
    }
    parse_fields(operand);
    operand.text = source_from(operand.offset);
    return operand;
  }

  // What was written from there to the last token taken.
  std::string source_from(std::size_t offset) const {
    const Token& last = tokens_[next_ - 1];
    return std::string(source_.substr(offset, last.offset + last.source.size() - offset));
  }

  void set_identifier(Operand& operand, const Token& token) const {
    if (token.source == "nil") {
      operand.kind = Operand::Kind::nil;
      return;
    }
    if (!is_function(token.source)) fail(token, concat("function \"", token.source, "\" not defined"));
    operand.kind = Operand::Kind::function;
    operand.name = token.source;
  }

  // The .B.C right behind a field, a variable or a parenthesis.
  void parse_fields(Operand& operand) {
    while (peek().kind == Kind::field && !peek().space_before) {
      using OperandKind = Operand::Kind;
      const bool chains = operand.kind == OperandKind::field || operand.kind == OperandKind::variable ||
                          operand.kind == OperandKind::pipeline;
      if (!chains) fail(peek(), concat("unexpected . after term \"", tokens_[next_ - 1].source, '"'));
      operand.fields.emplace_back(take().source.substr(1));
    }
  }

  // Only something that takes arguments can follow a |, and nil stands for nothing.
  void check_stages(const Pipeline& pipeline) const {
    for (std::size_t i = 0; i < pipeline.commands.size(); ++i) {
      const Operand& first = pipeline.commands[i].operands.front();
      const bool constant = first.kind == Operand::Kind::literal || first.kind == Operand::Kind::dot ||
                            first.kind == Operand::Kind::nil;
      if (i > 0 && constant) {
        throw_syntax_error(name_, source_, first.offset,
                           concat("non executable command in pipeline stage ", i + 1));
      }
    }
  }

  const std::string& name_;
  std::string_view source_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  int depth_ = 0;
  int loops_ = 0;
  std::vector<std::string> variables_;
};

}  // namespace

void throw_syntax_error(const std::string& name, std::string_view source, std::size_t offset,
                        std::string_view what) {
  throw TemplateError(concat("template: ", name, ':', line_of(source, offset), ": ", what));
}

Block parse_template(const std::string& name, std::string_view source) {
  return Parser(name, source).run();
}

}  // namespace knarr::cli::templates
