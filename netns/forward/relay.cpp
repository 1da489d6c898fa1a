// SPDX-License-Identifier: Apache-2.0
#include "netns/forward/relay.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace knarr::netns::forward {
namespace {

// A direction that always has more lets the others have their turn after this much.
constexpr std::size_t turn_bytes = std::size_t{1} << 20;
// A pipe's size counts slots of a page each; a slot can hold as much as a fragment of the network stack.
constexpr int pipe_bytes = 256 * 1024;
constexpr std::size_t splice_size = std::size_t{1} << 20;

void close_pipe(Pipe pipe) {
  ::close(pipe.read_fd);
  ::close(pipe.write_fd);
}

enum class Step : std::uint8_t { moved, blocked, failed, ended };

Step step_of(ssize_t result) {
  if (result > 0) return Step::moved;
  if (result == 0) return Step::ended;
  return errno == EAGAIN ? Step::blocked : Step::failed;  // no EINTR: the thread takes no signals
}

class Mover {
 public:
  Mover(Side& sender, Side& receiver, Direction& direction, RelayMemory& memory)
      : sender_(sender), receiver_(receiver), direction_(direction), memory_(memory) {}

  Progress run() {
    for (std::size_t moved = 0;;) {
      const Step delivered = deliver();
      if (delivered == Step::failed) return Progress::receiver_failed;
      if (delivered == Step::blocked) return Progress::waits;
      if (direction_.ended) return end();
      // Not reading is what makes the sender stop.
      if (!sender_.readable || !receiver_.writable) return Progress::waits;
      if (moved >= turn_bytes) return Progress::goes_on;
      const ssize_t taken = direction_.bulk ? splice_in() : copy();
      const Step step = step_of(taken);
      if (step == Step::failed)
        return failed_on_sender_ ? Progress::sender_failed : Progress::receiver_failed;
      if (step == Step::ended && direction_.ends_with_reset) return Progress::sender_failed;
      if (step == Step::ended) direction_.ended = true;
      if (step == Step::blocked) end_of_input(moved);
      if (step == Step::moved) moved += static_cast<std::size_t>(taken);
    }
  }

 private:
  // All that was taken but not delivered. `moved` when nothing is left.
  Step deliver() {
    while (direction_.rest) {
      Rest& rest = *direction_.rest;
      const Step step = send(rest.bytes + rest.begin, rest.end - rest.begin, rest.begin);
      if (step != Step::moved) return step;
      if (rest.begin == rest.end) memory_.give_back(std::exchange(direction_.rest, nullptr));
    }
    while (direction_.piped > 0) {
      const ssize_t sent = ::splice(direction_.pipe.read_fd, nullptr, receiver_.fd, nullptr, direction_.piped,
                                    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
      const Step step = step_of(sent);
      if (step == Step::blocked) receiver_.writable = false;
      if (step != Step::moved) return step == Step::ended ? Step::failed : step;
      direction_.piped -= static_cast<std::uint32_t>(sent);
    }
    return Step::moved;
  }

  template <typename Count>
  Step send(const char* bytes, std::size_t size, Count& count) {
    const ssize_t sent = ::send(receiver_.fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    const Step step = step_of(sent);
    if (step == Step::blocked) receiver_.writable = false;
    if (step == Step::moved) direction_.began = true;
    if (step == Step::moved) count += static_cast<Count>(sent);
    return step;
  }

  ssize_t fail(bool of_sender, int code) {
    failed_on_sender_ = of_sender;
    errno = code;
    return -1;
  }

  ssize_t copy() {
    char* buffer = memory_.copy_buffer();
    if (!buffer) return fail(true, ENOMEM);
    const ssize_t got = ::recv(sender_.fd, buffer, copy_size, MSG_DONTWAIT);
    if (got <= 0) return got;
    const std::size_t size = static_cast<std::size_t>(got);
    if (size == copy_size) direction_.bulk = true;
    // The next bytes, or the end, come with an event of their own.
    if (size < copy_size && !sender_.ask_again) sender_.readable = false;
    std::size_t sent = 0;
    const Step step = send(buffer, size, sent);
    if (step == Step::failed) return fail(false, errno);
    if (sent < size && !keep(buffer + sent, size - sent)) return fail(true, ENOMEM);
    return got;
  }

  bool keep(const char* bytes, std::size_t size) {
    Rest* rest = memory_.take_rest();
    if (!rest) return false;
    rest->begin = 0;
    rest->end = static_cast<std::uint32_t>(size);
    std::memcpy(rest->bytes, bytes, size);
    direction_.rest = rest;
    return true;
  }

  // Only into an empty pipe: so EAGAIN speaks of the socket.
  ssize_t splice_in() {
    if (direction_.pipe.read_fd < 0 && !memory_.take_pipe(direction_.pipe)) {
      direction_.bulk = false;
      return copy();
    }
    const ssize_t got = ::splice(sender_.fd, nullptr, direction_.pipe.write_fd, nullptr, splice_size,
                                 SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (got > 0) direction_.piped = static_cast<std::uint32_t>(got);
    return got;
  }

  // The sender has nothing now. `moved`: what it had in this turn.
  void end_of_input(std::size_t moved) {
    sender_.readable = false;
    if (moved < copy_size) direction_.bulk = false;
    give_back_pipe();
  }

  void give_back_pipe() {
    if (direction_.pipe.read_fd >= 0) memory_.give_back(std::exchange(direction_.pipe, {}));
  }

  Progress end() {
    direction_.delivered = true;
    give_back_pipe();
    return Progress::waits;
  }

  Side& sender_;
  Side& receiver_;
  Direction& direction_;
  RelayMemory& memory_;
  bool failed_on_sender_ = true;
};

}  // namespace

char* RelayMemory::copy_buffer() {
  if (!buffer_) {
    void* pages = ::mmap(nullptr, copy_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages != MAP_FAILED) buffer_ = static_cast<char*>(pages);
  }
  return buffer_;
}

bool RelayMemory::take_pipe(Pipe& pipe) {
  if (spare_pipe_count_ > 0) {
    pipe = spare_pipes_[--spare_pipe_count_];
    return true;
  }
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) return false;
  // More than the usual 64 KiB as long as the user's share of pipe pages allows it.
  ::fcntl(fds[0], F_SETPIPE_SZ, pipe_bytes);
  pipe = {fds[0], fds[1]};
  return true;
}

void RelayMemory::give_back(Pipe pipe) {
  if (spare_pipe_count_ < max_spare_pipes) {
    spare_pipes_[spare_pipe_count_++] = pipe;
  } else {
    close_pipe(pipe);
  }
}

void RelayMemory::release() {
  if (buffer_) ::munmap(std::exchange(buffer_, nullptr), copy_size);
  while (spare_pipe_count_ > 0) close_pipe(spare_pipes_[--spare_pipe_count_]);
  rests_.release();
}

Progress relay(Side& sender, Side& receiver, Direction& direction, RelayMemory& memory) {
  return Mover(sender, receiver, direction, memory).run();
}

void drop(Direction& direction, RelayMemory& memory) {
  if (direction.rest) memory.give_back(std::exchange(direction.rest, nullptr));
  if (direction.pipe.read_fd >= 0) close_pipe(std::exchange(direction.pipe, {}));
  direction.piped = 0;
}

}  // namespace knarr::netns::forward
