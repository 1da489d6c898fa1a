// SPDX-License-Identifier: Apache-2.0
#include "engine/attach.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/detach_keys.h"
#include "engine/monitor/attach_address.h"
#include "engine/monitor/protocol.h"
#include "engine/shared_output.h"
#include "engine/terminal.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

using monitor::FrameType;

// ---- signals ----

// Stay what they are: job control, our own faults, what nobody sends, and what the C library uses for itself.
bool stays_untouched(int signal) {
  constexpr std::array untouched = {SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGCHLD, SIGURG, SIGSEGV,
                                    SIGBUS,  SIGFPE,  SIGILL,  SIGTRAP, SIGABRT, SIGSYS,  32,     33};
  return std::find(untouched.begin(), untouched.end(), signal) != untouched.end();
}

// nohup(1) and the background jobs of a script ignore some: those must stay without effect.
bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

sigset_t signals_to_catch(bool forward) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGWINCH, SIGCONT, SIGPIPE}) ::sigaddset(&set, signal);
  if (!forward) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
      if (!is_ignored(signal)) ::sigaddset(&set, signal);
    }
    return set;
  }
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (!stays_untouched(signal) && !is_ignored(signal)) ::sigaddset(&set, signal);
  }
  return set;
}

// Signals come as events while this lives.
class CaughtSignals {
 public:
  explicit CaughtSignals(bool forward) {
    const sigset_t set = signals_to_catch(forward);
    ::sigprocmask(SIG_BLOCK, &set, &old_mask_);
    fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (fd_) return;
    const int error = errno;
    ::sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
    throw_sys_error(error, "preparing for signals");
  }
  CaughtSignals(const CaughtSignals&) = delete;
  CaughtSignals& operator=(const CaughtSignals&) = delete;
  ~CaughtSignals() {
    // The one of a write that failed has told us already.
    sigset_t broken_pipe;
    ::sigemptyset(&broken_pipe);
    ::sigaddset(&broken_pipe, SIGPIPE);
    const timespec now{};
    ::sigtimedwait(&broken_pipe, nullptr, &now);
    ::sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
  }

  int fd() const { return fd_.get(); }

  std::optional<int> next() {
    signalfd_siginfo info;
    if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
    return static_cast<int>(info.ssi_signo);
  }

  // What the signal would have done without us.
  void deliver(int signal) {
    ::raise(signal);
    ::sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
  }

 private:
  sys::UniqueFd fd_;
  sigset_t old_mask_;
};

// ---- the connection ----

sys::UniqueFd connect_to_monitor(const std::string& run_directory) {
  const auto not_running = [] { return Conflict("the container is not running"); };
  const sys::UniqueFd directory = sys::find_at(AT_FDCWD, run_directory, O_PATH | O_DIRECTORY);
  if (!directory) throw not_running();
  sys::UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket) throw_errno("creating a socket");
  const sockaddr_un address = monitor::attach_address(directory.get());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return socket;
  if (errno == ENOENT || errno == ECONNREFUSED) throw not_running();
  throw_errno("connecting to the container's monitor");
}

// Before anything is opened, which could get a closed descriptor's number.
AttachRequest without_closed_streams(AttachRequest request) {
  for (int* fd : {&request.input_fd, &request.output_fd, &request.error_fd}) {
    if (*fd >= 0 && ::fcntl(*fd, F_GETFD) < 0) *fd = -1;
  }
  return request;
}

class Session {
 public:
  explicit Session(AttachRequest request)
      : end_due_(request.input_fd >= 0 && ::fcntl(request.input_fd, F_GETFD) < 0),
        request_(without_closed_streams(std::move(request))),
        socket_(request_.socket ? std::move(request_.socket) : connect_to_monitor(request_.run_directory)),
        signals_(request_.init_pid_fd >= 0),
        output_(request_.output_fd),
        error_(request_.error_fd),
        input_is_terminal_(request_.input_fd >= 0 && ::isatty(request_.input_fd) == 1),
        detach_(reads_keys() ? request_.detach_sequence : std::string()),
        frame_(std::make_unique_for_overwrite<char[]>(monitor::max_frame + 1)),
        typed_(std::make_unique_for_overwrite<char[]>(typed_size)) {}

  AttachResult run();

 private:
  // What a sequence that was held back adds must fit the frame, too.
  static constexpr std::size_t typed_size = monitor::max_frame / 2;
  enum Slot { signal_slot, socket_slot, input_slot, output_slot, slot_count };

  bool reads_keys() const { return request_.terminal && input_is_terminal_; }

  void wait_for_events();
  bool wants_input() const;
  bool ready(Slot slot) const { return set_[slot].revents != 0; }

  void handle_signals();
  void handle_signal(int signal);

  void read_input();
  void send_outgoing();
  bool send_frame(FrameType type, std::string_view payload);
  bool has_outgoing() const { return resize_due_ || !to_send_.empty() || end_due_; }

  void receive_frame();
  void handle_frame(FrameType type, std::string_view payload);
  void write_output();
  void end(AttachResult::End how, int exit_code = 0) { result_ = {how, exit_code}; }

  bool end_due_;
  AttachRequest request_;
  sys::UniqueFd socket_;
  CaughtSignals signals_;
  RawTerminal terminal_;  // restored before the signals come through again
  SharedOutput output_, error_;
  const bool input_is_terminal_;
  DetachScanner detach_;
  std::optional<AttachResult> result_;

  std::unique_ptr<char[]> frame_;
  std::string_view to_write_;  // in frame_
  SharedOutput* target_ = nullptr;

  std::unique_ptr<char[]> typed_;
  std::string to_send_;
  bool input_ended_ = false;
  bool resize_due_ = false;
  bool monitor_listens_ = true;

  std::array<pollfd, slot_count> set_{};
};

AttachResult Session::run() {
  resize_due_ = request_.terminal;
  while (!result_) {
    if (reads_keys() && !terminal_.is_raw()) terminal_.enter(request_.input_fd);
    send_outgoing();
    wait_for_events();
    if (ready(signal_slot)) handle_signals();
    if (ready(output_slot)) write_output();
    if (!result_ && to_write_.empty() && ready(socket_slot)) receive_frame();
    if (!result_ && ready(input_slot)) read_input();
  }
  return *result_;
}

void Session::wait_for_events() {
  short socket_events = 0;
  if (to_write_.empty()) socket_events |= POLLIN;
  if (has_outgoing()) socket_events |= POLLOUT;
  set_[signal_slot] = {signals_.fd(), POLLIN, 0};
  // A monitor that has hung up makes the socket ready for ever; what it said last must be written first.
  set_[socket_slot] = {socket_events == 0 ? -1 : socket_.get(), socket_events, 0};
  set_[input_slot] = {wants_input() ? request_.input_fd : -1, POLLIN, 0};
  set_[output_slot] = {to_write_.empty() ? -1 : target_->fd(), POLLOUT, 0};
  if (::poll(set_.data(), set_.size(), -1) >= 0) return;
  if (errno != EINTR) throw_errno("waiting for the container");
  for (pollfd& entry : set_) entry.revents = 0;
}

// ---- signals ----

void Session::handle_signals() {
  while (const auto signal = signals_.next()) handle_signal(*signal);
}

void Session::handle_signal(int signal) {
  switch (signal) {
    case SIGWINCH:
      resize_due_ = request_.terminal;
      return;
    case SIGCONT:
      // Back from being stopped, perhaps in the foreground now.
      if (reads_keys()) terminal_.enter(request_.input_fd);
      resize_due_ = request_.terminal;
      return;
    case SIGPIPE:
      return;  // write(2) says it, too
    default:
      break;
  }
  if (request_.init_pid_fd >= 0) {
    // A container that is gone by now will be reported by its monitor.
    ::syscall(SYS_pidfd_send_signal, request_.init_pid_fd, signal, nullptr, 0);
    return;
  }
  terminal_.restore();
  signals_.deliver(signal);
}

// ---- input ----

bool Session::wants_input() const {
  return request_.input_fd >= 0 && !input_ended_ && to_send_.empty() &&
         (!input_is_terminal_ || is_foreground(request_.input_fd));
}

void Session::read_input() {
  const ssize_t got = ::read(request_.input_fd, typed_.get(), typed_size);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    input_ended_ = true;
    // A terminal that was hung up is not the end of what its user wanted to say.
    end_due_ = !(set_[input_slot].revents & POLLHUP && input_is_terminal_);
    return;
  }
  if (detach_.scan({typed_.get(), static_cast<std::size_t>(got)}, to_send_)) {
    send_outgoing();
    end(AttachResult::End::detached);
  }
}

void Session::send_outgoing() {
  if (resize_due_) {
    auto size = window_size(request_.input_fd);
    if (!size) size = window_size(request_.output_fd);
    resize_due_ =
        size && !send_frame(FrameType::resize, {reinterpret_cast<const char*>(&*size), sizeof *size});
  }
  if (!to_send_.empty() && send_frame(FrameType::input, to_send_)) to_send_.clear();
  if (to_send_.empty() && end_due_ && send_frame(FrameType::input_end, {})) end_due_ = false;
}

// False when the monitor cannot take it now.
bool Session::send_frame(FrameType type, std::string_view payload) {
  iovec parts[] = {{&type, 1}, {const_cast<char*>(payload.data()), payload.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  while (monitor_listens_) {
    if (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
    if (errno == EAGAIN || errno == ENOBUFS) return false;
    // It has hung up. Its last frames may still wait to be read.
    if (errno != EINTR) monitor_listens_ = false;
  }
  input_ended_ = true;
  return true;
}

// ---- output ----

void Session::receive_frame() {
  const ssize_t got = ::recv(socket_.get(), frame_.get(), monitor::max_frame + 1, MSG_DONTWAIT);
  if (got > 0) {
    handle_frame(static_cast<FrameType>(frame_[0]), {frame_.get() + 1, static_cast<std::size_t>(got - 1)});
    return;
  }
  // A reset only means that it did not read all we sent; what it sent comes with the next call.
  if (got < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNRESET)) return;
  if (got < 0) throw_errno("listening to the container's monitor");
  end(AttachResult::End::monitor_lost);
}

void Session::handle_frame(FrameType type, std::string_view payload) {
  std::int32_t exit_code = 0;
  switch (type) {
    case FrameType::output:
    case FrameType::error:
      target_ = type == FrameType::output ? &output_ : &error_;
      to_write_ = payload;
      if (!target_->must_wait()) write_output();
      break;
    case FrameType::exited:
      if (payload.size() != sizeof exit_code) break;
      std::memcpy(&exit_code, payload.data(), sizeof exit_code);
      end(AttachResult::End::exited, exit_code);
      break;
    default:
      break;  // of a newer monitor
  }
}

void Session::write_output() {
  switch (target_->write_some(to_write_)) {
    case WriteResult::closed:
      return end(AttachResult::End::output_closed);
    case WriteResult::failed:
      throw_errno("writing the container's output");
    default:
      return;
  }
}

}  // namespace

AttachResult attach(AttachRequest request) {
  return Session(std::move(request)).run();
}

}  // namespace knarr::engine
