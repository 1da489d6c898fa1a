// SPDX-License-Identifier: Apache-2.0
#include "engine/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

namespace knarr::engine {

std::optional<monitor::WindowSize> window_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) < 0 || (size.ws_row == 0 && size.ws_col == 0)) return std::nullopt;
  return monitor::WindowSize{size.ws_row, size.ws_col};
}

bool is_foreground(int fd) {
  const pid_t group = ::tcgetpgrp(fd);
  return group < 0 || group == ::getpgrp();
}

void RawTerminal::enter(int fd) {
  termios current{};
  if (!is_foreground(fd) || ::tcgetattr(fd, &current) < 0) return;
  if (fd_ < 0) saved_ = current;
  ::cfmakeraw(&current);
  if (::tcsetattr(fd, TCSADRAIN, &current) == 0) fd_ = fd;
}

void RawTerminal::restore() {
  // In the background the modes are the shell's.
  if (fd_ >= 0 && is_foreground(fd_)) ::tcsetattr(fd_, TCSADRAIN, &saved_);
  fd_ = -1;
}

}  // namespace knarr::engine
