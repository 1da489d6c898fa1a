// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/image_source_flags.h"

#include "cli/quote.h"
#include "cli/text.h"

namespace knarr::cli {

storage::Platform read_platform(const Arguments& arguments) {
  storage::Platform platform{arguments.text("os"), arguments.text("arch"), arguments.text("variant")};
  const auto given = arguments.find_text("platform");
  if (!given) return platform;
  if (arguments.given("os") || arguments.given("arch")) {
    throw UsageError("--platform cannot be used with --os or --arch");
  }
  const std::vector<std::string> parts = split(*given, "/");
  if (parts.size() > 3)
    throw UsageError(concat("invalid platform ", quote_go(*given), ": expected OS/ARCH[/VARIANT]"));
  platform.os = parts[0];
  if (parts.size() > 1) platform.architecture = parts[1];
  if (parts.size() > 2) platform.variant = parts[2];
  return platform;
}

storage::PullPolicy read_pull_policy(const Arguments& arguments, std::string_view flag) {
  const std::string text = arguments.text(flag);
  const auto policy = storage::parse_pull_policy(text);
  if (!policy) {
    throw UsageError(concat("invalid value ", quote_go(text), " for --", flag,
                            ": expected always, missing, newer or never"));
  }
  return *policy;
}

}  // namespace knarr::cli
