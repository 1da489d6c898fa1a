// SPDX-License-Identifier: Apache-2.0
#include "netns/forward/datagrams.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace knarr::netns::forward {
namespace {

// What older kernels take (UDP_MAX_SEGMENTS), and what fits an IP packet of either family.
constexpr int max_train = 64;
constexpr std::size_t max_train_bytes = 65000;

union Control {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
};

// ---- what came ----

void read_control(msghdr& message, Datagram& datagram) {
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at)) {
    if (at->cmsg_level == SOL_UDP && at->cmsg_type == UDP_GRO) {
      int segment;
      std::memcpy(&segment, CMSG_DATA(at), sizeof segment);
      if (static_cast<std::uint32_t>(segment) < datagram.size)
        datagram.segment = static_cast<std::uint16_t>(segment);
    } else if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(at), sizeof info);
      // Not the header's address, which may be a broadcast.
      std::memcpy(datagram.local.address.bytes.data(), &info.ipi_spec_dst, 4);
    } else if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(at), sizeof info);
      datagram.local.address.family = Family::v6;
      if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) datagram.local.interface = info.ipi6_ifindex;
      if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) continue;
      std::memcpy(datagram.local.address.bytes.data(), &info.ipi6_addr, 16);
    }
  }
}

// ---- what goes ----

cmsghdr* add_control(msghdr& message, int level, int type, const void* data, std::size_t size) {
  cmsghdr* header =
      reinterpret_cast<cmsghdr*>(static_cast<char*>(message.msg_control) + message.msg_controllen);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(header), data, size);
  message.msg_controllen += CMSG_SPACE(size);
  return header;
}

void add_sender(msghdr& message, const LocalAddress& sender) {
  if (sender.address.family == Family::v4) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, sender.address.bytes.data(), 4);
    add_control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
  } else {
    in6_pktinfo info{};
    info.ipi6_ifindex = sender.interface;
    std::memcpy(&info.ipi6_addr, sender.address.bytes.data(), 16);
    add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
  }
}

// A message under construction with the memory it points to.
struct Outgoing {
  iovec parts[DatagramBatch::capacity];
  Control control;

  msghdr message(const Destination& destination, int count, std::uint16_t segment) {
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = static_cast<std::size_t>(count);
    message.msg_control = &control;
    if (destination.receiver) {
      message.msg_name = const_cast<SocketAddress*>(destination.receiver);
      message.msg_namelen = destination.receiver->size();
    }
    if (destination.sender) add_sender(message, *destination.sender);
    if (segment != 0) add_control(message, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
    if (message.msg_controllen == 0) message.msg_control = nullptr;
    return message;
  }
};

// False: the way does not take a train.
bool send_message(int socket_fd, const msghdr& message) {
  // A pending ICMP error of an earlier datagram is reported first, and once.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (::sendmsg(socket_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
    if (errno != ECONNREFUSED && errno != EHOSTUNREACH) break;
  }
  return errno != EINVAL && errno != EIO && errno != EMSGSIZE;
}

void send_apart(int socket_fd, const Datagram& datagram, const Destination& destination) {
  const std::uint32_t step = datagram.segment != 0 ? datagram.segment : datagram.size;
  std::uint32_t at = 0;
  do {
    Outgoing outgoing;
    const std::uint32_t size = std::min(step, datagram.size - at);
    outgoing.parts[0] = {datagram.bytes + at, size};
    send_message(socket_fd, outgoing.message(destination, 1, 0));
    at += size;
  } while (at < datagram.size);
}

// How many from the first one on can be one train.
int train_length(const Datagram* datagrams, int count) {
  const std::uint32_t size = datagrams[0].size;
  if (datagrams[0].segment != 0 || size == 0) return 1;
  int length = 1;
  for (std::size_t bytes = size; length < count && length < max_train; ++length) {
    const Datagram& next = datagrams[length];
    bytes += next.size;
    if (next.segment != 0 || next.size == 0 || next.size > size || bytes > max_train_bytes) return length;
    if (next.size < size) return length + 1;
  }
  return length;
}

}  // namespace

int DatagramBatch::receive(int socket_fd) {
  if (!buffer_) {
    void* pages =
        ::mmap(nullptr, capacity * datagram_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return 0;
    buffer_ = static_cast<char*>(pages);
  }
  mmsghdr messages[capacity] = {};
  iovec parts[capacity];
  Control controls[capacity];
  for (int i = 0; i < capacity; ++i) {
    parts[i] = {buffer_ + static_cast<std::size_t>(i) * datagram_size, datagram_size};
    messages[i].msg_hdr = {.msg_name = &datagrams_[i].sender,
                           .msg_namelen = sizeof(SocketAddress),
                           .msg_iov = &parts[i],
                           .msg_iovlen = 1,
                           .msg_control = &controls[i],
                           .msg_controllen = sizeof(Control),
                           .msg_flags = 0};
  }
  const int count = ::recvmmsg(socket_fd, messages, capacity, MSG_DONTWAIT, nullptr);
  for (int i = 0; i < count; ++i) {
    datagrams_[i].bytes = static_cast<char*>(parts[i].iov_base);
    datagrams_[i].size = messages[i].msg_len;
    datagrams_[i].segment = 0;
    datagrams_[i].local = {};
    read_control(messages[i].msg_hdr, datagrams_[i]);
  }
  return std::max(count, 0);
}

void DatagramBatch::release() {
  if (buffer_) ::munmap(std::exchange(buffer_, nullptr), capacity * datagram_size);
}

void send_datagrams(int socket_fd, const Datagram* datagrams, int count, const Destination& destination,
                    bool& trains) {
  for (int at = 0; at < count;) {
    const int length = trains ? train_length(datagrams + at, count - at) : 1;
    Outgoing outgoing;
    for (int i = 0; i < length; ++i) outgoing.parts[i] = {datagrams[at + i].bytes, datagrams[at + i].size};
    std::uint16_t segment = datagrams[at].segment;
    if (length > 1) segment = static_cast<std::uint16_t>(datagrams[at].size);
    const bool sent =
        (segment == 0 || trains) && send_message(socket_fd, outgoing.message(destination, length, segment));
    if (!sent && segment != 0) {
      trains = false;
      for (int i = 0; i < length; ++i) send_apart(socket_fd, datagrams[at + i], destination);
    }
    at += length;
  }
}

}  // namespace knarr::netns::forward
