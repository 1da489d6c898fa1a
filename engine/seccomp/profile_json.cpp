// SPDX-License-Identifier: Apache-2.0
#include "engine/seccomp/profile_json.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "engine/seccomp/rules.h"
#include "rootless/capability.h"
#include "rootless/sys/error.h"
#include "storage/meta/json_reader.h"

namespace knarr::engine::seccomp {

namespace {

using storage::JsonReader;

constexpr int max_errno = 4095;        // what the kernel makes of a larger one (MAX_ERRNO)
constexpr int max_trace_data = 65535;  // SECCOMP_RET_DATA

template <typename Value, std::size_t count>
std::optional<Value> find_word(const std::pair<std::string_view, Value> (&words)[count],
                               std::string_view wanted) {
  for (const auto& [word, value] : words) {
    if (word == wanted) return value;
  }
  return std::nullopt;
}

Action parse_action(const JsonReader& reader) {
  static constexpr std::pair<std::string_view, Action> actions[] = {
      {"SCMP_ACT_ALLOW", Action::allow},
      {"SCMP_ACT_ERRNO", Action::error},
      {"SCMP_ACT_TRAP", Action::trap},
      {"SCMP_ACT_TRACE", Action::trace},
      {"SCMP_ACT_LOG", Action::log},
      {"SCMP_ACT_KILL", Action::kill_thread},
      {"SCMP_ACT_KILL_THREAD", Action::kill_thread},
      {"SCMP_ACT_KILL_PROCESS", Action::kill_process}};
  const std::string name = reader.as_string();
  if (const auto action = find_word(actions, name)) return *action;
  if (name == "SCMP_ACT_NOTIFY")
    throw Unsupported(concat(reader.path(), ": SCMP_ACT_NOTIFY needs a listener, which is not supported"));
  reader.fail(concat("unknown action \"", name, '"'));
}

int parse_errno_name(const JsonReader& reader) {
  static constexpr std::pair<std::string_view, int> synonyms[] = {
      {"EWOULDBLOCK", EWOULDBLOCK}, {"EDEADLOCK", EDEADLOCK}, {"ENOTSUP", ENOTSUP}};
  const std::string name = reader.as_string();
  if (const auto number = find_word(synonyms, name)) return *number;
  for (int number = 1; number <= max_errno; ++number) {
    const char* known = ::strerrorname_np(number);
    if (known && name == known) return number;
  }
  reader.fail(concat("unknown errno \"", name, '"'));
}

// The number that goes with an action; podman's files have it by name as well, and the name counts.
int parse_error(const JsonReader& reader, const char* by_number, const char* by_name, Action action) {
  const auto number = reader.find(by_number);
  const auto name = reader.find(by_name);
  if (!number && !name) return EPERM;
  const JsonReader& given = name ? *name : *number;
  if (action != Action::error && action != Action::trace)
    given.fail("only SCMP_ACT_ERRNO and SCMP_ACT_TRACE have a number");
  if (name) return parse_errno_name(*name);
  const std::uint64_t value = number->as_unsigned();
  const int limit = action == Action::error ? max_errno : max_trace_data;
  if (value > static_cast<std::uint64_t>(limit)) number->fail(concat("more than ", limit));
  return static_cast<int>(value);
}

Comparison parse_comparison(const JsonReader& reader) {
  static constexpr std::pair<std::string_view, Comparison> comparisons[] = {
      {"SCMP_CMP_NE", Comparison::not_equal},          {"SCMP_CMP_LT", Comparison::less},
      {"SCMP_CMP_LE", Comparison::less_equal},         {"SCMP_CMP_EQ", Comparison::equal},
      {"SCMP_CMP_GE", Comparison::greater_equal},      {"SCMP_CMP_GT", Comparison::greater},
      {"SCMP_CMP_MASKED_EQ", Comparison::masked_equal}};
  const std::string name = reader.as_string();
  if (const auto comparison = find_word(comparisons, name)) return *comparison;
  reader.fail(concat("unknown comparison \"", name, '"'));
}

// "value" is the mask where there is one, "valueTwo" what the masked argument is compared with.
Argument parse_argument(const JsonReader& reader) {
  Argument argument;
  const JsonReader index = reader.get("index");
  if (index.as_unsigned() > 5) index.fail("a system call has the arguments 0 to 5");
  argument.index = static_cast<unsigned>(index.as_unsigned());
  argument.comparison = parse_comparison(reader.get("op"));
  argument.value = reader.read_unsigned("value");
  if (argument.comparison == Comparison::masked_equal) {
    argument.mask = argument.value;
    argument.value = reader.read_unsigned("valueTwo");
  }
  return argument;
}

rootless::CapabilitySet parse_capabilities(const JsonReader& reader) {
  rootless::CapabilitySet set = 0;
  for (const JsonReader& item : reader.read_array("caps")) {
    const auto capability = rootless::parse_capability(item.as_string());
    if (!capability) item.fail(concat("unknown capability \"", item.as_string(), '"'));
    set |= rootless::capability_bit(*capability);
  }
  return set;
}

Circumstances parse_circumstances(const JsonReader& rule, const char* key) {
  const auto reader = rule.find(key);
  if (!reader) return {};
  Circumstances circumstances;
  circumstances.capabilities = parse_capabilities(*reader);
  circumstances.machines = reader->read_strings("arches");
  if (const auto version = reader->find("minKernel"); version && !version->as_string().empty()) {
    const auto parsed = parse_kernel_version(version->as_string());
    if (!parsed) version->fail("expected a version like \"4.8\"");
    circumstances.min_kernel = *parsed;
  }
  return circumstances;
}

std::vector<std::string> parse_names(const JsonReader& reader) {
  std::vector<std::string> names = reader.read_strings("names");
  const std::string name = reader.read_string("name");
  if (!name.empty() && !names.empty()) reader.fail("has both \"name\" and \"names\"");
  if (!name.empty()) names.push_back(name);
  if (names.empty()) reader.fail("names no system call");
  return names;
}

bool has_alternatives(const std::vector<Argument>& arguments) {
  unsigned seen = 0;
  return std::any_of(arguments.begin(), arguments.end(), [&seen](const Argument& argument) {
    const unsigned bit = 1u << argument.index;
    return (std::exchange(seen, seen | bit) & bit) != 0;
  });
}

void parse_rule(const JsonReader& reader, std::vector<Rule>& rules) {
  Rule rule;
  rule.names = parse_names(reader);
  rule.action = parse_action(reader.get("action"));
  rule.error = parse_error(reader, "errnoRet", "errno", rule.action);
  rule.includes = parse_circumstances(reader, "includes");
  rule.excludes = parse_circumstances(reader, "excludes");
  for (const JsonReader& argument : reader.read_array("args"))
    rule.arguments.push_back(parse_argument(argument));
  if (!has_alternatives(rule.arguments)) {
    rules.push_back(std::move(rule));
    return;
  }
  for (const Argument& argument : std::exchange(rule.arguments, {})) {
    rules.push_back(rule);
    rules.back().arguments = {argument};
  }
}

// "SCMP_ARCH_X86_64" → "x86_64"
std::string parse_architecture(const JsonReader& reader) {
  constexpr std::string_view prefix = "SCMP_ARCH_";
  std::string name = reader.as_string();
  if (!name.starts_with(prefix)) reader.fail(concat("unknown architecture \"", name, '"'));
  name.erase(0, prefix.size());
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

void parse_architectures(const JsonReader& reader, Profile& profile) {
  for (const JsonReader& architecture : reader.read_array("architectures"))
    profile.architectures.push_back(parse_architecture(architecture));
  for (const JsonReader& item : reader.read_array("archMap")) {
    ArchitectureFamily family{.native = parse_architecture(item.get("architecture"))};
    for (const JsonReader& sibling : item.read_array("subArchitectures"))
      family.siblings.push_back(parse_architecture(sibling));
    profile.families.push_back(std::move(family));
  }
  if (!profile.architectures.empty() && !profile.families.empty())
    reader.fail("has both \"architectures\" and \"archMap\"");
}

// A container's first process has one thread, and its filter is loaded without the cost of SSBD in any case.
void refuse_unsupported(const JsonReader& reader) {
  for (const JsonReader& flag : reader.read_array("flags")) {
    const std::string name = flag.as_string();
    if (name != "SECCOMP_FILTER_FLAG_TSYNC" && name != "SECCOMP_FILTER_FLAG_SPEC_ALLOW")
      throw Unsupported(concat(flag.path(), ": the flag \"", name, "\" is not supported"));
  }
  if (!reader.read_string("listenerPath").empty())
    throw Unsupported(concat(reader.path(), ".listenerPath: a listener is not supported"));
}

}  // namespace

Profile parse_profile(std::string_view text) {
  const storage::Json document = storage::parse_json(text, "profile");
  const JsonReader reader(document, "profile");
  refuse_unsupported(reader);
  Profile profile;
  profile.default_action = parse_action(reader.get("defaultAction"));
  profile.default_error = parse_error(reader, "defaultErrnoRet", "defaultErrno", profile.default_action);
  parse_architectures(reader, profile);
  for (const JsonReader& rule : reader.read_array("syscalls")) parse_rule(rule, profile.rules);
  return profile;
}

}  // namespace knarr::engine::seccomp
