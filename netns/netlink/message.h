// SPDX-License-Identifier: Apache-2.0
// Messages of netlink(7): built, and read with every length checked. Numbers are the kernel's own (host byte
// order) unless a name says be (network byte order, as nf_tables wants them). Pure.
#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "netns/address.h"

namespace knarr::netns::netlink {

using Bytes = std::span<const std::uint8_t>;

// One message: a header, the family's own header (ifinfomsg, nfgenmsg, ...), attributes (struct nlattr).
class Message {
 public:
  // flags: NLM_F_*. NLM_F_REQUEST is always set.
  template <typename FamilyHeader>
  Message(std::uint16_t type, std::uint16_t flags, const FamilyHeader& family) : Message(type, flags) {
    static_assert(std::is_trivially_copyable_v<FamilyHeader>);
    append(&family, sizeof family);
  }

  void put(std::uint16_t type, const void* data, std::size_t size);
  void put_flag(std::uint16_t type) { put(type, nullptr, 0); }
  void put_u8(std::uint16_t type, std::uint8_t value) { put(type, &value, sizeof value); }
  void put_u32(std::uint16_t type, std::uint32_t value) { put(type, &value, sizeof value); }
  void put_be32(std::uint16_t type, std::uint32_t value);
  void put_string(std::uint16_t type, std::string_view value);  // with a terminating zero
  void put_ip(std::uint16_t type, const IpAddress& address) {
    put(type, address.bytes.data(), address.size());
  }
  // A header inside an attribute (veth's peer has one).
  template <typename Header>
  void put_raw(const Header& header) {
    static_assert(std::is_trivially_copyable_v<Header>);
    append(&header, sizeof header);
  }

  // An attribute that holds what `content` puts. Throws Error when that is longer than an attribute can be.
  template <typename Content>
  void nest(std::uint16_t type, Content&& content) {
    const std::size_t start = open_nest(type);
    content();
    close_nest(start);
  }

  std::uint16_t type() const { return header().nlmsg_type; }
  std::uint16_t flags() const { return header().nlmsg_flags; }
  void add_flags(std::uint16_t flags);
  void set_sequence(std::uint32_t sequence);
  Bytes bytes() const { return bytes_; }

 private:
  Message(std::uint16_t type, std::uint16_t flags);
  nlmsghdr header() const;
  void set_header(const nlmsghdr& header);
  void append(const void* data, std::size_t size);  // padded to NLMSG_ALIGNTO
  std::size_t open_nest(std::uint16_t type);
  void close_nest(std::size_t start);

  std::vector<std::uint8_t> bytes_;  // always whole: nlmsg_len is its size
};

// One message of what was received; false at the end. Throws Error when `rest` is cut short.
struct Received {
  nlmsghdr header{};
  Bytes payload;  // without the header
};
bool next_message(Bytes& rest, Received& message);

// An attribute's payload. Attributes cut short end the search: a newer kernel would not send such.
std::optional<Bytes> find_attribute(Bytes attributes, std::uint16_t type);
// What follows a family's header of this size in a payload; empty when there is nothing.
Bytes attributes_after(Bytes payload, std::size_t header_size);

// The value of a payload of at least its size.
template <typename Value>
std::optional<Value> read_value(Bytes payload) {
  static_assert(std::is_trivially_copyable_v<Value>);
  if (payload.size() < sizeof(Value)) return std::nullopt;
  Value value;
  std::memcpy(&value, payload.data(), sizeof value);
  return value;
}
std::optional<std::uint32_t> find_u32(Bytes attributes, std::uint16_t type);
// Up to the first zero; empty when it is not there.
std::string find_string(Bytes attributes, std::uint16_t type);

}  // namespace knarr::netns::netlink
