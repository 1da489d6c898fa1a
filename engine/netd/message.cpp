// SPDX-License-Identifier: Apache-2.0
#include "engine/netd/message.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

namespace knarr::engine::netd {

namespace {

struct FreePacket {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
using Packet = std::unique_ptr<ldns_pkt, FreePacket>;

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};

std::uint16_t read_u16(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

// ---- the header's flags (RFC 1035, 4.1.1) ----

constexpr std::uint8_t flag_response = 0x80, flag_opcode = 0x78, flag_truncated = 0x02, flag_desired = 0x01;
constexpr std::uint8_t flag_available = 0x80, mask_rcode = 0x0f;

// The header alone: of what cannot be taken apart nothing else is repeated.
Bytes reject(ByteView query, Rcode rcode) {
  Bytes answer(header_size, 0);
  std::copy_n(query.begin(), 2, answer.begin());
  answer[2] = flag_response | (query[2] & (flag_opcode | flag_desired));
  answer[3] = flag_available | static_cast<std::uint8_t>(rcode);
  return answer;
}

Packet parse_packet(ByteView bytes) {
  ldns_pkt* packet = nullptr;
  if (ldns_wire2pkt(&packet, bytes.data(), bytes.size()) != LDNS_STATUS_OK) return nullptr;
  return Packet(packet);
}

const ldns_rr* question_of(const ldns_pkt* packet) {
  const ldns_rr_list* questions = ldns_pkt_question(packet);
  return questions != nullptr && ldns_rr_list_rr_count(questions) == 1 ? ldns_rr_list_rr(questions, 0)
                                                                       : nullptr;
}

std::string render_name(const ldns_rdf* name) {
  const std::unique_ptr<char, FreeMemory> text(ldns_rdf2str(name));
  std::string rendered = text ? text.get() : "";
  if (!rendered.empty() && rendered.back() == '.') rendered.pop_back();
  std::transform(rendered.begin(), rendered.end(), rendered.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return rendered;
}

// A query has one question and nothing but EDNS and signatures after it.
bool has_plausible_counts(ByteView bytes) {
  return read_u16(bytes, 4) == 1 && read_u16(bytes, 6) == 0 && read_u16(bytes, 8) == 0 &&
         read_u16(bytes, 10) <= 4;
}

// The question's name may not be compressed: there is nothing before it to point to.
std::size_t find_question_end(ByteView bytes) {
  std::size_t at = header_size;
  while (at < bytes.size() && bytes[at] != 0) {
    if (bytes[at] > 63) return 0;
    at += 1u + bytes[at];
  }
  at += 5;
  return at <= bytes.size() ? at : 0;
}

constexpr std::uint16_t least_datagram = 512;

std::optional<Query> read_query(ByteView bytes) {
  if (!has_plausible_counts(bytes)) return std::nullopt;
  Query query;
  query.question_end = find_question_end(bytes);
  const Packet packet = query.question_end != 0 ? parse_packet(bytes) : nullptr;
  const ldns_rr* question = packet ? question_of(packet.get()) : nullptr;
  if (question == nullptr) return std::nullopt;
  query.name = render_name(ldns_rr_owner(question));
  query.type = static_cast<std::uint16_t>(ldns_rr_get_type(question));
  query.klass = static_cast<std::uint16_t>(ldns_rr_get_class(question));
  if (ldns_pkt_edns(packet.get()))
    query.longest_answer = std::max(least_datagram, ldns_pkt_edns_udp_size(packet.get()));
  return query;
}

// ---- answers ----

// What we take in a datagram ourselves (RFC 6891).
constexpr std::uint16_t own_datagram = 1232;

Packet begin_answer(const ldns_pkt* query, Rcode rcode) {
  Packet answer(ldns_pkt_new());
  ldns_pkt_set_id(answer.get(), ldns_pkt_id(query));
  ldns_pkt_set_qr(answer.get(), true);
  ldns_pkt_set_rd(answer.get(), ldns_pkt_rd(query));
  ldns_pkt_set_ra(answer.get(), true);
  ldns_pkt_set_rcode(answer.get(), static_cast<ldns_pkt_rcode>(rcode));
  ldns_pkt_push_rr(answer.get(), LDNS_SECTION_QUESTION, ldns_rr_clone(question_of(query)));
  if (ldns_pkt_edns(query)) ldns_pkt_set_edns_udp_size(answer.get(), own_datagram);
  return answer;
}

// Names come and go with containers: nobody may keep an answer.
void add_record(ldns_pkt* answer, std::uint16_t type, ldns_rdf* data) {
  ldns_rr* record = ldns_rr_new();
  ldns_rr_set_owner(record, ldns_rdf_clone(ldns_rr_owner(question_of(answer))));
  ldns_rr_set_type(record, static_cast<ldns_rr_type>(type));
  ldns_rr_set_class(record, LDNS_RR_CLASS_IN);
  ldns_rr_set_ttl(record, 0);
  ldns_rr_push_rdf(record, data);
  ldns_pkt_push_rr(answer, LDNS_SECTION_ANSWER, record);
}

Bytes render_packet(const ldns_pkt* packet) {
  std::uint8_t* wire = nullptr;
  std::size_t size = 0;
  if (ldns_pkt2wire(&wire, packet, &size) != LDNS_STATUS_OK) return {};
  const std::unique_ptr<std::uint8_t, FreeMemory> owned(wire);
  return Bytes(wire, wire + size);
}

}  // namespace

ParsedQuery parse_query(ByteView bytes) {
  if (bytes.size() < header_size || (bytes[2] & flag_response) != 0) return {};
  if ((bytes[2] & flag_opcode) != 0) return {std::nullopt, reject(bytes, Rcode::not_implemented)};
  std::optional<Query> query = read_query(bytes);
  if (!query) return {std::nullopt, reject(bytes, Rcode::format_error)};
  return {std::move(query), {}};
}

Bytes build_failure(ByteView query, Rcode rcode) {
  const Packet packet = parse_packet(query);
  if (!packet) return reject(query, rcode);
  return render_packet(begin_answer(packet.get(), rcode).get());
}

Bytes build_addresses(ByteView query, std::span<const netns::IpAddress> addresses) {
  const Packet packet = parse_packet(query);
  if (!packet) return reject(query, Rcode::server_failure);
  const auto asked = static_cast<std::uint16_t>(ldns_rr_get_type(question_of(packet.get())));
  const Packet answer = begin_answer(packet.get(), Rcode::no_error);
  ldns_pkt_set_aa(answer.get(), true);
  for (const netns::IpAddress& address : addresses) {
    const bool v6 = address.family == netns::Family::v6;
    const std::uint16_t type = v6 ? type_aaaa : type_a;
    if (asked != type && asked != type_any) continue;
    add_record(answer.get(), type,
               ldns_rdf_new_frm_data(v6 ? LDNS_RDF_TYPE_AAAA : LDNS_RDF_TYPE_A, address.size(),
                                     address.bytes.data()));
  }
  return render_packet(answer.get());
}

Bytes build_names(ByteView query, std::span<const std::string> names) {
  const Packet packet = parse_packet(query);
  if (!packet) return reject(query, Rcode::server_failure);
  const Packet answer = begin_answer(packet.get(), Rcode::no_error);
  ldns_pkt_set_aa(answer.get(), true);
  for (const std::string& name : names) {
    if (ldns_rdf* data = ldns_dname_new_frm_str(name.c_str())) add_record(answer.get(), type_ptr, data);
  }
  return render_packet(answer.get());
}

void fit_into_datagram(Bytes& answer, const Query& query) {
  if (answer.size() <= query.longest_answer || answer.size() < query.question_end) return;
  answer.resize(query.question_end);
  answer[2] |= flag_truncated;
  for (std::size_t count = 6; count < header_size; ++count) answer[count] = 0;
}

std::uint16_t message_id(ByteView message) {
  return read_u16(message, 0);
}

void set_message_id(Bytes& message, std::uint16_t id) {
  message[0] = static_cast<std::uint8_t>(id >> 8);
  message[1] = static_cast<std::uint8_t>(id);
}

namespace {

std::uint8_t lower(std::uint8_t c) {
  return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c - 'A' + 'a') : c;
}

}  // namespace

bool answers(ByteView message, ByteView query, const Query& parsed) {
  if (message.size() < parsed.question_end || (message[2] & flag_response) == 0) return false;
  if (message_id(message) != message_id(query) || read_u16(message, 4) != 1) return false;
  return std::equal(query.begin() + header_size,
                    query.begin() + static_cast<std::ptrdiff_t>(parsed.question_end),
                    message.begin() + header_size,
                    [](std::uint8_t one, std::uint8_t other) { return lower(one) == lower(other); });
}

Rcode message_rcode(ByteView message) {
  return static_cast<Rcode>(message[3] & mask_rcode);
}

// ---- reverse names ----

namespace {

// The labels before `zone`, the last one first; nullopt when the name is not in it.
std::optional<std::vector<std::string_view>> labels_below(std::string_view name, std::string_view zone) {
  std::vector<std::string_view> labels;
  if (name == zone) return labels;
  if (!name.ends_with(zone)) return std::nullopt;
  name.remove_suffix(zone.size());
  if (name.back() != '.') return std::nullopt;
  name.remove_suffix(1);
  for (;;) {
    const std::size_t dot = name.rfind('.');
    labels.push_back(dot == std::string_view::npos ? name : name.substr(dot + 1));
    if (dot == std::string_view::npos) return labels;
    name = name.substr(0, dot);
  }
}

std::optional<netns::Subnet> read_labels(const std::vector<std::string_view>& labels, netns::Family family) {
  const unsigned width = family == netns::Family::v4 ? 8 : 4;
  const int base = family == netns::Family::v4 ? 10 : 16;
  netns::Subnet subnet{{family, {}}, 0};
  if (labels.size() * width > subnet.address.bits()) return std::nullopt;
  for (const std::string_view label : labels) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), value, base);
    if (error != std::errc{} || end != label.data() + label.size() || value >> width != 0)
      return std::nullopt;
    const unsigned shift = 8 - width - subnet.prefix % 8;
    subnet.address.bytes[subnet.prefix / 8] |= static_cast<std::uint8_t>(value << shift);
    subnet.prefix = static_cast<std::uint8_t>(subnet.prefix + width);
  }
  return subnet;
}

}  // namespace

std::optional<netns::Subnet> parse_reverse_name(std::string_view name) {
  if (const auto labels = labels_below(name, "in-addr.arpa")) return read_labels(*labels, netns::Family::v4);
  if (const auto labels = labels_below(name, "ip6.arpa")) return read_labels(*labels, netns::Family::v6);
  return std::nullopt;
}

}  // namespace knarr::engine::netd
