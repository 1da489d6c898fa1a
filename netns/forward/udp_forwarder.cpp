// SPDX-License-Identifier: Apache-2.0
#include "netns/forward/udp_forwarder.h"

#include <netinet/udp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "netns/forward/upstream.h"

namespace knarr::netns::forward {
namespace {

// As connection tracking has them (nf_conntrack_udp_timeout, nf_conntrack_udp_timeout_stream).
constexpr std::int64_t one_way_ms = 30'000;
constexpr std::int64_t answered_ms = 180'000;
// Wake-ups for silent flows are bundled.
constexpr std::int64_t expiry_step_ms = 5'000;
// A flow is a socket. Whoever sends from ever new ports pushes out the oldest, first those without an answer.
constexpr std::size_t max_flows = 4096;
constexpr int max_batches_at_once = 4;

void allow_trains(int socket_fd) {
  const int on = 1;
  ::setsockopt(socket_fd, SOL_UDP, UDP_GRO, &on, sizeof on);  // only speed
}

}  // namespace

UdpForwarder::~UdpForwarder() {
  end_all([](const Flow&) { return true; });
}

// ---- ports ----

int UdpForwarder::add(Listener& listener) {
  allow_trains(listener.fd);
  return events_.add(listener.fd, EPOLLIN, &listener, Source::udp_listener) ? 0 : errno;
}

void UdpForwarder::remove(Listener& listener) {
  events_.remove(listener.fd);
  end_all([&](const Flow& flow) { return flow.listener == &listener; });
}

void UdpForwarder::set_target(const Target& target) {
  target_ = target;
  // A container without a network has no way back to the client's address.
  if (engine_fd_ < 0 || !target.keep_udp_client) target_.keep_client = false;
  end_all([](const Flow&) { return true; });
}

// ---- datagrams ----

void UdpForwarder::take_requests(Listener& listener) {
  for (int i = 0; i < max_batches_at_once; ++i) {
    const int count = batch_.receive(listener.fd);
    for (int first = 0, end = 0; first < count; first = end) {
      const Datagram& datagram = batch_[first];
      for (end = first + 1; end < count; ++end) {
        if (to_peer(batch_[end].sender) != to_peer(datagram.sender) || batch_[end].local != datagram.local)
          break;
      }
      const Key key{listener, to_peer(datagram.sender), datagram.local};
      Flow* flow = find(key);
      if (!flow) flow = open(key, datagram.sender);
      if (!flow) continue;
      touch(*flow);
      send_datagrams(flow->fd, &datagram, end - first, {}, flow->trains_in);
    }
    if (count < DatagramBatch::capacity) return;
  }
}

void UdpForwarder::take_answers(Flow& flow) {
  for (int i = 0; i < max_batches_at_once && !flow.dead; ++i) {
    const int count = batch_.receive(flow.fd);
    if (count == 0) return;
    if (!flow.answered) {
      one_way_.remove(&flow);
      flow.answered = true;
      answered_.push_front(&flow);
    }
    touch(flow);
    const bool any = is_unspecified(flow.local.address);
    send_datagrams(flow.listener->fd, &batch_[0], count, {&flow.client_address, any ? nullptr : &flow.local},
                   flow.trains_out);
    if (count < DatagramBatch::capacity) return;
  }
}

// ---- flows ----

Flow*& UdpForwarder::bucket_of(const Peer& client) {
  std::uint64_t hash = client.port;
  for (const std::uint8_t byte : client.address.bytes) hash = (hash ^ byte) * 0x100000001b3;
  return buckets_[(hash ^ hash >> 32) % bucket_count];
}

Flow* UdpForwarder::find(const Key& key) {
  for (Flow* at = bucket_of(key.client); at; at = at->next_in_bucket) {
    if (at->listener == &key.listener && at->client == key.client && at->local == key.local) return at;
  }
  return nullptr;
}

// Whether another flow has the same two ends in the container's eyes: the client uses one port towards two of
// the host's.
bool UdpForwarder::has_twin(const Key& key) {
  for (const Flow* at = bucket_of(key.client); at; at = at->next_in_bucket) {
    if (at->client == key.client && at->listener->container_port == key.listener.container_port) return true;
  }
  return false;
}

Flow* UdpForwarder::open(const Key& key, const SocketAddress& client_address) {
  const Endpoint* endpoint = target_.endpoint_for(key.listener.family);
  if (!endpoint) return nullptr;
  if (flows_.used() >= max_flows && !end_oldest()) return nullptr;
  int fd = open_socket(key, *endpoint);
  if (fd < 0 && (errno == EMFILE || errno == ENFILE) && end_oldest()) fd = open_socket(key, *endpoint);
  if (fd < 0) return nullptr;
  Flow* flow = flows_.take();
  if (!flow || !events_.add(fd, EPOLLIN, flow, Source::udp_flow)) {
    ::close(fd);
    if (flow) flows_.give_back(flow);
    return nullptr;
  }
  flow->listener = const_cast<Listener*>(&key.listener);
  flow->fd = fd;
  flow->client_address = client_address;
  flow->client = key.client;
  flow->local = key.local;
  flow->next_in_bucket = std::exchange(bucket_of(key.client), flow);
  one_way_.push_front(flow);
  return flow;
}

int UdpForwarder::open_socket(const Key& key, const Endpoint& endpoint) {
  // The socket stays where it was made; the way back cannot fail, it was gone before.
  if (engine_fd_ >= 0 && ::setns(engine_fd_, CLONE_NEWNET) < 0) return -1;
  Peer source = source_for(key.client, endpoint, target_.keep_client);
  if (has_twin(key)) source = any_port(source);
  const int fd = open_flow(source, {endpoint.address, key.listener.container_port});
  const int error = errno;
  if (engine_fd_ >= 0) ::setns(container_fd_, CLONE_NEWNET);
  if (fd >= 0) allow_trains(fd);
  errno = error;
  return fd;
}

void UdpForwarder::touch(Flow& flow) {
  flow.used_ms = monotonic_ms();
  List<Flow>& list = flow.answered ? answered_ : one_way_;
  if (list.first() == &flow) return;
  list.remove(&flow);
  list.push_front(&flow);
}

// ---- their end ----

// The socket is free at once, the object when no event can name it any more.
void UdpForwarder::end(Flow& flow) {
  ::close(std::exchange(flow.fd, -1));
  (flow.answered ? answered_ : one_way_).remove(&flow);
  Flow** at = &bucket_of(flow.client);
  while (*at != &flow) at = &(*at)->next_in_bucket;
  *at = flow.next_in_bucket;
  flow.dead = true;
  flow.next_dead = std::exchange(dead_, &flow);
}

bool UdpForwarder::end_oldest() {
  Flow* oldest = one_way_.empty() ? answered_.last() : one_way_.last();
  if (oldest) end(*oldest);
  return oldest != nullptr;
}

template <typename Which>
void UdpForwarder::end_all(const Which& which) {
  for (List<Flow>* list : {&one_way_, &answered_}) {
    for (Flow *at = list->first(), *next; at; at = next) {
      next = at->links.next;
      if (which(*at)) end(*at);
    }
  }
}

void UdpForwarder::finish_round() {
  const std::int64_t now = one_way_.empty() && answered_.empty() ? 0 : monotonic_ms();
  while (!one_way_.empty() && now - one_way_.last()->used_ms >= one_way_ms) end(*one_way_.last());
  while (!answered_.empty() && now - answered_.last()->used_ms >= answered_ms) end(*answered_.last());
  for (Flow *at = std::exchange(dead_, nullptr), *next; at; at = next) {
    next = at->next_dead;
    flows_.give_back(at);
  }
}

int UdpForwarder::timeout_ms() const {
  std::int64_t due = -1;
  const auto consider = [&](const List<Flow>& list, std::int64_t limit) {
    if (list.empty()) return;
    const std::int64_t at = list.last()->used_ms + limit;
    if (due < 0 || at < due) due = at;
  };
  consider(one_way_, one_way_ms);
  consider(answered_, answered_ms);
  return due < 0 ? -1 : static_cast<int>(std::max(expiry_step_ms, due - monotonic_ms()));
}

void UdpForwarder::release_memory() {
  batch_.release();
  flows_.release();
}

}  // namespace knarr::netns::forward
