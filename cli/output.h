// SPDX-License-Identifier: Apache-2.0
// Text for a file descriptor, gathered in a buffer and written with write(2).
#pragma once

#include <string>
#include <string_view>

#include "rootless/sys/error.h"

namespace knarr::cli {

class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  template <typename... Parts>
  void print(const Parts&... parts) {
    append(concat(parts...));
  }
  // One line: the parts, then a newline.
  template <typename... Parts>
  void line(const Parts&... parts) {
    append(concat(parts..., '\n'));
  }
  void append(std::string_view text);
  // Writes what is gathered. Throws SysError "writing to standard output".
  void flush();

 private:
  int fd_;
  std::string pending_;
};

}  // namespace knarr::cli
