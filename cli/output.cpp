// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <unistd.h>

#include <cerrno>

namespace knarr::cli {

namespace {
constexpr std::size_t flush_at = 64 * 1024;
}

void Output::append(std::string_view text) {
  pending_.append(text);
  if (pending_.size() >= flush_at) flush();
}

void Output::flush() {
  // Taken out first: what could not be written once is not tried again on the way out.
  const std::string text = std::exchange(pending_, {});
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      throw_errno(fd_ == STDERR_FILENO ? "writing to standard error" : "writing to standard output");
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace knarr::cli
