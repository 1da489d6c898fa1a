// SPDX-License-Identifier: Apache-2.0
#include "netns/netlink/socket.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <utility>

#include "rootless/sys/error.h"

namespace knarr::netns::netlink {

namespace {

// The kernel fills no more than this at once when the reader offers it (netlink_recvmsg).
constexpr std::size_t receive_size = 32u << 10;
constexpr int dump_attempts = 16;

Answer read_answer(const Received& message) {
  const auto error = read_value<nlmsgerr>(message.payload);
  if (!error) return {EBADMSG, {}};
  Answer answer{-error->error, {}};
  if ((message.header.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return answer;
  // Our message is repeated before the attributes unless NETLINK_CAP_ACK is understood.
  const std::size_t repeated =
      (message.header.nlmsg_flags & NLM_F_CAPPED) != 0 ? 0 : error->msg.nlmsg_len - sizeof(nlmsghdr);
  answer.reason = find_string(attributes_after(message.payload, sizeof *error + repeated), NLMSGERR_ATTR_MSG);
  return answer;
}

Message batch_edge(std::uint16_t type) {
  return {type, 0, nfgenmsg{AF_UNSPEC, NFNETLINK_V0, htons(NFNL_SUBSYS_NFTABLES)}};
}

bool is_answer(const Received& message) {
  return message.header.nlmsg_type == NLMSG_ERROR;
}

}  // namespace

void throw_refused(const Answer& answer, std::string_view act) {
  throw SysError(answer.error, answer.reason.empty() ? std::string(act) : concat(act, ": ", answer.reason));
}

Socket::Socket(sys::UniqueFd fd) : fd_(std::move(fd)) {
  // Kernels without one of them say EINVAL to a name only, so they do without.
  constexpr int on = 1;
  for (const int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK})
    ::setsockopt(fd_.get(), SOL_NETLINK, option, &on, sizeof on);
}

void Socket::send_bytes(Bytes bytes) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  ssize_t sent;
  do {
    sent = ::sendto(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&kernel),
                    sizeof kernel);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) throw_errno("asking the kernel by netlink");
}

std::uint32_t Socket::send(Message& message) {
  message.set_sequence(++sequence_);
  send_bytes(message.bytes());
  return sequence_;
}

Bytes Socket::receive() {
  buffer_.resize(receive_size);
  ssize_t size;
  do {
    size = ::recv(fd_.get(), buffer_.data(), buffer_.size(), MSG_TRUNC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) throw_errno("reading the kernel's netlink answer");
  if (static_cast<std::size_t>(size) > buffer_.size())
    throw_sys_error(EMSGSIZE, "reading the kernel's netlink answer");
  return {buffer_.data(), static_cast<std::size_t>(size)};
}

Answer Socket::ask(Message message) {
  message.add_flags(NLM_F_ACK);
  const std::uint32_t sequence = send(message);
  for (;;) {
    Bytes rest = receive();
    for (Received received; next_message(rest, received);) {
      if (received.header.nlmsg_seq == sequence && is_answer(received)) return read_answer(received);
    }
  }
}

void Socket::request(Message message, std::string_view act) {
  const Answer answer = ask(std::move(message));
  if (answer.error != 0) throw_refused(answer, act);
}

std::optional<Bytes> Socket::get(Message message, std::string_view act) {
  const std::uint32_t sequence = send(message);
  for (;;) {
    Bytes rest = receive();
    for (Received received; next_message(rest, received);) {
      if (received.header.nlmsg_seq != sequence) continue;
      if (!is_answer(received)) return received.payload;
      const Answer answer = read_answer(received);
      if (answer.error == ENODEV || answer.error == ENOENT) return std::nullopt;
      throw_refused(answer, act);
    }
  }
}

Answer Socket::transact(std::vector<Message> messages) {
  // The kernel before 6.10 acknowledges no BATCH_END, so the last of ours tells that all is done.
  messages.back().add_flags(NLM_F_ACK);
  messages.insert(messages.begin(), batch_edge(NFNL_MSG_BATCH_BEGIN));
  messages.push_back(batch_edge(NFNL_MSG_BATCH_END));
  std::vector<std::uint8_t> batch;
  const std::uint32_t begin = sequence_ + 1;
  for (Message& message : messages) {
    message.set_sequence(++sequence_);
    batch.insert(batch.end(), message.bytes().begin(), message.bytes().end());
  }
  send_bytes(batch);
  return read_transaction(begin, sequence_ - 1);
}

// Errors come in the order of the messages. One that concerns all of them is told as BATCH_BEGIN's, and then
// nothing else need come.
Answer Socket::read_transaction(std::uint32_t begin, std::uint32_t last) {
  Answer first_error;
  for (;;) {
    Bytes rest = receive();
    for (Received received; next_message(rest, received);) {
      const std::uint32_t sequence = received.header.nlmsg_seq;
      if (!is_answer(received) || sequence < begin || sequence > last + 1) continue;
      if (first_error.error == 0) first_error = read_answer(received);
      if (sequence == last || (sequence == begin && first_error.error != 0)) return first_error;
    }
  }
}

Socket::Dump Socket::dump(Message message, std::string_view act) {
  message.add_flags(NLM_F_DUMP);
  for (int attempt = 0; attempt < dump_attempts; ++attempt) {
    Dump dump;
    if (read_dump(send(message), dump, act) == DumpState::whole) return dump;
  }
  throw Error(concat(act, ": it never stops changing"));
}

Socket::DumpState Socket::read_dump(std::uint32_t sequence, Dump& dump, std::string_view act) {
  DumpState state = DumpState::whole;
  for (;;) {
    const Bytes part = receive();
    // The end may come with the last entries (since Linux 6.9).
    dump.parts_.emplace_back(part.begin(), part.end());
    Bytes rest = part;
    for (Received received; next_message(rest, received);) {
      if (received.header.nlmsg_seq != sequence) {
        dump.parts_.pop_back();  // of an earlier request
        break;
      }
      if ((received.header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) state = DumpState::changed;
      if (is_answer(received)) throw_refused(read_answer(received), act);
      if (received.header.nlmsg_type != NLMSG_DONE) continue;
      const int status = read_value<int>(received.payload).value_or(0);
      if (status < 0) throw_refused({-status, {}}, act);
      return state;
    }
  }
}

Socket open_netlink(int protocol) {
  sys::UniqueFd fd{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)};
  if (!fd) throw_errno("opening a netlink socket");
  return Socket(std::move(fd));
}

}  // namespace knarr::netns::netlink
