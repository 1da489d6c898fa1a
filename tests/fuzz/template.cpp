// SPDX-License-Identifier: Apache-2.0
// `--format` with any text: it is rendered or refused by a TemplateError, and a template that was rendered
// once is rendered again to the same text.
#include "cli/template/template.h"

#include <cstdint>
#include <string_view>

#include "cli/template/report.h"
#include "tests/fuzz/check.h"

using namespace knarr::cli::templates;

namespace {

Value sample() {
  Value labels(std::map<std::string, std::string>{{"k", "v"}, {"a", ""}});
  Value inner = Value::structure("State");
  inner.set("Status", "running").set("Pid", 42).set("At", Value::time(1'500'000'000));
  Value value = Value::structure("Container");
  value.set("Names", std::vector<std::string>{"web", "\xff\xc3(", "é"})
      .set("Labels", labels)
      .set("State", inner)
      .set("Ratio", 1.5e300)
      .set("Count", -7)
      .set("None", Value())
      .set("Any", Value::map().set("x", 1).set("l", Value::list().push_back(inner)))
      .set_hidden("ID", "0123456789abcdef");
  value.set_method("Label", [labels](std::span<const Value> arguments) -> Value {
    if (arguments.size() != 1 || arguments[0].type() != Value::Type::string)
      throw TemplateError("Label takes a name");
    const Value* found = labels.find(arguments[0].string());
    return found != nullptr ? *found : Value("");
  });
  return value;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Value value = sample();
  try {
    const Template parsed = Template::parse("fuzz", text);
    FUZZ_CHECK(parsed.render(value) == parsed.render(value));
  } catch (const TemplateError&) {
  }
  try {
    render_report({.name = "fuzz"}, text, {value, value});
  } catch (const TemplateError&) {
  }
  return 0;
}
