// SPDX-License-Identifier: Apache-2.0
// Words that end up as lines of files or as paths below /proc/sys: none may start a second line or leave its
// directory. The first byte picks the flag.
#include <cstdint>
#include <string_view>

#include "engine/request/names.h"
#include "engine/request/namespaces.h"
#include "engine/request/security.h"
#include "engine/request/values.h"
#include "rootless/sys/error.h"
#include "tests/fuzz/check.h"

using namespace knarr;
using namespace knarr::engine;

namespace {

void check_sysctl(const std::string& text) {
  for (const auto& [name, value] : plan_sysctls({text}, {})) {
    const std::string path = sysctl_path(name);
    FUZZ_CHECK(clean_path("/" + path) == "/" + path);
    FUZZ_CHECK(path.starts_with("net/") || path.starts_with("kernel/") || path.starts_with("fs/mqueue/"));
    FUZZ_CHECK(!has_control_character(value));
  }
}

void check_add_host(const std::string& text) {
  for (const std::string& host : parse_add_host(text)) {
    FUZZ_CHECK(!has_control_character(host) && host.find(' ') == std::string::npos);
    FUZZ_CHECK(host.find(':') != std::string::npos && host.find(':') > 0);
  }
}

void check_security(const std::string& text) {
  const SecurityOptions options = parse_security_options({text});
  for (const auto* paths : {&options.mask, &options.unmask}) {
    for (const std::string& path : *paths) FUZZ_CHECK(path.starts_with('/') && clean_path(path) == path);
  }
}

void check_ulimit(const std::string& text) {
  const UlimitRequest limit = parse_ulimit(text);
  FUZZ_CHECK(limit.soft >= -1 && limit.hard >= -1);
  FUZZ_CHECK(limit.hard == -1 || (limit.soft != -1 && limit.soft <= limit.hard));
}

void check_hostname_words(const std::string& text) {
  check_hostname(text);
  FUZZ_CHECK(!has_control_character(text) && text.find('/') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  using Check = void (*)(const std::string&);
  constexpr Check checks[] = {check_sysctl,
                              check_add_host,
                              check_security,
                              check_ulimit,
                              check_hostname_words,
                              [](const std::string& text) { parse_user_namespace_mode(text); },
                              [](const std::string& text) { parse_bytes(text); }};
  try {
    checks[data[0] % std::size(checks)]({reinterpret_cast<const char*>(data) + 1, size - 1});
  } catch (const Error&) {
    // Refusing is fine.
  }
  return 0;
}
