// SPDX-License-Identifier: Apache-2.0
#include "tests/namespace/net_place.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <thread>

#include "netns/enter.h"
#include "netns/forward/socket_address.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::test {
namespace {

namespace forward = netns::forward;

void write_map(const char* file, const std::string& text) {
  const sys::UniqueFd fd = sys::open_at(AT_FDCWD, file, O_WRONLY);
  sys::write_all(fd.get(), text, file);
}

void unshare_as_root(int namespaces) {
  const std::string uid = std::to_string(::geteuid()), gid = std::to_string(::getegid());
  if (::unshare(namespaces) < 0) throw_errno("unsharing");
  write_map("/proc/self/setgroups", "deny");
  write_map("/proc/self/uid_map", "0 " + uid + " 1\n");
  write_map("/proc/self/gid_map", "0 " + gid + " 1\n");
}

void run(const std::string& command) {
  FILE* pipe = ::popen(("exec 2>&1; PATH=$PATH:/usr/sbin:/sbin; set -e; " + command).c_str(), "re");
  if (!pipe) throw_errno("running ", command);
  std::string output;
  char bytes[256];
  while (const std::size_t got = std::fread(bytes, 1, sizeof bytes, pipe)) output.append(bytes, got);
  if (::pclose(pipe) != 0) throw Error(concat(command, ": ", output));
}

forward::SocketAddress address_of(const std::string& address, std::uint16_t port) {
  const auto ip = netns::parse_ip(address);
  if (!ip) throw Error("no address: " + address);
  return forward::to_socket_address({*ip, port});
}

std::string render(const forward::SocketAddress& address) {
  const forward::Peer peer = forward::to_peer(address);
  return concat(netns::render_ip(peer.address), ':', peer.port);
}

void be_patient(int fd) {
  const timeval patience{10, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

sys::UniqueFd socket_in(int netns_fd, int domain, int type) {
  sys::UniqueFd made;
  in_netns(netns_fd, [&] { made.reset(::socket(domain, type | SOCK_CLOEXEC, 0)); });
  if (!made) throw_errno("making a socket");
  be_patient(made.get());
  const int on = 1;
  if (type == SOCK_STREAM) ::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return made;
}

}  // namespace

void enter_user_namespace() {
  unshare_as_root(CLONE_NEWUSER);
}

void enter_new_host() {
  unshare_as_root(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS);
  // Not by a thread: for a moment after its end the process would not look like one of a single thread.
  run("ip link set lo up");
}

void in_netns(int netns_fd, const std::function<void()>& act) {
  std::exception_ptr thrown;
  std::thread([&] {
    try {
      if (::setns(netns_fd, CLONE_NEWNET) < 0) throw_errno("entering a network namespace");
      act();
    } catch (...) {
      thrown = std::current_exception();
    }
  }).join();
  if (thrown) std::rethrow_exception(thrown);
}

sys::UniqueFd own_netns() {
  return netns::open_own_network_namespace();
}

void run_in(int netns_fd, const std::string& command) {
  in_netns(netns_fd, [&] { run(command); });
}

sys::UniqueFd listen_in(int netns_fd, const std::string& address, std::uint16_t port, int type, int backlog) {
  const forward::SocketAddress at = address_of(address, port);
  sys::UniqueFd fd = socket_in(netns_fd, at.any.sa_family, type);
  if (::bind(fd.get(), &at.any, at.size()) < 0) throw_errno("binding ", address, ' ', port);
  if (type == SOCK_STREAM && ::listen(fd.get(), backlog) < 0) throw_errno("listening");
  return fd;
}

sys::UniqueFd connect_in(int netns_fd, const std::string& address, std::uint16_t port, int type,
                         const std::string& from, std::uint16_t from_port) {
  const forward::SocketAddress to = address_of(address, port);
  sys::UniqueFd fd = socket_in(netns_fd, to.any.sa_family, type);
  if (!from.empty()) {
    const forward::SocketAddress source = address_of(from, from_port);
    if (::bind(fd.get(), &source.any, source.size()) < 0) throw_errno("binding ", from);
  }
  if (::connect(fd.get(), &to.any, to.size()) < 0) throw_errno("connecting to ", address, ' ', port);
  return fd;
}

sys::UniqueFd accept_from(int listener_fd, std::string* client) {
  forward::SocketAddress address;
  socklen_t size = sizeof address;
  sys::UniqueFd fd(::accept4(listener_fd, &address.any, &size, SOCK_CLOEXEC));
  if (!fd) throw_errno("accepting");
  be_patient(fd.get());
  if (client) *client = render(address);
  return fd;
}

std::string local_of(int socket_fd) {
  const forward::Peer peer = forward::local_end(socket_fd);
  return concat(netns::render_ip(peer.address), ':', peer.port);
}

std::string peer_of(int socket_fd) {
  forward::SocketAddress address;
  socklen_t size = sizeof address;
  if (::getpeername(socket_fd, &address.any, &size) < 0) throw_errno("reading a peer's address");
  return render(address);
}

std::string receive_all(int socket_fd) {
  std::string text;
  char bytes[65536];
  for (;;) {
    const ssize_t got = ::recv(socket_fd, bytes, sizeof bytes, 0);
    if (got < 0) return text + (text.empty() ? "" : ", ") + errno_words(errno);
    if (got == 0) return text;
    text.append(bytes, static_cast<std::size_t>(got));
  }
}

std::string receive_some(int socket_fd) {
  char bytes[65536];
  const ssize_t got = ::recv(socket_fd, bytes, sizeof bytes, 0);
  return got < 0 ? errno_words(errno) : std::string(bytes, static_cast<std::size_t>(got));
}

void send_text(int socket_fd, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t sent = ::send(socket_fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
    if (sent < 0) throw_errno("sending");
    at += static_cast<std::size_t>(sent);
  }
}

}  // namespace knarr::test
