// SPDX-License-Identifier: Apache-2.0
#include "netns/netlink/message.h"

#include <arpa/inet.h>

#include "rootless/sys/error.h"

namespace knarr::netns::netlink {

namespace {

constexpr std::size_t attribute_limit = UINT16_MAX;  // nla_len

std::size_t aligned(std::size_t size) {
  return (size + NLMSG_ALIGNTO - 1) & ~std::size_t{NLMSG_ALIGNTO - 1};
}

nlattr attribute_header(std::size_t payload, std::uint16_t type) {
  if (payload > attribute_limit - sizeof(nlattr)) throw Error("a netlink attribute has no more than 64 KiB");
  return {static_cast<std::uint16_t>(sizeof(nlattr) + payload), type};
}

}  // namespace

Message::Message(std::uint16_t type, std::uint16_t flags) {
  bytes_.reserve(256);
  bytes_.resize(sizeof(nlmsghdr));
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
  header.nlmsg_len = sizeof header;
  set_header(header);
}

nlmsghdr Message::header() const {
  nlmsghdr header;
  std::memcpy(&header, bytes_.data(), sizeof header);
  return header;
}

void Message::set_header(const nlmsghdr& header) {
  std::memcpy(bytes_.data(), &header, sizeof header);
}

void Message::append(const void* data, std::size_t size) {
  const std::size_t start = bytes_.size();
  bytes_.resize(start + aligned(size));
  if (size > 0) std::memcpy(bytes_.data() + start, data, size);
  nlmsghdr changed = header();
  changed.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
  set_header(changed);
}

void Message::put(std::uint16_t type, const void* data, std::size_t size) {
  const nlattr attribute = attribute_header(size, type);
  append(&attribute, sizeof attribute);
  append(data, size);
}

void Message::put_be32(std::uint16_t type, std::uint32_t value) {
  put_u32(type, htonl(value));
}

void Message::put_string(std::uint16_t type, std::string_view value) {
  const std::string terminated(value);
  put(type, terminated.c_str(), terminated.size() + 1);
}

std::size_t Message::open_nest(std::uint16_t type) {
  const std::size_t start = bytes_.size();
  put_flag(type | NLA_F_NESTED);
  return start;
}

void Message::close_nest(std::size_t start) {
  nlattr attribute;
  std::memcpy(&attribute, bytes_.data() + start, sizeof attribute);
  attribute = attribute_header(bytes_.size() - start - sizeof attribute, attribute.nla_type);
  std::memcpy(bytes_.data() + start, &attribute, sizeof attribute);
}

void Message::add_flags(std::uint16_t flags) {
  nlmsghdr changed = header();
  changed.nlmsg_flags |= flags;
  set_header(changed);
}

void Message::set_sequence(std::uint32_t sequence) {
  nlmsghdr changed = header();
  changed.nlmsg_seq = sequence;
  set_header(changed);
}

bool next_message(Bytes& rest, Received& message) {
  if (rest.empty()) return false;
  const auto header = read_value<nlmsghdr>(rest);
  if (!header || header->nlmsg_len < sizeof *header || header->nlmsg_len > rest.size())
    throw Error("the kernel's netlink answer is cut short");
  message.header = *header;
  message.payload = rest.subspan(sizeof *header, header->nlmsg_len - sizeof *header);
  rest = rest.subspan(std::min(rest.size(), aligned(header->nlmsg_len)));
  return true;
}

std::optional<Bytes> find_attribute(Bytes attributes, std::uint16_t type) {
  while (const auto header = read_value<nlattr>(attributes)) {
    if (header->nla_len < sizeof *header || header->nla_len > attributes.size()) return std::nullopt;
    if ((header->nla_type & NLA_TYPE_MASK) == type)
      return attributes.subspan(sizeof *header, header->nla_len - sizeof *header);
    attributes = attributes.subspan(std::min(attributes.size(), aligned(header->nla_len)));
  }
  return std::nullopt;
}

Bytes attributes_after(Bytes payload, std::size_t header_size) {
  return payload.subspan(std::min(payload.size(), aligned(header_size)));
}

std::optional<std::uint32_t> find_u32(Bytes attributes, std::uint16_t type) {
  const auto payload = find_attribute(attributes, type);
  return payload ? read_value<std::uint32_t>(*payload) : std::nullopt;
}

std::string find_string(Bytes attributes, std::uint16_t type) {
  const auto payload = find_attribute(attributes, type);
  if (!payload) return {};
  const auto* text = reinterpret_cast<const char*>(payload->data());
  return std::string(text, ::strnlen(text, payload->size()));
}

}  // namespace knarr::netns::netlink
