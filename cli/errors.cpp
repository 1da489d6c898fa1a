// SPDX-License-Identifier: Apache-2.0
#include "cli/errors.h"

#include <unistd.h>

#include "rootless/sys/error.h"

namespace knarr::cli {

std::string render_error(const Error& error) {
  std::string text = concat("Error: ", error.message(), '\n');
  if (!error.hint().empty()) text += concat("hint: ", error.hint(), '\n');
  return text;
}

void print_error(const Error& error) {
  const std::string text = render_error(error);
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace knarr::cli
