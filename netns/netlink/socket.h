// SPDX-License-Identifier: Apache-2.0
// A netlink(7) socket: requests that wait for the kernel's acknowledgement, and dumps. Errors are SysErrors
// with the kernel's own words (NETLINK_EXT_ACK) where it gives some.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "netns/netlink/message.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::netns::netlink {

// How the kernel answered a request.
struct Answer {
  int error = 0;  // errno; 0: done
  std::string reason;
};
// SysError "ACT: REASON: errno's words".
[[noreturn]] void throw_refused(const Answer& answer, std::string_view act);

class Socket {
 public:
  Socket() = default;  // none
  // Takes a socket of any namespace (AF_NETLINK, SOCK_RAW), see open_netlink.
  explicit Socket(sys::UniqueFd fd);

  explicit operator bool() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }

  // One request and its answer. Throws only when no answer comes.
  Answer ask(Message message);
  // Throws SysError when the kernel refuses.
  void request(Message message, std::string_view act);

  // The payload of the one object that is asked for; nullopt when there is none (ENODEV, ENOENT). Valid until
  // the next call.
  std::optional<Bytes> get(Message message, std::string_view act);

  // Several messages as one transaction of nf_tables (NFNL_MSG_BATCH_BEGIN and _END around them): all or
  // nothing. The answer is that to the first one that failed.
  Answer transact(std::vector<Message> messages);

  // What the kernel lists. Read again when it changed meanwhile (NLM_F_DUMP_INTR).
  class Dump {
   public:
    // Calls `each` with each message (Received).
    template <typename Each>
    void for_each(Each&& each) const {
      for (Bytes rest : parts_) {
        for (Received message; next_message(rest, message);) {
          if (message.header.nlmsg_type >= NLMSG_MIN_TYPE) each(message);
        }
      }
    }

   private:
    friend class Socket;
    std::vector<std::vector<std::uint8_t>> parts_;
  };
  Dump dump(Message message, std::string_view act);

 private:
  std::uint32_t send(Message& message);
  void send_bytes(Bytes bytes);
  Bytes receive();
  Answer read_transaction(std::uint32_t begin, std::uint32_t last);
  enum class DumpState { whole, changed };
  DumpState read_dump(std::uint32_t sequence, Dump& dump, std::string_view act);

  sys::UniqueFd fd_;
  std::uint32_t sequence_ = 0;
  std::vector<std::uint8_t> buffer_;
};

// socket(2) in this process's network namespace; protocol NETLINK_ROUTE, NETLINK_NETFILTER. Throws SysError;
// EPROTONOSUPPORT: this kernel has none.
Socket open_netlink(int protocol);

}  // namespace knarr::netns::netlink
