// SPDX-License-Identifier: Apache-2.0
// Bytes from one socket to another, with what TCP says beside them: the end of one direction, a reset, and
// that the receiver takes no more for now. Small messages are copied; when a read fills the buffer the
// direction moves pages through a pipe instead (splice(2)), which costs more per call and less per byte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "netns/forward/pool.h"

namespace knarr::netns::forward {

constexpr std::size_t copy_size = 16384;

// What the receiver did not take.
struct Rest {
  std::uint32_t begin, end;
  char bytes[copy_size];
};

struct Pipe {
  int read_fd = -1;
  int write_fd = -1;
};

// An end of a relayed connection. Readiness is what edge-triggered events told and calls found out since.
struct Side {
  int fd = -1;
  bool readable = false;
  bool writable = true;
  bool watched_for_room = false;  // the event set tells when it is writable again
  bool told_end = false;
  bool ask_again =
      false;  // the peer has said its last, or something urgent: a short read is not all there is
};

// One direction.
struct Direction {
  Rest* rest = nullptr;
  Pipe pipe;
  std::uint32_t piped = 0;  // bytes in the pipe
  bool bulk = false;
  bool began = false;            // something was delivered
  bool ended = false;            // the sender's end was read
  bool delivered = false;        // and all before it has been passed on: the end can be
  bool ends_with_reset = false;  // known from the other direction, which took the error
};

enum class Progress : std::uint8_t {
  waits,          // for an event
  goes_on,        // has had its share: call again after the others
  sender_failed,  // reset
  receiver_failed,
};

// What all directions share. Idle, it holds nothing.
class RelayMemory {
 public:
  RelayMemory() = default;
  ~RelayMemory() { release(); }
  RelayMemory(const RelayMemory&) = delete;
  RelayMemory& operator=(const RelayMemory&) = delete;

  char* copy_buffer();  // copy_size; null without memory
  Rest* take_rest() { return rests_.take(); }
  void give_back(Rest* rest) { rests_.give_back(rest); }
  bool take_pipe(Pipe& pipe);  // false: none to be had
  void give_back(Pipe pipe);   // it is empty
  void release();              // what nobody uses

 private:
  static constexpr std::size_t max_spare_pipes = 8;

  char* buffer_ = nullptr;
  Pool<Rest, 4 * (sizeof(Rest) + 8)> rests_;
  std::array<Pipe, max_spare_pipes> spare_pipes_;
  std::size_t spare_pipe_count_ = 0;
};

// Moves what can be moved now. errno says why something failed.
Progress relay(Side& sender, Side& receiver, Direction& direction, RelayMemory& memory);
// Gives back what the direction holds; bytes in it are lost.
void drop(Direction& direction, RelayMemory& memory);

}  // namespace knarr::netns::forward
