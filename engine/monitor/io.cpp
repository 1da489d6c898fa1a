// SPDX-License-Identifier: Apache-2.0
#include "engine/monitor/io.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "engine/time_format.h"
#include "rootless/sys/error.h"
#include "rootless/sys/process.h"

namespace knarr::engine::monitor {

namespace {

// After this long without work the buffers' pages are given back.
constexpr int idle_ms = 1000;
// A new client that there is no descriptor for is looked at again after this long.
constexpr int accept_pause_ms = 200;
// As many frames in a row before others get their turn.
constexpr int max_frames_at_once = 16;
// What a pipe can hold at most for an unprivileged process (/proc/sys/fs/pipe-max-size); more than that comes
// from a process that outlives init.
constexpr std::size_t drain_limit = 1024 * 1024;

std::int64_t monotonic_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// Only for descriptions that nobody shares with us any more.
void make_nonblocking(int fd) {
  if (fd >= 0 && ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) throw_errno("preparing a pipe");
}

}  // namespace

Supervisor::Supervisor(Supervision supervision, AttachServer& clients, LogWriter& log)
    : io_(std::move(supervision.io)),
      init_pid_fd_(supervision.init_pid_fd),
      signal_fd_(supervision.signal_fd),
      stdin_once_(supervision.stdin_once),
      network_(supervision.network),
      clients_(clients),
      log_(log),
      output_buffer_(max_frame),
      input_buffer_(max_frame + 1) {
  for (const sys::UniqueFd* fd : {&io_.output, &io_.error, &io_.input}) make_nonblocking(fd->get());
  if (supervision.timeout_seconds != 0) {
    deadline_ms_ = monotonic_ms() + std::int64_t{supervision.timeout_seconds} * 1000;
  }
}

void Supervisor::supervise() {
  for (bool init_alive = true; init_alive;) {
    wait_for_events();
    clients_.note_events(set_.data() + first_client_slot);
    if (ready(signal_slot)) forward_signals();
    take_input();
    take_output();
    if (ready(listener_slot)) accept_clients();
    init_alive = !ready(init_slot);
    if (init_alive) enforce_deadline();
  }
}

// ---- events ----

void Supervisor::wait_for_events() {
  const bool jammed = clients_.blocked();
  const bool reading = pending_input_.empty();
  set_.clear();
  set_.push_back({signal_fd_, POLLIN, 0});
  set_.push_back({init_pid_fd_, POLLIN, 0});
  if (accept_again_ms_ && monotonic_ms() >= *accept_again_ms_) accept_again_ms_.reset();
  set_.push_back({accept_again_ms_ ? -1 : clients_.listening_fd(), POLLIN, 0});
  set_.push_back({jammed || output_ended_ ? -1 : io_.output.get(), POLLIN, 0});
  set_.push_back({jammed ? -1 : io_.error.get(), POLLIN, 0});
  set_.push_back({reading ? -1 : input_fd(), POLLOUT, 0});
  clients_.watch(set_, reading);
  const int count = ::poll(set_.data(), set_.size(), poll_timeout_ms());
  if (count < 0 && errno != EINTR) throw_errno("waiting for the container");
  if (count < 0) {
    for (pollfd& entry : set_) entry.revents = 0;
  }
  if (count == 0) release_idle_memory();
  if (count > 0) holds_memory_ = true;
}

int Supervisor::poll_timeout_ms() const {
  int timeout = holds_memory_ ? idle_ms : -1;
  for (const auto& moment : {deadline_ms_, accept_again_ms_}) {
    if (!moment) continue;
    const std::int64_t left = std::clamp<std::int64_t>(*moment - monotonic_ms(), 0, 3'600'000);
    if (timeout < 0 || left < timeout) timeout = static_cast<int>(left);
  }
  return timeout;
}

// On every turn: a container that always has something to say never lets the poll time out.
void Supervisor::enforce_deadline() {
  if (!deadline_ms_ || monotonic_ms() < *deadline_ms_) return;
  deadline_ms_.reset();
  timed_out_ = sys::send_signal(init_pid_fd_, SIGKILL);
}

// A listener that stays readable because nobody can be taken in would turn this loop without an end.
void Supervisor::accept_clients() {
  if (!clients_.accept_clients()) accept_again_ms_ = monotonic_ms() + accept_pause_ms;
}

void Supervisor::release_idle_memory() {
  if (!holds_memory_ || clients_.blocked() || !pending_input_.empty()) return;
  output_buffer_.release();
  input_buffer_.release();
  log_.release_memory();
  if (network_ != nullptr) network_->settle();
  holds_memory_ = false;
}

void Supervisor::forward_signals() {
  signalfd_siginfo info;
  while (::read(signal_fd_, &info, sizeof info) == sizeof info) {
    // Who asked will see whether it worked; nothing here depends on it.
    ::syscall(SYS_pidfd_send_signal, init_pid_fd_, static_cast<int>(info.ssi_signo), nullptr, 0);
  }
}

// ---- output ----

void Supervisor::take_output() {
  for (const Stream stream : {Stream::output, Stream::error}) {
    // A client that is behind stops everything: its pipe holds little, and what the container writes must
    // neither be lost nor pile up here.
    if (clients_.blocked() || !ready(stream == Stream::output ? output_slot : error_slot)) continue;
    std::string_view bytes;
    if (!read_stream(stream, bytes)) continue;
    log_.write(stream, bytes, wall_clock_ns());
    clients_.post(stream == Stream::output ? FrameType::output : FrameType::error, bytes);
  }
}

bool Supervisor::read_stream(Stream stream, std::string_view& bytes) {
  const int fd = stream == Stream::output ? io_.output.get() : io_.error.get();
  ssize_t got;
  do {
    got = ::read(fd, output_buffer_.data(), output_buffer_.size());
  } while (got < 0 && errno == EINTR);
  if (got > 0) {
    bytes = {output_buffer_.data(), static_cast<std::size_t>(got)};
    return true;
  }
  // EIO: nobody has the terminal open any more.
  if (got == 0 || errno != EAGAIN) end_stream(stream);
  return false;
}

void Supervisor::end_stream(Stream stream) {
  if (stream == Stream::error) {
    io_.error.reset();
  } else if (io_.terminal) {
    output_ended_ = true;
  } else {
    io_.output.reset();
  }
}

void Supervisor::drain() {
  clients_.accept_clients();
  clients_.own_posted();
  pending_input_ = {};
  io_.input.reset();
  io_.terminal_peer.reset();
  for (const Stream stream : {Stream::output, Stream::error}) {
    const bool open = stream == Stream::output ? io_.output && !output_ended_ : bool(io_.error);
    std::string_view bytes;
    for (std::size_t taken = 0; open && taken < drain_limit && read_stream(stream, bytes);
         taken += bytes.size()) {
      log_.write(stream, bytes, wall_clock_ns());
      clients_.post_copy(stream == Stream::output ? FrameType::output : FrameType::error, bytes);
    }
  }
  log_.finish(wall_clock_ns());
  io_ = {};
}

// ---- input ----

void Supervisor::take_input() {
  for (int i = 0; i < max_frames_at_once && flush_input(); ++i) {
    const auto frame = clients_.receive(input_buffer_.data());
    if (!frame) break;
    handle(*frame);
  }
  // On a terminal the next client goes on where this one left.
  if (clients_.input_owner_left() && stdin_once_ && !io_.terminal) end_input();
}

void Supervisor::handle(const ClientFrame& frame) {
  switch (frame.type) {
    case FrameType::input:
      pending_input_ = frame.payload;
      break;
    case FrameType::input_end:
      if (stdin_once_) end_input();
      break;
    case FrameType::resize:
      if (io_.terminal && frame.payload.size() == sizeof(WindowSize)) {
        WindowSize size;
        std::memcpy(&size, frame.payload.data(), sizeof size);
        const winsize wanted{size.rows, size.columns, 0, 0};
        ::ioctl(io_.output.get(), TIOCSWINSZ, &wanted);
      }
      break;
    case FrameType::networks:
      if (network_ != nullptr) network_->follow_record();
      break;
    default:
      break;  // of a newer client
  }
}

bool Supervisor::flush_input() {
  while (!pending_input_.empty()) {
    const ssize_t wrote = ::write(input_fd(), pending_input_.data(), pending_input_.size());
    if (wrote >= 0) {
      pending_input_.remove_prefix(static_cast<std::size_t>(wrote));
    } else if (errno == EAGAIN) {
      return false;
    } else if (errno != EINTR) {
      // Nobody will read it (EPIPE, EIO), or the container was given no input at all (EBADF).
      pending_input_ = {};
      io_.input.reset();
    }
  }
  return true;
}

// A pipe is closed. A terminal gets its end-of-file character, which means something only while it edits
// lines.
void Supervisor::end_input() {
  io_.input.reset();
  termios settings{};
  if (!io_.terminal || ::tcgetattr(io_.output.get(), &settings) < 0 || !(settings.c_lflag & ICANON)) return;
  end_of_file_ = static_cast<char>(settings.c_cc[VEOF]);
  pending_input_ = {&end_of_file_, 1};
}

}  // namespace knarr::engine::monitor
