// SPDX-License-Identifier: Apache-2.0
// The monitor's loop around a plain child process instead of a container, in a process of its own; and a
// client that speaks its frames.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "engine/monitor/plan.h"
#include "engine/monitor/protocol.h"
#include "rootless/sys/process.h"
#include "temp_dir.h"

namespace knarr::engine {

struct Frame {
  monitor::FrameType type;
  std::string payload;
};

// One end of an attach connection, client's or monitor's.
class Peer {
 public:
  explicit Peer(sys::UniqueFd socket) : socket_(std::move(socket)) {}
  static Peer connect(const std::string& run_directory);

  void send(monitor::FrameType type, std::string_view payload = {});
  // nullopt: the other side has hung up.
  std::optional<Frame> receive();
  void hang_up() { socket_.reset(); }
  int fd() const { return socket_.get(); }

  // Reads until the frame that says so, or until the other side hangs up.
  struct Conversation {
    std::string output, error;
    std::optional<int> exit_code;
  };
  Conversation read_to_end();
  // Reads until the output holds `text`.
  void await_output(std::string_view text);

 private:
  sys::UniqueFd socket_;
  Conversation seen_;
};

std::string frame_of_size(unsigned short rows, unsigned short columns);

class FakeMonitor {
 public:
  struct Setup {
    std::string script;  // of sh -c
    bool terminal = false;
    bool interactive = false;
    bool stdin_once = false;
    unsigned timeout_seconds = 0;
    bool small_socket = false;  // the first client's takes less than 70 kB, the output pipe more than 200
  };

  // Returns when it listens in the directory. It logs to ctr.log there, and makes the file `recorded` between
  // the end of the script and the exit frames.
  FakeMonitor(const TempDir& directory, const Setup& setup);
  ~FakeMonitor();
  FakeMonitor(const FakeMonitor&) = delete;
  FakeMonitor& operator=(const FakeMonitor&) = delete;

  Peer& client() { return client_; }  // the first one, there from the start
  pid_t pid() const { return pid_; }
  void wait();  // until its process has ended

 private:
  Peer client_;
  pid_t pid_ = -1;
};

// Waits for a file to appear, or to be at least this long.
void await_file(const std::string& path, std::size_t bytes = 0);

}  // namespace knarr::engine
