// SPDX-License-Identifier: Apache-2.0
#include "netns/forward/tcp_forwarder.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "netns/forward/socket_address.h"
#include "netns/forward/upstream.h"

namespace knarr::netns::forward {
namespace {

// Before other events get their turn.
constexpr int max_accepts_at_once = 32;
// New clients wait in the kernel's queue for so long when there is no descriptor or memory for them.
constexpr int accept_pause_ms = 100;
// Edge-triggered, told once: no call when a direction stops and goes on. Room to write is told from when it
// first lacks; most connections never come to that.
constexpr std::uint32_t connection_events = EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET;

void pass_on_end(Side& receiver) {
  if (!std::exchange(receiver.told_end, true)) ::shutdown(receiver.fd, SHUT_WR);
}

void close_fd(int& fd) {
  if (fd >= 0) ::close(std::exchange(fd, -1));
}

// With RST instead of FIN; what was not sent is lost.
void reset_fd(int& fd) {
  const linger at_once{1, 0};
  if (fd >= 0) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close_fd(fd);
}

void note_events(Side& side, std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLERR | EPOLLHUP)) side.readable = true;
  if (events & (EPOLLRDHUP | EPOLLPRI | EPOLLERR | EPOLLHUP)) side.ask_again = true;
  if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) side.writable = true;
}

bool is_exhaustion(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

TcpForwarder::~TcpForwarder() {
  reset_all();
  finish_round();
  for (int& fd : spare_upstream_) close_fd(fd);
}

// ---- ports ----

int TcpForwarder::add(Listener& listener) {
  if (!events_.add(listener.fd, EPOLLIN, &listener, Source::tcp_listener)) return errno;
  listener.next = std::exchange(listeners_, &listener);
  return 0;
}

void TcpForwarder::remove(Listener& listener) {
  events_.remove(listener.fd);
  for (Listener** at = &listeners_; *at; at = &(*at)->next) {
    if (*at != &listener) continue;
    *at = listener.next;
    return;
  }
}

void TcpForwarder::set_target(const Target& target) {
  target_ = target;
}

void TcpForwarder::reset_connections_to(const IpAddress& address) {
  for (Connection *at = alive_.first(), *next; at; at = next) {
    next = at->links.next;
    if (at->address == address) reset(*at);
  }
}

// ---- new connections ----

void TcpForwarder::accept_from(Listener& listener) {
  for (int i = 0; i < max_accepts_at_once && accept_one(listener); ++i) {
  }
}

// False: no more now. All that a connection needs is there before it is accepted, so that a client which
// cannot be served yet waits in the kernel's queue.
bool TcpForwarder::accept_one(Listener& listener) {
  if (resume_at_ms_ != 0) return false;
  const Endpoint* endpoint = target_.endpoint_for(listener.family);
  const int upstream = endpoint ? upstream_socket(endpoint->address.family) : -1;
  Connection* connection = endpoint && upstream < 0 ? nullptr : connections_.take();
  if (!connection) {
    pause_listening();
    return false;
  }
  SocketAddress address;
  socklen_t size = sizeof address;
  connection->client.fd = ::accept4(listener.fd, &address.any, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (connection->client.fd < 0) {
    const int error = errno;
    connections_.give_back(connection);
    if (is_exhaustion(error)) pause_listening();
    return error == ECONNABORTED;
  }
  alive_.push_front(connection);
  if (endpoint) {
    start(*connection, to_peer(address), *endpoint, listener.container_port);
  } else {
    reset(*connection);
  }
  return true;
}

int TcpForwarder::upstream_socket(Family family) {
  int& spare = spare_upstream_[family == Family::v4 ? 0 : 1];
  if (spare < 0) spare = open_upstream(family);
  return spare;
}

void TcpForwarder::start(Connection& connection, const Peer& client, const Endpoint& endpoint,
                         std::uint16_t port) {
  const Peer source = source_for(client, endpoint, target_.keep_client);
  const Peer destination{endpoint.address, port};
  const Family family = endpoint.address.family;
  connection.address = endpoint.address;
  connection.upstream.fd = std::exchange(spare_upstream_[family == Family::v4 ? 0 : 1], -1);
  int error = connect_upstream(connection.upstream.fd, source, destination);
  if (error == EADDRINUSE || error == EADDRNOTAVAIL) {
    close_fd(connection.upstream.fd);
    connection.upstream.fd = open_upstream(family);
    error = connection.upstream.fd < 0
                ? errno
                : connect_upstream(connection.upstream.fd, any_port(source), destination);
  }
  if (error != 0 || !greet(connection)) reset(connection);
}

// Often the client has spoken already and the server, which is local, has accepted: then no event needs to
// tell either.
bool TcpForwarder::greet(Connection& connection) {
  Side &client = connection.client, &upstream = connection.upstream;
  client.readable = true;
  const Progress asked = relay(client, upstream, connection.request, memory_);
  if (asked == Progress::sender_failed || asked == Progress::receiver_failed) return false;
  connection.connecting = upstream.watched_for_room = !connection.request.began;
  const std::uint32_t connected = connection.connecting ? std::uint32_t{EPOLLOUT} : 0;
  if (!events_.add(upstream.fd, connection_events | connected, &connection, Source::upstream)) return false;
  if (!events_.add(client.fd, connection_events, &connection, Source::client)) return false;
  if (!connection.connecting) run(connection);
  return true;
}

void TcpForwarder::pause_listening() {
  resume_at_ms_ = monotonic_ms() + accept_pause_ms;
  for (Listener* at = listeners_; at; at = at->next) events_.change(at->fd, 0, at, Source::tcp_listener);
}

void TcpForwarder::resume_listening() {
  resume_at_ms_ = 0;
  for (Listener* at = listeners_; at; at = at->next)
    events_.change(at->fd, EPOLLIN, at, Source::tcp_listener);
}

// ---- established connections ----

void TcpForwarder::handle_client(Connection& connection, std::uint32_t events) {
  if (connection.dead) return;
  note_events(connection.client, events);
  if (!connection.connecting) run(connection);
}

void TcpForwarder::handle_upstream(Connection& connection, std::uint32_t events) {
  if (connection.dead) return;
  if (connection.connecting) {
    // Refused stays refused.
    if (events & (EPOLLERR | EPOLLHUP)) return reset(connection);
    if (!(events & EPOLLOUT)) return;
    connection.connecting = false;
  }
  note_events(connection.upstream, events);
  run(connection);
}

void TcpForwarder::run(Connection& connection) {
  const Progress asked = run_request(connection);
  const Progress answered = relay(connection.upstream, connection.client, connection.answer, memory_);
  if (asked == Progress::sender_failed || answered == Progress::sender_failed ||
      answered == Progress::receiver_failed) {
    return reset(connection);
  }
  if (connection.answer.delivered && (connection.request.delivered || connection.request_refused)) {
    return finish(connection);
  }
  if (connection.request.delivered) pass_on_end(connection.upstream);
  if (connection.answer.delivered) pass_on_end(connection.client);
  watch_for_room(connection.upstream, connection, Source::upstream);
  watch_for_room(connection.client, connection, Source::client);
  if (asked == Progress::goes_on || answered == Progress::goes_on) give_turn(connection);
}

void TcpForwarder::watch_for_room(Side& side, Connection& connection, Source source) {
  if (side.writable || std::exchange(side.watched_for_room, true)) return;
  // Told at once if there is some by now.
  events_.change(side.fd, connection_events | EPOLLOUT, &connection, source);
}

// A server that takes no more may have answered before: the client gets that, and only then the reset.
Progress TcpForwarder::run_request(Connection& connection) {
  if (connection.request_refused) return Progress::waits;
  const Progress progress = relay(connection.client, connection.upstream, connection.request, memory_);
  if (progress != Progress::receiver_failed) return progress;
  if (errno == ECONNRESET) connection.answer.ends_with_reset = true;
  refuse_request(connection);
  return Progress::waits;
}

void TcpForwarder::refuse_request(Connection& connection) {
  connection.request_refused = true;
  connection.upstream.readable = connection.upstream.ask_again = true;
  drop(connection.request, memory_);
}

void TcpForwarder::give_turn(Connection& connection) {
  if (std::exchange(connection.has_turn_coming, true)) return;
  connection.next_waiting = std::exchange(waiting_, &connection);
}

// ---- their end ----

void TcpForwarder::finish(Connection& connection) {
  close_fd(connection.client.fd);
  close_fd(connection.upstream.fd);
  bury(connection);
}

void TcpForwarder::reset(Connection& connection) {
  reset_fd(connection.client.fd);
  reset_fd(connection.upstream.fd);
  bury(connection);
}

// Events of this round may still name it.
void TcpForwarder::bury(Connection& connection) {
  drop(connection.request, memory_);
  drop(connection.answer, memory_);
  connection.dead = true;
  alive_.remove(&connection);
  connection.next_dead = std::exchange(dead_, &connection);
}

void TcpForwarder::finish_round() {
  for (Connection *at = std::exchange(waiting_, nullptr), *next; at; at = next) {
    next = at->next_waiting;
    at->has_turn_coming = false;
    if (!at->dead) run(*at);
  }
  const bool freed = dead_ != nullptr;
  for (Connection *at = std::exchange(dead_, nullptr), *next; at; at = next) {
    next = at->next_dead;
    connections_.give_back(at);
  }
  if (resume_at_ms_ != 0 && (freed || monotonic_ms() >= resume_at_ms_)) resume_listening();
}

void TcpForwarder::end_with_container() {
  for (Connection *at = alive_.first(), *next; at; at = next) {
    next = at->links.next;
    if (at->connecting) {
      reset(*at);
    } else {
      refuse_request(*at);
      run(*at);
    }
  }
}

void TcpForwarder::reset_quiet() {
  for (Connection *at = alive_.first(), *next; at; at = next) {
    next = at->links.next;
    const bool pending = at->answer.rest || at->answer.piped != 0 || !at->client.writable;
    if (!pending) reset(*at);
  }
}

void TcpForwarder::reset_all() {
  while (Connection* connection = alive_.first()) reset(*connection);
}

int TcpForwarder::timeout_ms() const {
  if (waiting_) return 0;
  return resume_at_ms_ != 0 ? accept_pause_ms : -1;
}

void TcpForwarder::release_memory() {
  memory_.release();
  connections_.release();
}

}  // namespace knarr::netns::forward
