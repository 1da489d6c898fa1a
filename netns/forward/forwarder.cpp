// SPDX-License-Identifier: Apache-2.0
#include "netns/forward/forwarder.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "netns/forward/descriptor_limit.h"
#include "netns/forward/loop.h"
#include "netns/forward/socket_address.h"
#include "rootless/sys/error.h"
#include "rootless/sys/process.h"

namespace knarr::netns::forward {
namespace {

// Address space; what is touched is a page or two.
constexpr std::size_t stack_bytes = 128 * 1024;

sys::UniqueFd duplicate(int fd) {
  if (fd < 0) return {};
  sys::UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) throw_errno("keeping a network namespace");
  return copy;
}

void* run_loop(void* loop) {
  static_cast<Loop*>(loop)->run();
  return nullptr;
}

// A thread inherits the mask of its maker: with all signals blocked they stay the process's.
pthread_t start_thread(Loop& loop) {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, stack_bytes);
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int error = ::pthread_create(&thread, &attributes, run_loop, &loop);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_attr_destroy(&attributes);
  if (error != 0) throw SysError(error, "starting the thread that serves published ports");
  return thread;
}

// A joined thread can still be counted as one of the process's, for whoever asks before a fork.
void join(pthread_t thread, pid_t thread_id) {
  ::pthread_join(thread, nullptr);
  while (::syscall(SYS_tgkill, ::getpid(), thread_id, 0) == 0) ::sched_yield();
}

int receive_answer(int control_fd) {
  int error = EPIPE;
  ssize_t got;
  do {
    got = ::recv(control_fd, &error, sizeof error, 0);
  } while (got < 0 && errno == EINTR);
  return got == sizeof error ? error : EPIPE;
}

}  // namespace

Forwarder::Forwarder(int container_netns_fd, int engine_netns_fd, const Target& target) {
  raise_descriptor_limit();
  sys::SocketPair control = sys::make_socket_pair(SOCK_SEQPACKET);
  control_ = std::move(control.first);
  loop_ = std::make_unique<Loop>(duplicate(container_netns_fd), duplicate(engine_netns_fd),
                                 std::move(control.second), target);
  thread_ = start_thread(*loop_);
  const int error = receive_answer(control_.get());
  if (error == 0) return;
  join(thread_, loop_->thread_id());
  throw SysError(error, "entering the container's network namespace to serve its ports");
}

Forwarder::~Forwarder() {
  end(0);
}

void Forwarder::publish(PublishedPort port) {
  auto listener = std::make_unique<Listener>();
  listener->fd = port.socket.get();
  listener->family = local_end(port.socket.get()).address.family;
  listener->container_port = port.container_port;
  ports_.reserve(ports_.size() + 1);
  listeners_.reserve(listeners_.size() + 1);
  tell({.kind = Command::Kind::publish, .transport = port.transport, .listener = listener.get()},
       "serving a published port");
  ports_.push_back(std::move(port));
  listeners_.push_back(std::move(listener));
}

void Forwarder::withdraw(int socket_fd) {
  const auto found = std::find_if(ports_.begin(), ports_.end(),
                                  [&](const PublishedPort& port) { return port.socket.get() == socket_fd; });
  if (found == ports_.end()) return;
  const auto listener = listeners_.begin() + (found - ports_.begin());
  tell({.kind = Command::Kind::withdraw, .transport = found->transport, .listener = listener->get()},
       "closing a published port");
  ports_.erase(found);
  listeners_.erase(listener);
}

void Forwarder::retarget(const Target& target) {
  tell({.kind = Command::Kind::retarget, .target = target}, "moving published ports to another address");
}

void Forwarder::reset_connections_to(const IpAddress& address) {
  tell({.kind = Command::Kind::reset_connections, .address = address}, "ending connections to an address");
}

void Forwarder::end(int grace_ms) {
  if (!loop_) return;
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    ask({.kind = Command::Kind::withdraw, .transport = ports_[i].transport, .listener = listeners_[i].get()});
  }
  ports_.clear();
  const Command command{.kind = Command::Kind::end, .grace_ms = grace_ms};
  ::send(control_.get(), &command, sizeof command, MSG_NOSIGNAL);
  join(thread_, loop_->thread_id());
  loop_.reset();
}

int Forwarder::ask(const Command& command) {
  const ssize_t sent = ::send(control_.get(), &command, sizeof command, MSG_NOSIGNAL);
  return sent < 0 ? errno : receive_answer(control_.get());
}

void Forwarder::tell(const Command& command, const char* act) {
  if (const int error = ask(command)) throw SysError(error, act);
}

}  // namespace knarr::netns::forward
