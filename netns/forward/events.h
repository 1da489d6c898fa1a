// SPDX-License-Identifier: Apache-2.0
// The forwarder's epoll set: what an event belongs to travels in the event.
#pragma once

#include <sys/epoll.h>
#include <time.h>

#include <cerrno>
#include <cstdint>

#include "netns/forward/target.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::netns::forward {

// In the low bits of an object's address.
enum class Source : std::uint8_t { control, tcp_listener, client, upstream, udp_listener, udp_flow };
constexpr std::uint64_t source_mask = 7;
constexpr std::size_t source_alignment = 8;

class EventSet {
 public:
  EventSet() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  int fd() const { return epoll_.get(); }
  // False with errno.
  bool add(int fd, std::uint32_t events, void* object, Source source) {
    return control(EPOLL_CTL_ADD, fd, events, object, source);
  }
  bool change(int fd, std::uint32_t events, void* object, Source source) {
    return control(EPOLL_CTL_MOD, fd, events, object, source);
  }
  void remove(int fd) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

  static Source source_of(const epoll_event& event) {
    return static_cast<Source>(event.data.u64 & source_mask);
  }
  template <typename T>
  static T& object_of(const epoll_event& event) {
    static_assert(alignof(T) >= source_alignment);
    return *reinterpret_cast<T*>(event.data.u64 & ~source_mask);
  }

 private:
  bool control(int operation, int fd, std::uint32_t events, void* object, Source source) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = reinterpret_cast<std::uintptr_t>(object) | static_cast<std::uint64_t>(source);
    return ::epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
  }

  sys::UniqueFd epoll_;
};

inline std::int64_t monotonic_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// A published port's socket in the host's namespace.
struct alignas(source_alignment) Listener {
  int fd = -1;
  Family family = Family::v4;
  std::uint16_t container_port = 0;
  Listener* next = nullptr;
};

}  // namespace knarr::netns::forward
