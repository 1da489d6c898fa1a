// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/answer.h"

#include <unistd.h>

#include <cerrno>

#include "rootless/sys/error.h"

namespace knarr::cli {

std::string read_line() {
  std::string line;
  char c = 0;
  for (;;) {
    const ssize_t count = ::read(STDIN_FILENO, &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("reading standard input");
    if (count == 0 || c == '\n') return line;
    line += c;
    if (c == interrupt) return line;
  }
}

}  // namespace knarr::cli
