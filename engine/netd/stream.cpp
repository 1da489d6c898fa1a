// SPDX-License-Identifier: Apache-2.0
#include "engine/netd/stream.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace knarr::engine::netd {

void MessageStream::send(ByteView message) {
  if (sent_ == output_.size()) {
    output_.clear();
    sent_ = 0;
  }
  output_.push_back(static_cast<std::uint8_t>(message.size() >> 8));
  output_.push_back(static_cast<std::uint8_t>(message.size()));
  output_.insert(output_.end(), message.begin(), message.end());
}

bool MessageStream::flush(int socket_fd) {
  while (has_output()) {
    const ssize_t size = ::send(socket_fd, output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno == EAGAIN;
    sent_ += static_cast<std::size_t>(size);
  }
  return true;
}

// A part at a time: the rest wakes the loop again, and others get their turn.
bool MessageStream::fill(int socket_fd) {
  static std::array<std::uint8_t, 16384> buffer;
  const ssize_t size = ::recv(socket_fd, buffer.data(), buffer.size(), 0);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  input_.insert(input_.end(), buffer.begin(), buffer.begin() + size);
  return size > 0;
}

std::optional<Bytes> MessageStream::next() {
  if (input_.size() < 2) return std::nullopt;
  const std::size_t size = static_cast<std::size_t>(input_[0] << 8 | input_[1]);
  if (input_.size() < 2 + size) return std::nullopt;
  const auto begin = input_.begin() + 2, end = begin + static_cast<std::ptrdiff_t>(size);
  Bytes message(begin, end);
  input_.erase(input_.begin(), end);
  return message;
}

}  // namespace knarr::engine::netd
