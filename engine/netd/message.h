// SPDX-License-Identifier: Apache-2.0
// DNS messages (RFC 1035) as bytes, with ldns. Only queries are taken apart; the answers of other servers
// pass as they are. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "netns/address.h"

namespace knarr::engine::netd {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

enum class Rcode : std::uint8_t {
  no_error = 0,
  format_error = 1,
  server_failure = 2,
  no_such_name = 3,
  not_implemented = 4,
  refused = 5
};

constexpr std::uint16_t type_a = 1, type_ptr = 12, type_aaaa = 28, type_any = 255;
constexpr std::uint16_t class_in = 1;
constexpr std::size_t header_size = 12;

struct Query {
  std::string name;  // lower case, without the dot at the end; odd characters escaped
  std::uint16_t type = 0;
  std::uint16_t klass = 0;
  std::size_t question_end = 0;        // offset of what follows the question
  std::uint16_t longest_answer = 512;  // what the asker takes in a datagram
};

// What came is a query, or deserves an error, or nothing at all (an empty `rejection`).
struct ParsedQuery {
  std::optional<Query> query;
  Bytes rejection;
};
ParsedQuery parse_query(ByteView bytes);

// Answers to a query that parse_query() took.
Bytes build_failure(ByteView query, Rcode rcode);
Bytes build_addresses(ByteView query,
                      std::span<const netns::IpAddress> addresses);     // those of the asked type
Bytes build_names(ByteView query, std::span<const std::string> names);  // of an address

// For a datagram: when it is longer than the asker takes, only header and question, with the truncated bit.
void fit_into_datagram(Bytes& answer, const Query& query);

std::uint16_t message_id(ByteView message);
void set_message_id(Bytes& message, std::uint16_t id);
// Whether a server's message answers this query: its id, that it is a response, the same question.
bool answers(ByteView message, ByteView query, const Query& parsed);
Rcode message_rcode(ByteView message);

// The part of in-addr.arpa and ip6.arpa a name is in; a whole address has all bits as prefix.
std::optional<netns::Subnet> parse_reverse_name(std::string_view name);

}  // namespace knarr::engine::netd
