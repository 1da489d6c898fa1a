// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/confirm.h"

#include "cli/commands/answer.h"

namespace knarr::cli {

bool confirm(Output& out, std::string_view warning) {
  out.line(warning);
  out.print("Are you sure you want to continue? [y/N] ");
  out.flush();
  const std::string answer = read_line();
  return !answer.empty() && (answer[0] == 'y' || answer[0] == 'Y');
}

}  // namespace knarr::cli
