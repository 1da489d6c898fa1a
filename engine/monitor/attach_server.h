// SPDX-License-Identifier: Apache-2.0
// The monitor's side of the attach socket (protocol.h): the clients, what they still have to get, what they
// say.
#pragma once

#include <poll.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/monitor/protocol.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::engine::monitor {

// A frame from a client. The payload lies in the buffer it was received into.
struct ClientFrame {
  FrameType type;
  std::string_view payload;
};

class AttachServer {
 public:
  AttachServer() = default;  // without a socket: only adopted clients
  // Binds and listens in the directory, which must outlive this. A socket left there by a dead monitor is
  // replaced. Throws SysError.
  explicit AttachServer(int run_directory_fd);
  ~AttachServer() { stop_listening(); }
  AttachServer(const AttachServer&) = delete;
  AttachServer& operator=(const AttachServer&) = delete;

  // The first client of a start; with stdin_once its going ends the input.
  void adopt(sys::UniqueFd socket);
  // Takes in everybody who waits; strangers (SO_PEERCRED) are turned away. False: there is no descriptor or
  // memory for the next one, who keeps waiting, so that the listening descriptor stays readable.
  bool accept_clients();
  // No more clients; those that wait are still taken in.
  void stop_listening();

  // ---- output: all clients get the same frames ----

  // Sends a frame to every client. One that cannot take it now gets it by flush(); until then blocked()
  // holds, `bytes` must stay as they are, and no other frame may be posted.
  void post(FrameType type, std::string_view bytes);
  // The same, with a copy of the bytes, at any time.
  void post_copy(FrameType type, std::string_view bytes);
  // Copies what blocks, so that its memory can be used again.
  void own_posted();
  bool blocked() const { return !frames_.empty(); }
  void flush();

  // ---- input and readiness ----

  // Appends one entry per client to a poll set; `reading`: frames from clients are wanted.
  void watch(std::vector<pollfd>& set, bool reading);
  // What poll(2) said about them: `first` points to the first entry that watch() made. Comes before anything
  // that adds or removes clients.
  void note_events(const pollfd* first);
  // The next frame a client has sent, received into `buffer` (max_frame + 1 bytes). nullopt: none now.
  std::optional<ClientFrame> receive(char* buffer);
  // True once: the client that the input belonged to is gone.
  bool input_owner_left();

  bool has_clients() const { return !clients_.empty(); }
  int listening_fd() const { return listener_.get(); }

 private:
  struct Client {
    sys::UniqueFd socket;
    std::size_t sent = 0;  // of frames_
    bool readable = false;
    bool deaf = false;  // it does not take frames any more; what it sent may still be read
    bool owns_input = false;
  };
  struct Frame {
    FrameType type;
    std::string_view bytes;
    std::unique_ptr<char[]> copy;
  };

  void add(sys::UniqueFd socket);
  bool send(Client& client, const Frame& frame);
  void drop_delivered();
  void remove(std::size_t index);

  int run_directory_fd_ = -1;
  sys::UniqueFd listener_;
  std::vector<Client> clients_;
  std::vector<Frame> frames_;  // each is still to be sent to a client or more; almost always at most one
  bool had_client_ = false;
  bool owner_left_ = false;
};

}  // namespace knarr::engine::monitor
