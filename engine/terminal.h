// SPDX-License-Identifier: Apache-2.0
// The caller's terminal.
#pragma once

#include <termios.h>

#include <optional>

#include "engine/monitor/protocol.h"

namespace knarr::engine {

// nullopt when fd is no terminal or has no size.
std::optional<monitor::WindowSize> window_size(int fd);

// False when fd is the controlling terminal and another job has it: reading or changing it would stop this
// process (SIGTTIN, SIGTTOU).
bool is_foreground(int fd);

// Raw mode (cfmakeraw(3)) for as long as the object lives.
class RawTerminal {
 public:
  RawTerminal() = default;
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() { restore(); }

  // fd is borrowed. Again after the process was stopped: the shell has changed the modes meanwhile. Does
  // nothing for what is no terminal or is another job's.
  void enter(int fd);
  void restore();
  bool is_raw() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
  termios saved_{};
};

}  // namespace knarr::engine
