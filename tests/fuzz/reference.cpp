// SPDX-License-Identifier: Apache-2.0
#include "storage/reference.h"

#include <cstdint>
#include <string_view>

#include "rootless/sys/error.h"
#include "tests/fuzz/check.h"

using namespace knarr;
using namespace knarr::storage;

namespace {

void check_escaping(std::string_view name) {
  const std::string escaped = escape_name(name);
  FUZZ_CHECK(unescape_name(escaped) == name);
  FUZZ_CHECK(escaped.find('/') == std::string::npos && escaped.find('\0') == std::string::npos);
  FUZZ_CHECK(!escaped.starts_with('.'));
  unescape_name(name);
}

void check_reference(std::string_view text) {
  const Reference reference = parse_reference(text);
  FUZZ_CHECK(render(reference) == text);
  FUZZ_CHECK(!reference.path.empty() && reference.path.find("..") == std::string::npos);
  const Reference full = normalize(reference);
  FUZZ_CHECK(!full.domain.empty() && normalize(full) == full);
  for (const Reference& candidate : local_candidates(reference)) {
    // A name near the length limit grows beyond it by its domain; all others can be read back.
    if (candidate.domain.size() + candidate.path.size() + 1 > 255) continue;
    FUZZ_CHECK(parse_reference(render(candidate)) == candidate);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_escaping(text);
  try {
    check_reference(text);
  } catch (const InvalidArgument&) {
    // The only way to refuse; anything else ends the program.
  }
  return 0;
}
