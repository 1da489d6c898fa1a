// SPDX-License-Identifier: Apache-2.0
#include "engine/pump.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string_view>

#include "engine/detach_keys.h"
#include "engine/shared_output.h"
#include "engine/terminal.h"
#include "rootless/sys/error.h"
#include "rootless/sys/process.h"

namespace knarr::engine {

namespace {

constexpr std::size_t buffer_size = 64 * 1024;
// What a pipe can hold at most for an unprivileged process (/proc/sys/fs/pipe-max-size); more than that comes
// from a process that outlives the one waited for.
constexpr std::size_t drain_limit = 1024 * 1024;

// Only for descriptions that nobody shares with us.
void make_nonblocking(int fd) {
  if (fd >= 0 && ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
    throw_errno("preparing to copy streams");
}

// One direction of copying. Nothing is read while the target has not taken what was read before.
class Flow {
 public:
  Flow() : target_(-1) {}
  Flow(int from, int to) : from_(from), target_(to) {}

  bool reads() const { return from_ >= 0; }
  bool holds_bytes() const { return !pending_.empty(); }
  std::string_view held() const { return pending_; }

  pollfd wish() const {
    if (holds_bytes()) return {target_.fd(), POLLOUT, 0};
    return {from_, POLLIN, 0};
  }

  // False at the end. Now and then there is nothing to read.
  bool fill() {
    buffer_.resize(buffer_size);
    const ssize_t got = ::read(from_, buffer_.data(), buffer_.size());
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    pending_ = {buffer_.data(), static_cast<std::size_t>(got)};
    return got > 0;
  }

  void hold(std::string bytes) {
    buffer_ = std::move(bytes);
    pending_ = buffer_;
  }

  WriteResult flush() { return target_.write_some(pending_); }
  // After fill(): at once where no poll(2) has to come first.
  WriteResult flush_early() { return target_.must_wait() ? WriteResult::progress : flush(); }

  void stop_reading() { from_ = -1; }
  void drop() {
    from_ = -1;
    pending_ = {};
  }

 private:
  int from_ = -1;
  SharedOutput target_;
  std::string buffer_;
  std::string_view pending_;  // of buffer_
};

bool asks_to_end(int signal) {
  return signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
}

class Pump {
 public:
  Pump(int pid_fd, int signal_fd) : pid_fd_(pid_fd), signal_fd_(signal_fd) {}
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;
  virtual ~Pump() = default;

  PumpResult run();

 protected:
  enum Stream { input, output, error, stream_count };

  virtual void on_signal(int signal) { sys::send_signal(pid_fd_, signal); }
  virtual void on_input_read() {}
  virtual void on_input_end(short /*revents*/) {}   // nothing more will be read
  virtual void close_target_of_input() = 0;         // all is passed on, or nobody takes it
  virtual void close_source_of_output(Stream) = 0;  // nobody takes what comes from there

  void detach() { detached_ = true; }

  std::array<Flow, stream_count> flows_;

 private:
  static constexpr int pid_slot = 0, signal_slot = 1, first_stream_slot = 2;
  static constexpr int slot_count = first_stream_slot + stream_count;

  bool wait_for_events();
  void handle_signal();
  void advance_input(short revents);
  void advance_output(Stream stream);
  void note_exit();

  int pid_fd_, signal_fd_;
  bool exited_ = false, detached_ = false, given_up_ = false, input_open_ = false;
  std::size_t drained_ = 0;
  PumpResult result_;
  std::array<pollfd, slot_count> set_{};
};

PumpResult Pump::run() {
  input_open_ = flows_[input].reads();
  while (wait_for_events()) {
    if (set_[signal_slot].revents != 0) handle_signal();
    for (const Stream stream : {output, error}) {
      if (set_[first_stream_slot + stream].revents != 0) advance_output(stream);
    }
    if (set_[first_stream_slot + input].revents != 0) advance_input(set_[first_stream_slot + input].revents);
    if (detached_) return {.end = PumpResult::End::detached, .output_error = result_.output_error};
    if (set_[pid_slot].revents != 0) note_exit();
    if (given_up_) break;
  }
  return result_;
}

// False when the process is dead and there is nothing left of what it wrote.
bool Pump::wait_for_events() {
  bool holds_bytes = false;
  for (int i = 0; i < stream_count; ++i) {
    set_[first_stream_slot + i] = flows_[i].wish();
    holds_bytes = holds_bytes || flows_[i].holds_bytes();
  }
  set_[pid_slot] = {exited_ ? -1 : pid_fd_, POLLIN, 0};
  set_[signal_slot] = {signal_fd_, POLLIN, 0};
  // Once it is dead, only what its pipes hold already is passed on: a grandchild may keep them open for ever.
  const bool at_once = exited_ && !holds_bytes;
  const int ready = ::poll(set_.data(), set_.size(), at_once ? 0 : -1);
  if (ready < 0) {
    if (errno != EINTR) throw_errno("waiting for a process in the container");
    for (pollfd& entry : set_) entry.revents = 0;
    return true;
  }
  return ready > 0;
}

void Pump::handle_signal() {
  signalfd_siginfo info{};
  if (::read(signal_fd_, &info, sizeof(info)) != sizeof(info)) return;
  const int signal = static_cast<int>(info.ssi_signo);
  if (!exited_) return on_signal(signal);
  given_up_ = given_up_ || asks_to_end(signal);
}

void Pump::advance_input(short revents) {
  Flow& flow = flows_[input];
  WriteResult written;
  if (flow.holds_bytes()) {
    written = flow.flush();
  } else {
    if (flow.fill()) {
      on_input_read();
    } else {
      flow.stop_reading();
      on_input_end(revents);
    }
    written = flow.flush_early();
  }
  if (written == WriteResult::closed || written == WriteResult::failed) flow.drop();
  if (flow.reads() || flow.holds_bytes() || !input_open_) return;
  input_open_ = false;
  close_target_of_input();
}

void Pump::advance_output(Stream stream) {
  Flow& flow = flows_[stream];
  WriteResult written;
  if (flow.holds_bytes()) {
    written = flow.flush();
  } else {
    if (!flow.fill() || (exited_ && drained_ >= drain_limit)) return flow.drop();
    if (exited_) drained_ += flow.held().size();
    written = flow.flush_early();
  }
  if (written != WriteResult::closed && written != WriteResult::failed) return;
  if (written == WriteResult::failed && result_.output_error == 0) result_.output_error = errno;
  flow.drop();
  close_source_of_output(stream);
}

void Pump::note_exit() {
  exited_ = true;
  flows_[input].drop();
}

// ---- pipes ----

class PipePump final : public Pump {
 public:
  PipePump(PumpStreams streams, int pid_fd, int signal_fd)
      : Pump(pid_fd, signal_fd),
        own_{std::move(streams.input.own), std::move(streams.output.own), std::move(streams.error.own)} {
    for (const sys::UniqueFd& own : own_) make_nonblocking(own.get());
    if (own_[input]) flows_[input] = Flow(streams.input.users, own_[input].get());
    if (own_[output]) flows_[output] = Flow(own_[output].get(), streams.output.users);
    if (own_[error]) flows_[error] = Flow(own_[error].get(), streams.error.users);
  }

 private:
  void close_target_of_input() override { own_[input].reset(); }
  void close_source_of_output(Stream stream) override { own_[stream].reset(); }

  sys::UniqueFd own_[stream_count];
};

// ---- a terminal ----

class TerminalPump final : public Pump {
 public:
  TerminalPump(sys::UniqueFd& master, int input_fd, int output_fd, int pid_fd, int signal_fd,
               const std::string& detach_sequence)
      : Pump(pid_fd, signal_fd),
        master_(master),
        input_fd_(input_fd),
        output_fd_(output_fd),
        from_terminal_(input_fd >= 0 && ::isatty(input_fd) == 1),
        keys_(from_terminal_ ? detach_sequence : std::string()) {
    make_nonblocking(master_.get());
    if (from_terminal_) users_terminal_.enter(input_fd);
    if (input_fd >= 0) flows_[input] = Flow(input_fd, master_.get());
    flows_[output] = Flow(master_.get(), output_fd);
    copy_window_size();
  }

 private:
  void on_signal(int signal) override {
    if (signal == SIGWINCH) return copy_window_size();
    Pump::on_signal(signal);
  }

  void copy_window_size() {
    auto size = window_size(input_fd_ >= 0 ? input_fd_ : 0);
    if (!size) size = window_size(output_fd_);
    if (!size) return;
    const winsize window{.ws_row = size->rows, .ws_col = size->columns, .ws_xpixel = 0, .ws_ypixel = 0};
    ::ioctl(master_.get(), TIOCSWINSZ, &window);
  }

  void on_input_read() override {
    Flow& flow = flows_[input];
    if (flow.holds_bytes()) in_line_ = flow.held().back() != '\n' && flow.held().back() != '\r';
    if (!keys_.enabled()) return;
    std::string typed;
    const bool leaves = keys_.scan(flow.held(), typed);
    flow.hold(std::move(typed));
    if (!leaves) return;
    flow.flush();
    detach();
  }

  // The end-of-file character means something only to a terminal that edits lines; within a line the first
  // one just passes on the line so far (termios(3)).
  void on_input_end(short revents) override {
    // A terminal that was hung up is not the end of what its user wanted to say.
    if (from_terminal_ && (revents & POLLHUP) != 0) return;
    termios settings{};
    if (::tcgetattr(master_.get(), &settings) < 0 || (settings.c_lflag & ICANON) == 0) return;
    flows_[input].hold(std::string(in_line_ ? 2 : 1, static_cast<char>(settings.c_cc[VEOF])));
  }

  void close_target_of_input() override {}  // it is where the output comes from, too

  void close_source_of_output(Stream) override {
    flows_[input].drop();
    master_.reset();
  }

  sys::UniqueFd& master_;
  int input_fd_, output_fd_;
  const bool from_terminal_;
  DetachScanner keys_;
  bool in_line_ = false;
  RawTerminal users_terminal_;
};

}  // namespace

PumpResult pump_until_exit(PumpStreams streams, int pid_fd, int signal_fd) {
  return PipePump(std::move(streams), pid_fd, signal_fd).run();
}

PumpResult pump_terminal(sys::UniqueFd& master, int input_fd, int output_fd, int pid_fd, int signal_fd,
                         const std::string& detach_sequence) {
  return TerminalPump(master, input_fd, output_fd, pid_fd, signal_fd, detach_sequence).run();
}

}  // namespace knarr::engine
