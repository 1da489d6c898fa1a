// SPDX-License-Identifier: Apache-2.0
// DNS messages on a connection: each after its length in two bytes (RFC 1035, 4.2.2).
#pragma once

#include <optional>

#include "engine/netd/message.h"

namespace knarr::engine::netd {

class MessageStream {
 public:
  void send(ByteView message);
  bool has_output() const { return sent_ < output_.size(); }
  // What the socket takes now; false when the connection is broken.
  bool flush(int socket_fd);

  // What the socket has now; false at the end, or when it is broken.
  bool fill(int socket_fd);
  // The next whole message.
  std::optional<Bytes> next();

 private:
  Bytes input_, output_;
  std::size_t sent_ = 0;
};

}  // namespace knarr::engine::netd
