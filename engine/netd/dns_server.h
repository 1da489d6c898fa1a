// SPDX-License-Identifier: Apache-2.0
// The sockets of the networks: which one a query comes by says which network it is about.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/netd/answer.h"
#include "engine/netd/event_loop.h"
#include "engine/netd/forwarder.h"
#include "engine/netd/name_files.h"
#include "engine/netd/resolv_conf.h"
#include "engine/netd/stream.h"

namespace knarr::engine::netd {

class DnsServer {
 public:
  DnsServer(EventLoop& loop, NameFiles files, std::string resolv_conf)
      : loop_(loop), files_(std::move(files)), resolv_conf_(std::move(resolv_conf)), forwarder_(loop) {}
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  // These sockets instead of those the network had.
  void serve(const std::string& network, std::vector<sys::UniqueFd> sockets);
  // Closes its sockets; nothing when it is not served.
  void forget(const std::string& network);
  bool serves(const std::string& network) const { return sockets_.contains(network); }

 private:
  struct Client;  // a connection
  void receive_datagram(const std::string& network, int socket_fd);
  void answer_datagram(const std::string& network, int socket_fd, ByteView bytes,
                       const netns::forward::SocketAddress& sender);
  void accept_client(const std::string& network, int socket_fd);
  void handle_client(Client& client, EventLoop::Events events);
  void answer_client(Client& client);
  void reply_to_client(Client& client, ByteView message);
  void update_client(Client& client);
  void close_client(Client& client);

  enum class Transport { datagram, stream };
  using Reply = std::function<void(Bytes, const Query&)>;
  void answer(Transport transport, const Asker& asker, ByteView bytes, Reply reply);
  std::vector<netns::forward::SocketAddress> servers_for(const ServedNetwork& network);
  bool is_own(const std::string& network, const netns::IpAddress& address) const;

  EventLoop& loop_;
  const NameFiles files_;
  ResolvConf resolv_conf_;
  std::map<std::string, std::vector<sys::UniqueFd>> sockets_;
  std::list<std::shared_ptr<Client>> clients_;
  unsigned turn_ = 0;
  Forwarder forwarder_;  // ends first: its replies need the rest
};

}  // namespace knarr::engine::netd
