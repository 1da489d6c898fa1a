// SPDX-License-Identifier: Apache-2.0
#include "engine/netd/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "rootless/sys/error.h"

namespace knarr::engine::netd {

namespace {

// An event of a descriptor that was closed meanwhile must not reach the next one with its number: the lower
// half is the descriptor, the upper one tells them apart.
std::uint64_t tag(int fd, std::uint64_t id) {
  return id << 32 | static_cast<std::uint32_t>(fd);
}

void control(int epoll_fd, int operation, int fd, std::uint32_t events, std::uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag(fd, id);
  if (::epoll_ctl(epoll_fd, operation, fd, &event) < 0) throw_errno("watching a descriptor");
}

}  // namespace

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw_errno("making an epoll descriptor");
}

void EventLoop::watch(int fd, Events events, Handler handler) {
  const std::uint64_t id = ++last_id_ & 0xffffffff;
  control(epoll_.get(), EPOLL_CTL_ADD, fd, events, id);
  watched_[fd] = {id, std::make_shared<Handler>(std::move(handler))};
}

void EventLoop::change(int fd, Events events) {
  control(epoll_.get(), EPOLL_CTL_MOD, fd, events, watched_.at(fd).id);
}

void EventLoop::forget(int fd) {
  if (watched_.erase(fd) != 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::Timer EventLoop::after(std::chrono::milliseconds delay, std::function<void()> act) {
  const Timer timer = ++last_id_;
  const Clock::time_point when = Clock::now() + delay;
  timers_.emplace(std::pair(when, timer), std::move(act));
  deadlines_.emplace(timer, when);
  return timer;
}

void EventLoop::cancel(Timer timer) {
  const auto found = deadlines_.find(timer);
  if (found == deadlines_.end()) return;
  timers_.erase({found->second, timer});
  deadlines_.erase(found);
}

int EventLoop::wait_time() const {
  if (timers_.empty()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first.first - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000));
}

void EventLoop::run_timers() {
  const Clock::time_point now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    const auto act = std::move(timers_.begin()->second);
    deadlines_.erase(timers_.begin()->first.second);
    timers_.erase(timers_.begin());
    act();
  }
}

void EventLoop::run() {
  std::array<epoll_event, 64> events;
  while (!stopped_) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_time());
    if (count < 0 && errno != EINTR) throw_errno("waiting for events");
    for (int i = 0; i < count && !stopped_; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      const auto found = watched_.find(static_cast<int>(event.data.u64 & 0xffffffff));
      if (found == watched_.end() || found->second.id != event.data.u64 >> 32) continue;
      // Kept: the handler may forget itself.
      const std::shared_ptr<Handler> handler = found->second.handler;
      (*handler)(event.events);
    }
    run_timers();
  }
}

}  // namespace knarr::engine::netd
