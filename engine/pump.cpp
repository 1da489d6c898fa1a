// SPDX-License-Identifier: Apache-2.0
#include "engine/pump.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "engine/detach_keys.h"
#include "engine/terminal.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/process.h"

namespace knarr::engine {

namespace {

constexpr std::size_t buffer_size = 64 * 1024;

// False when the stream is at its end or its reader is gone.
bool copy_once(const PumpStream& stream, char* buffer) {
  ssize_t got = ::read(stream.from, buffer, buffer_size);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) return false;
  for (char* rest = buffer; got > 0;) {
    const ssize_t written = ::write(stream.to, rest, static_cast<std::size_t>(got));
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return false;
      pollfd writable{stream.to, POLLOUT, 0};  // an inherited terminal or pipe may be non-blocking
      ::poll(&writable, 1, -1);
      continue;
    }
    rest += written;
    got -= written;
  }
  return true;
}

void finish(PumpStream& stream) {
  if (stream.close_target_at_end) ::close(stream.to);
  stream.from = -1;
}

void forward_signal(int signal_fd, int pid_fd) {
  signalfd_siginfo info{};
  if (::read(signal_fd, &info, sizeof(info)) == sizeof(info))
    sys::send_signal(pid_fd, static_cast<int>(info.ssi_signo));
}

void copy_window_size(int master_fd) {
  auto size = window_size(0);
  if (!size) size = window_size(1);
  if (!size) return;
  const winsize window{.ws_row = size->rows, .ws_col = size->columns, .ws_xpixel = 0, .ws_ypixel = 0};
  ::ioctl(master_fd, TIOCSWINSZ, &window);
}

void handle_terminal_signal(int signal_fd, int pid_fd, int master_fd) {
  signalfd_siginfo info{};
  if (::read(signal_fd, &info, sizeof(info)) != sizeof(info)) return;
  if (info.ssi_signo == SIGWINCH) return copy_window_size(master_fd);
  sys::send_signal(pid_fd, static_cast<int>(info.ssi_signo));
}

enum class Typed { passed_on, ended, detach };

Typed pass_on_keys(int master_fd, DetachScanner& keys) {
  char typed[4096];
  const ssize_t got = ::read(0, typed, sizeof(typed));
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return Typed::passed_on;
  if (got <= 0) return Typed::ended;
  std::string out;
  if (keys.scan({typed, static_cast<std::size_t>(got)}, out)) return Typed::detach;
  sys::write_all(master_fd, out, "the container's terminal");
  return Typed::passed_on;
}

}  // namespace

PumpEnd pump_terminal(int master_fd, int pid_fd, int signal_fd, bool input,
                      const std::string& detach_sequence) {
  RawTerminal terminal;
  if (input) terminal.enter(0);
  copy_window_size(master_fd);
  DetachScanner keys(detach_sequence);
  std::vector<char> buffer(buffer_size);
  PumpStream screen{.from = master_fd, .to = 1};
  bool exited = false;
  for (;;) {
    pollfd polled[] = {{exited ? -1 : pid_fd, POLLIN, 0},
                       {exited ? -1 : signal_fd, POLLIN, 0},
                       {screen.from, POLLIN, 0},
                       {input && !exited ? 0 : -1, POLLIN, 0}};
    // What the process wrote last is still in the terminal; it is at its end when the last one of its session
    // is.
    const int ready = ::poll(polled, 4, exited ? 0 : -1);
    if (ready < 0 && errno != EINTR) throw_errno("waiting for a process in the container");
    if (exited && (ready <= 0 || screen.from < 0)) return PumpEnd::exited;
    if (polled[1].revents != 0) handle_terminal_signal(signal_fd, pid_fd, master_fd);
    if (polled[2].revents != 0 && !copy_once(screen, buffer.data())) screen.from = -1;
    if (polled[3].revents != 0) {
      const Typed typed = pass_on_keys(master_fd, keys);
      if (typed == Typed::detach) return PumpEnd::detached;
      input = typed == Typed::passed_on;
    }
    exited = exited || polled[0].revents != 0;
  }
}

void pump_until_exit(std::vector<PumpStream> inputs, std::vector<PumpStream> outputs, int pid_fd,
                     int signal_fd) {
  std::vector<PumpStream*> streams;
  for (PumpStream& stream : inputs) streams.push_back(&stream);
  for (PumpStream& stream : outputs) streams.push_back(&stream);
  std::vector<char> buffer(streams.empty() ? 0 : buffer_size);
  bool exited = false;
  for (;;) {
    std::vector<pollfd> polled = {{exited ? -1 : pid_fd, POLLIN, 0}, {exited ? -1 : signal_fd, POLLIN, 0}};
    for (const PumpStream* stream : streams) polled.push_back({stream->from, POLLIN, 0});
    // Once it is dead, only what its pipes hold already is passed on: a grandchild may keep them open for
    // ever.
    const int ready = ::poll(polled.data(), polled.size(), exited ? 0 : -1);
    if (ready < 0 && errno != EINTR) throw_errno("waiting for a process in the container");
    if (exited && ready <= 0) return;
    if (polled[1].revents != 0) forward_signal(signal_fd, pid_fd);
    for (std::size_t i = 0; i < streams.size(); ++i) {
      if (polled[i + 2].revents != 0 && !copy_once(*streams[i], buffer.data())) finish(*streams[i]);
    }
    if (polled[0].revents != 0 && !exited) {
      exited = true;
      for (PumpStream& stream : inputs) stream.from = -1;
    }
  }
}

}  // namespace knarr::engine
