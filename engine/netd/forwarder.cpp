// SPDX-License-Identifier: Apache-2.0
#include "engine/netd/forwarder.h"

#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "engine/netd/stream.h"

namespace knarr::engine::netd {

namespace {

using std::chrono::milliseconds;

// Together less than the five seconds a C library waits before it asks again.
constexpr milliseconds datagram_patience{1500};
constexpr std::size_t least_datagrams = 3;
constexpr milliseconds stream_patience{4000};
constexpr std::size_t most_exchanges = 1000;
constexpr std::ptrdiff_t most_of_one_asker = 250;
constexpr std::size_t longest_message = 65535;

std::uint16_t random_id() {
  std::uint16_t id = 0;
  // Never short for so few bytes once the kernel has started (getrandom(2)).
  [[maybe_unused]] const ssize_t got = ::getrandom(&id, sizeof id, 0);
  return id;
}

sys::UniqueFd connect_to(const netns::forward::SocketAddress& server, int type) {
  sys::UniqueFd socket(::socket(server.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return {};
  if (::connect(socket.get(), &server.any, server.size()) < 0 && errno != EINPROGRESS) return {};
  return socket;
}

// Another server may know better (RFC 2308 calls it lame, the C library does the same).
bool is_refusal(Rcode rcode) {
  return rcode == Rcode::server_failure || rcode == Rcode::not_implemented || rcode == Rcode::refused;
}

}  // namespace

// One query until it is answered: a try is a server, a socket and a while to wait.
class Forwarder::Exchange {
 public:
  // Each server is asked once, and the first ones again until there are as many tries as `least_tries`.
  Exchange(Forwarder& forwarder, ForwardedQuery query, std::size_t least_tries, milliseconds patience)
      : forwarder_(forwarder),
        query_(std::move(query)),
        asked_id_(message_id(query_.bytes)),
        tries_left_(std::max(least_tries, query_.servers.size())),
        patience_(patience) {}
  virtual ~Exchange() { end_try(); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Ends this object when there is nothing left to try.
  void try_next() {
    end_try();
    while (tries_left_ > 0) {
      --tries_left_;
      const auto& server = query_.servers[next_server_++ % query_.servers.size()];
      set_message_id(query_.bytes, random_id());
      socket_ = open(server);
      if (!socket_) continue;
      timer_ = loop().after(patience_, [this] { try_next(); });
      return;
    }
    give_up();
  }

  const netns::IpAddress& asker() const { return query_.asker; }

 protected:
  virtual sys::UniqueFd open(const netns::forward::SocketAddress& server) = 0;

  EventLoop& loop() { return forwarder_.loop_; }
  const Bytes& bytes() const { return query_.bytes; }
  bool is_answer(ByteView message) const {
    return message.size() <= longest_message && answers(message, query_.bytes, query_.query);
  }

  // Ends this object, or goes on to a server that has not refused yet.
  void take_answer(Bytes message) {
    if (is_refusal(message_rcode(message)) && next_server_ < query_.servers.size() && tries_left_ > 0) {
      refusal_ = std::move(message);
      return try_next();
    }
    finish(std::move(message));
  }

 private:
  void end_try() {
    if (timer_ != 0) loop().cancel(std::exchange(timer_, 0));
    if (socket_) loop().forget(socket_.get());
    socket_.reset();
  }

  void give_up() {
    finish(refusal_.empty() ? build_failure(query_.bytes, Rcode::server_failure) : std::move(refusal_));
  }

  void finish(Bytes message) {
    set_message_id(message, asked_id_);
    const auto reply = std::move(query_.reply);
    forwarder_.remove(this);
    reply(std::move(message));
  }

  Forwarder& forwarder_;
  ForwardedQuery query_;
  const std::uint16_t asked_id_;
  std::size_t next_server_ = 0;
  std::size_t tries_left_;
  const milliseconds patience_;
  sys::UniqueFd socket_;
  EventLoop::Timer timer_ = 0;
  Bytes refusal_;  // the last one
};

class Forwarder::DatagramExchange : public Exchange {
 public:
  DatagramExchange(Forwarder& forwarder, ForwardedQuery query)
      : Exchange(forwarder, std::move(query), least_datagrams, datagram_patience) {}

 private:
  sys::UniqueFd open(const netns::forward::SocketAddress& server) override {
    sys::UniqueFd socket = connect_to(server, SOCK_DGRAM);
    if (!socket || ::send(socket.get(), bytes().data(), bytes().size(), MSG_NOSIGNAL) < 0) return {};
    loop().watch(socket.get(), EPOLLIN, [this, fd = socket.get()](EventLoop::Events) { receive(fd); });
    return socket;
  }

  // What does not answer the query is a stray or a forgery: the true answer may still come.
  void receive(int socket_fd) {
    static std::array<std::uint8_t, longest_message> buffer;
    const ssize_t size = ::recv(socket_fd, buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size < 0) return try_next();  // ECONNREFUSED: nobody is there
    const ByteView message(buffer.data(), static_cast<std::size_t>(size));
    if (is_answer(message)) take_answer(Bytes(message.begin(), message.end()));
  }
};

class Forwarder::StreamExchange : public Exchange {
 public:
  StreamExchange(Forwarder& forwarder, ForwardedQuery query)
      : Exchange(forwarder, std::move(query), 1, stream_patience) {}

 private:
  sys::UniqueFd open(const netns::forward::SocketAddress& server) override {
    sys::UniqueFd socket = connect_to(server, SOCK_STREAM);
    if (!socket) return {};
    stream_ = MessageStream();
    stream_.send(bytes());
    loop().watch(socket.get(), EPOLLOUT,
                 [this, fd = socket.get()](EventLoop::Events events) { go_on(fd, events); });
    return socket;
  }

  void go_on(int socket_fd, EventLoop::Events events) {
    if ((events & EPOLLOUT) != 0) {
      if (!stream_.flush(socket_fd)) return try_next();
      if (!stream_.has_output()) loop().change(socket_fd, EPOLLIN);
      return;
    }
    const bool open = stream_.fill(socket_fd);
    if (auto message = stream_.next()) {
      if (is_answer(*message)) return take_answer(std::move(*message));
      return try_next();
    }
    if (!open) try_next();
  }

  MessageStream stream_;
};

Forwarder::Forwarder(EventLoop& loop) : loop_(loop) {}
Forwarder::~Forwarder() = default;

void Forwarder::ask_by_datagram(ForwardedQuery query) {
  start(std::make_unique<DatagramExchange>(*this, std::move(query)));
}

void Forwarder::ask_by_stream(ForwardedQuery query) {
  start(std::make_unique<StreamExchange>(*this, std::move(query)));
}

// The oldest one is the least likely to be answered still. Whoever asks too much loses queries of its own.
void Forwarder::make_room(const netns::IpAddress& asker) {
  const auto is_askers = [&](const auto& exchange) { return exchange->asker() == asker; };
  if (std::count_if(exchanges_.begin(), exchanges_.end(), is_askers) >= most_of_one_asker)
    exchanges_.erase(std::find_if(exchanges_.begin(), exchanges_.end(), is_askers));
  if (exchanges_.size() >= most_exchanges) exchanges_.pop_front();
}

void Forwarder::start(std::unique_ptr<Exchange> exchange) {
  make_room(exchange->asker());
  exchanges_.push_back(std::move(exchange));
  exchanges_.back()->try_next();
}

void Forwarder::remove(Exchange* exchange) {
  exchanges_.remove_if([exchange](const auto& one) { return one.get() == exchange; });
}

}  // namespace knarr::engine::netd
