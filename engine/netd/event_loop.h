// SPDX-License-Identifier: Apache-2.0
// epoll(7) and timers of one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

#include "rootless/sys/unique_fd.h"

namespace knarr::engine::netd {

class EventLoop {
 public:
  using Events = std::uint32_t;  // EPOLLIN, ...
  using Handler = std::function<void(Events)>;
  using Clock = std::chrono::steady_clock;

  EventLoop();

  // Calls `handler` while the descriptor, which must stay open, is watched.
  void watch(int fd, Events events, Handler handler);
  void change(int fd, Events events);
  void forget(int fd);  // before it is closed

  using Timer = std::uint64_t;
  Timer after(std::chrono::milliseconds delay, std::function<void()> act);
  void cancel(Timer timer);

  void run();  // until stop()
  void stop() { stopped_ = true; }

 private:
  struct Watched {
    std::uint64_t id;
    std::shared_ptr<Handler> handler;
  };
  int wait_time() const;
  void run_timers();

  sys::UniqueFd epoll_;
  std::unordered_map<int, Watched> watched_;
  std::map<std::pair<Clock::time_point, Timer>, std::function<void()>> timers_;
  std::unordered_map<Timer, Clock::time_point> deadlines_;
  std::uint64_t last_id_ = 0;
  bool stopped_ = false;
};

}  // namespace knarr::engine::netd
