// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/confirm.h"

#include <unistd.h>

#include <cerrno>

namespace knarr::cli {

bool confirm(Output& out, std::string_view warning) {
  out.line(warning);
  out.print("Are you sure you want to continue? [y/N] ");
  out.flush();
  std::string answer;
  char c = 0;
  for (;;) {
    const ssize_t count = ::read(STDIN_FILENO, &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || c == '\n') break;
    answer += c;
  }
  return !answer.empty() && (answer[0] == 'y' || answer[0] == 'Y');
}

}  // namespace knarr::cli
