// SPDX-License-Identifier: Apache-2.0
// A container's files, as a crash, another version or a stranger may have left them. What can be read at all
// is read the same after it was written again.
#include <cstdint>
#include <string_view>

#include "engine/record.h"
#include "rootless/sys/error.h"
#include "tests/fuzz/check.h"

using namespace knarr;
using namespace knarr::engine;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto summary = parse_summary(text)) {
    const std::string line = render_summary(*summary);
    FUZZ_CHECK(line.find('\n') == std::string::npos);
    const auto again = parse_summary(line);
    FUZZ_CHECK(again && (*again == *summary || again->truncated));
  }
  if (const auto status = parse_status(text)) FUZZ_CHECK(parse_status(render_status(*status)) == status);
  if (const auto pids = parse_pids(text)) FUZZ_CHECK(parse_pids(render_pids(*pids)) == pids);
  try {
    const ContainerConfig config = parse_config(text);
    FUZZ_CHECK(parse_config(render_config(config)) == config);
    parse_summary(render_summary(summarize(config)));
  } catch (const Error&) {
    // Refused by name.
  }
  return 0;
}
