// SPDX-License-Identifier: Apache-2.0
#include "engine/netd/dns_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace knarr::engine::netd {

namespace {

using netns::forward::SocketAddress;

constexpr std::chrono::seconds client_patience{10};
constexpr std::size_t most_clients = 256;
// On one connection: queries that wait for an answer.
constexpr int most_waiting = 32;
constexpr int datagrams_at_once = 32;

int socket_type(int socket_fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(socket_fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 ? type : 0;
}

}  // namespace

struct DnsServer::Client {
  sys::UniqueFd socket;
  Asker asker;
  MessageStream stream;
  int waiting = 0;
  bool answering = false;
  bool at_end = false;  // sends nothing any more
  bool broken = false;
  EventLoop::Timer timer = 0;
};

DnsServer::~DnsServer() {
  while (!clients_.empty()) close_client(*clients_.front());
  while (!sockets_.empty()) forget(sockets_.begin()->first);
}

void DnsServer::forget(const std::string& network) {
  const auto found = sockets_.find(network);
  if (found == sockets_.end()) return;
  for (const sys::UniqueFd& socket : found->second) loop_.forget(socket.get());
  sockets_.erase(found);
}

void DnsServer::serve(const std::string& network, std::vector<sys::UniqueFd> sockets) {
  forget(network);
  for (const sys::UniqueFd& socket : sockets) {
    const int fd = socket.get();
    if (socket_type(fd) == SOCK_DGRAM) {
      loop_.watch(fd, EPOLLIN, [this, network, fd](EventLoop::Events) { receive_datagram(network, fd); });
    } else {
      loop_.watch(fd, EPOLLIN, [this, network, fd](EventLoop::Events) { accept_client(network, fd); });
    }
  }
  sockets_.emplace(network, std::move(sockets));
}

// ---- one query ----

std::vector<SocketAddress> DnsServer::servers_for(const ServedNetwork& network) {
  std::vector<SocketAddress> servers;
  for (const netns::IpAddress& address : network.forward)
    if (const auto server = nameserver_address({address, ""})) servers.push_back(*server);
  if (!network.forward.empty()) return servers;
  for (const Nameserver& nameserver : resolv_conf_.nameservers())
    if (const auto server = nameserver_address(nameserver)) servers.push_back(*server);
  return servers;
}

// Whoever reaches the address by another way (rootful, a neighbour of the host) is no container.
bool DnsServer::is_own(const std::string& network, const netns::IpAddress& address) const {
  const ServedNetwork served = files_.network(network);
  return std::any_of(served.subnets.begin(), served.subnets.end(),
                     [&](const netns::Subnet& subnet) { return netns::contains(subnet, address); });
}

void DnsServer::answer(Transport transport, const Asker& asker, ByteView bytes, Reply reply) {
  ParsedQuery parsed = parse_query(bytes);
  if (!parsed.query) {
    if (!parsed.rejection.empty()) reply(std::move(parsed.rejection), {});
    return;
  }
  const Query& query = *parsed.query;
  if (auto own = answer_query(bytes, query, asker, files_, turn_++)) return reply(std::move(*own), query);
  ForwardedQuery forwarded{asker.address, Bytes(bytes.begin(), bytes.end()), query,
                           servers_for(files_.network(asker.network)),
                           [reply, query](Bytes message) { reply(std::move(message), query); }};
  if (forwarded.servers.empty()) return reply(build_failure(bytes, Rcode::server_failure), query);
  if (transport == Transport::datagram) {
    forwarder_.ask_by_datagram(std::move(forwarded));
  } else {
    forwarder_.ask_by_stream(std::move(forwarded));
  }
}

// ---- datagrams ----

void DnsServer::receive_datagram(const std::string& network, int socket_fd) {
  static std::array<std::uint8_t, 65535> buffer;
  for (int i = 0; i < datagrams_at_once; ++i) {
    SocketAddress sender{};
    socklen_t size = sizeof sender;
    const ssize_t length =
        ::recvfrom(socket_fd, buffer.data(), buffer.size(), MSG_DONTWAIT, &sender.any, &size);
    if (length < 0) return;
    answer_datagram(network, socket_fd, {buffer.data(), static_cast<std::size_t>(length)}, sender);
  }
}

// The socket may be gone, and its number another's, when an answer comes from outside.
void DnsServer::answer_datagram(const std::string& network, int socket_fd, ByteView bytes,
                                const SocketAddress& sender) {
  const Asker asker{network, netns::forward::to_peer(sender).address};
  if (!is_own(network, asker.address)) return;
  answer(Transport::datagram, asker, bytes,
         [this, network, socket_fd, sender](Bytes message, const Query& query) {
           const auto found = sockets_.find(network);
           if (found == sockets_.end()) return;
           const bool is_open =
               std::any_of(found->second.begin(), found->second.end(),
                           [&](const sys::UniqueFd& socket) { return socket.get() == socket_fd; });
           if (!is_open) return;
           fit_into_datagram(message, query);
           ::sendto(socket_fd, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT, &sender.any,
                    sender.size());
         });
}

// ---- connections ----

void DnsServer::accept_client(const std::string& network, int socket_fd) {
  SocketAddress sender{};
  socklen_t size = sizeof sender;
  sys::UniqueFd socket(::accept4(socket_fd, &sender.any, &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return;
  Asker asker{network, netns::forward::to_peer(sender).address};
  if (!is_own(network, asker.address)) return;
  if (clients_.size() >= most_clients) close_client(*clients_.front());
  const auto client = std::make_shared<Client>();
  client->socket = std::move(socket);
  client->asker = std::move(asker);
  client->timer = loop_.after(client_patience, [this, raw = client.get()] { close_client(*raw); });
  clients_.push_back(client);
  loop_.watch(client->socket.get(), EPOLLIN,
              [this, raw = client.get()](EventLoop::Events events) { handle_client(*raw, events); });
}

void DnsServer::close_client(Client& client) {
  loop_.cancel(client.timer);
  loop_.forget(client.socket.get());
  clients_.remove_if([&](const auto& one) { return one.get() == &client; });
}

void DnsServer::handle_client(Client& client, EventLoop::Events events) {
  // Broken, or closed from both sides: nobody would hear an answer.
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return close_client(client);
  if ((events & EPOLLOUT) != 0 && !client.stream.flush(client.socket.get())) return close_client(client);
  if ((events & EPOLLIN) != 0 && !client.stream.fill(client.socket.get())) client.at_end = true;
  answer_client(client);
}

void DnsServer::answer_client(Client& client) {
  const std::shared_ptr<Client> kept =
      *std::find_if(clients_.begin(), clients_.end(), [&](const auto& one) { return one.get() == &client; });
  client.answering = true;
  while (!client.broken && client.waiting < most_waiting) {
    const auto message = client.stream.next();
    if (!message) break;
    ++client.waiting;
    client.broken = message->size() < header_size;
    answer(Transport::stream, client.asker, *message,
           [this, asking = std::weak_ptr<Client>(kept)](const Bytes& answer, const Query&) {
             if (const auto still = asking.lock()) reply_to_client(*still, answer);
           });
  }
  client.answering = false;
  update_client(client);
}

void DnsServer::reply_to_client(Client& client, ByteView message) {
  --client.waiting;
  client.stream.send(message);
  if (!client.stream.flush(client.socket.get())) client.broken = true;
  loop_.cancel(client.timer);
  client.timer = loop_.after(client_patience, [this, raw = &client] { close_client(*raw); });
  // An answer from outside makes room for what waits on the connection.
  if (!client.answering) answer_client(client);
}

void DnsServer::update_client(Client& client) {
  const bool done = client.at_end && client.waiting == 0 && !client.stream.has_output();
  if (client.broken || done) return close_client(client);
  EventLoop::Events events = client.stream.has_output() ? EventLoop::Events{EPOLLOUT} : 0;
  if (!client.at_end && client.waiting < most_waiting) events |= EPOLLIN;
  loop_.change(client.socket.get(), events);
}

}  // namespace knarr::engine::netd
