// SPDX-License-Identifier: Apache-2.0
#include "engine/monitor/attach_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "engine/monitor/attach_address.h"
#include "rootless/sys/error.h"

namespace knarr::engine::monitor {

namespace {

// A monitor serves the people in front of one container; the limit is for a runaway script.
constexpr std::size_t max_clients = 128;

bool belongs_to_this_user(int socket_fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

sys::UniqueFd listen_in(int run_directory_fd) {
  sys::UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) throw_errno("creating the attach socket");
  const sockaddr_un address = attach_address(run_directory_fd);
  ::unlinkat(run_directory_fd, attach_socket_name, 0);
  const mode_t old_mask = ::umask(0177);
  const int bound = ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::umask(old_mask);
  if (bound < 0) throw_sys_error(error, "binding the attach socket");
  if (::listen(listener.get(), SOMAXCONN) < 0) throw_errno("listening on the attach socket");
  return listener;
}

}  // namespace

sockaddr_un attach_address(int run_directory_fd) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", run_directory_fd,
                attach_socket_name);
  return address;
}

AttachServer::AttachServer(int run_directory_fd)
    : run_directory_fd_(run_directory_fd), listener_(listen_in(run_directory_fd)) {}

void AttachServer::adopt(sys::UniqueFd socket) {
  add(std::move(socket));
}

bool AttachServer::accept_clients() {
  while (listener_) {
    sys::UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (!socket) return errno == EAGAIN;
    if (clients_.size() < max_clients && belongs_to_this_user(socket.get())) add(std::move(socket));
  }
  return true;
}

void AttachServer::stop_listening() {
  if (!listener_) return;
  accept_clients();
  ::unlinkat(run_directory_fd_, attach_socket_name, 0);
  listener_.reset();
}

void AttachServer::add(sys::UniqueFd socket) {
  Client client;
  client.socket = std::move(socket);
  // Output from now on: not the frame that others still wait for.
  client.sent = frames_.size();
  client.owns_input = !std::exchange(had_client_, true);
  clients_.push_back(std::move(client));
}

void AttachServer::remove(std::size_t index) {
  if (clients_[index].owns_input) owner_left_ = true;
  clients_.erase(clients_.begin() + static_cast<std::ptrdiff_t>(index));
  drop_delivered();
}

bool AttachServer::input_owner_left() {
  return std::exchange(owner_left_, false);
}

// ---- output ----

void AttachServer::post(FrameType type, std::string_view bytes) {
  if (clients_.empty()) return;
  frames_.push_back({type, bytes, nullptr});
  flush();
}

void AttachServer::post_copy(FrameType type, std::string_view bytes) {
  post(type, bytes);
  own_posted();
}

void AttachServer::own_posted() {
  for (Frame& frame : frames_) {
    if (frame.copy) continue;
    frame.copy = std::make_unique<char[]>(frame.bytes.size());
    std::memcpy(frame.copy.get(), frame.bytes.data(), frame.bytes.size());
    frame.bytes = {frame.copy.get(), frame.bytes.size()};
  }
}

void AttachServer::flush() {
  for (Client& client : clients_) {
    while (!client.deaf && client.sent < frames_.size() && send(client, frames_[client.sent])) ++client.sent;
  }
  drop_delivered();
}

// False when the client cannot take it now or ever.
bool AttachServer::send(Client& client, const Frame& frame) {
  FrameType type = frame.type;
  iovec parts[] = {{&type, 1}, {const_cast<char*>(frame.bytes.data()), frame.bytes.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  for (;;) {
    if (::sendmsg(client.socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
    if (errno == EINTR) continue;
    client.deaf = errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM;
    return false;
  }
}

void AttachServer::drop_delivered() {
  std::size_t delivered = frames_.size();
  for (const Client& client : clients_) {
    if (!client.deaf) delivered = std::min(delivered, client.sent);
  }
  if (delivered == 0) return;
  frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(delivered));
  for (Client& client : clients_) client.sent = client.deaf ? 0 : client.sent - delivered;
}

// ---- input and readiness ----

void AttachServer::watch(std::vector<pollfd>& set, bool reading) {
  for (const Client& client : clients_) {
    short events = 0;
    if (reading) events |= POLLIN;
    if (!client.deaf && client.sent < frames_.size()) events |= POLLOUT;
    // A hang-up is reported whether asked for or not, again and again. While its last words cannot be read,
    // a client that is gone must not be looked at.
    const bool ignored = client.deaf && !reading;
    set.push_back({ignored ? -1 : client.socket.get(), events, 0});
  }
}

void AttachServer::note_events(const pollfd* first) {
  bool writable = false;
  for (Client& client : clients_) {
    const short events = (first++)->revents;
    if (events & (POLLHUP | POLLERR)) client.deaf = true;
    if (events & (POLLIN | POLLHUP | POLLERR)) client.readable = true;
    if (events & POLLOUT) writable = true;
  }
  if (writable) flush();
  drop_delivered();
}

std::optional<ClientFrame> AttachServer::receive(char* buffer) {
  for (std::size_t i = 0; i < clients_.size();) {
    Client& client = clients_[i];
    if (!client.readable) {
      ++i;
      continue;
    }
    const ssize_t got = ::recv(client.socket.get(), buffer, max_frame + 1, MSG_DONTWAIT);
    if (got > 0)
      return ClientFrame{static_cast<FrameType>(buffer[0]), {buffer + 1, static_cast<std::size_t>(got - 1)}};
    // A reset only means that it had not read all we sent; what it said before comes with the next call.
    if (got < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
    client.readable = false;
    if (got < 0 && errno == EAGAIN) continue;
    remove(i);
  }
  return std::nullopt;
}

}  // namespace knarr::engine::monitor
