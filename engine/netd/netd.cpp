// SPDX-License-Identifier: Apache-2.0
#include "engine/netd/netd.h"

#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <set>

#include "engine/netd/control.h"
#include "netns/enter.h"
#include "netns/links.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/lock.h"

namespace knarr::engine::netd {

namespace {

// After the last container: the next one often comes soon, and finds everything still there.
constexpr std::chrono::seconds leave_after{2};
// The first one may take its time on a busy machine.
constexpr std::chrono::seconds first_look{10};

std::string make_networks_directory(const std::string& directory) {
  std::string networks = concat(directory, '/', networks_name);
  sys::make_directories(AT_FDCWD, networks, 0700);
  return networks;
}

bool is_same_namespace(int one_fd, int other_fd) {
  struct stat one, other;
  return ::fstat(one_fd, &one) == 0 && ::fstat(other_fd, &other) == 0 && one.st_ino == other.st_ino &&
         one.st_dev == other.st_dev;
}

}  // namespace

Netd::Netd(std::string directory, std::vector<DnsSockets> networks)
    : directory_(std::move(directory)),
      files_(make_networks_directory(directory_)),
      server_(loop_, NameFiles(make_networks_directory(directory_)), resolv_conf_path),
      engine_(netns::open_namespace(netd_netns_fd, netns::Filtering::no)) {
  for (DnsSockets& network : networks) server_.serve(network.network, std::move(network.sockets));
  open_missing_sockets();
  watch_links();
  loop_.watch(netd_control_fd, EPOLLIN, [this](EventLoop::Events) { accept_message(); });
  look_ = loop_.after(first_look, [this] { look_for_containers(); });
}

// Those of networks that a netd served which was killed: whoever brought this one knows only its own.
void Netd::open_missing_sockets() {
  for (const std::string& name : files_.networks()) {
    const ServedNetwork network = files_.network(name);
    if (!network.dns || server_.serves(name) || !netns::find_link(engine_.route, network.bridge)) continue;
    try {
      server_.serve(name, open_dns_sockets(netd_netns_fd, network.gateways));
    } catch (const Error& error) {
      std::fprintf(stderr, "network %s: %s\n", name.c_str(), error.what());
    }
  }
}

void Netd::watch_way_out(pid_t pid) {
  way_out_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!way_out_) throw_errno("watching the way out");
  loop_.watch(way_out_.get(), EPOLLIN, [this](EventLoop::Events) {
    siginfo_t info{};
    ::waitid(P_PIDFD, static_cast<id_t>(way_out_.get()), &info, WEXITED);
    loop_.forget(way_out_.get());
    // Without it the next command would find a netd and not look for more.
    if (info.si_code != CLD_EXITED || info.si_status != 0) loop_.stop();
  });
}

// ---- the end ----

void Netd::watch_links() {
  netns::in_network_namespace(netd_netns_fd, [this] {
    links_.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK;
    if (!links_ || ::bind(links_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
      throw_errno("watching the networks' interfaces");
  });
  loop_.watch(links_.get(), EPOLLIN, [this](EventLoop::Events) { links_changed(); });
}

void Netd::links_changed() {
  static std::array<char, 16384> buffer;
  // ENOBUFS: some were lost, which is a change as well.
  while (::recv(links_.get(), buffer.data(), buffer.size(), 0) > 0 || errno == ENOBUFS || errno == EINTR) {
  }
  loop_.cancel(look_);
  look_ = loop_.after(leave_after, [this] { look_for_containers(); });
}

// A veth pair's end in a bridge of ours: the host's namespace may have others.
bool Netd::has_containers() {
  const std::vector<netns::LinkInfo> links = netns::list_links(engine_.route);
  std::set<std::string> bridge_names;
  for (const std::string& network : files_.networks()) bridge_names.insert(files_.network(network).bridge);
  std::set<int> bridges;
  for (const netns::LinkInfo& link : links)
    if (bridge_names.contains(link.name)) bridges.insert(link.index);
  return std::any_of(links.begin(), links.end(), [&](const netns::LinkInfo& link) {
    return link.kind == "veth" && bridges.contains(link.master);
  });
}

// Whoever hands something over holds the lock, and its interface is there by then: either this process is
// seen to live and stays, or it has gone and another one is started.
void Netd::look_for_containers() {
  if (has_containers()) return;
  const auto lock = sys::Lock::try_acquire(AT_FDCWD, directory_ + "/lock", sys::Lock::Mode::exclusive);
  if (lock && !has_containers()) {
    // With the lock: the end of the process gives up both.
    std::fflush(stderr);
    ::_exit(0);
  }
  look_ = loop_.after(leave_after, [this] { look_for_containers(); });
}

// ---- messages ----

void Netd::accept_message() {
  const sys::UniqueFd socket(::accept4(netd_control_fd, nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket) return;
  // Sent together with the connection, but for a moment.
  const timeval patience{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  take_message(socket.get());
}

void Netd::take_message(int socket_fd) {
  char text[512];
  iovec part{text, sizeof text};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * (most_dns_sockets + 1))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t size = ::recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
  if (size <= 0) return;
  std::vector<sys::UniqueFd> descriptors;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    std::vector<int> numbers((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(numbers.data(), CMSG_DATA(header), numbers.size() * sizeof(int));
    for (const int fd : numbers) descriptors.emplace_back(fd);
  }
  const std::string_view words(text, static_cast<std::size_t>(size));
  if (words == stop_word) loop_.stop();
  if (words.starts_with(forget_word)) server_.forget(std::string(words.substr(forget_word.size())));
  if (words.starts_with(serve_word))
    take_over(std::string(words.substr(serve_word.size())), std::move(descriptors));
}

void Netd::take_over(const std::string& network, std::vector<sys::UniqueFd> descriptors) {
  if (descriptors.empty()) return;
  const sys::UniqueFd engine = std::move(descriptors.front());
  descriptors.erase(descriptors.begin());
  if (is_same_namespace(engine.get(), netd_netns_fd)) return server_.serve(network, std::move(descriptors));
  // Nobody who knows of this process makes another one. The next command starts anew.
  std::fprintf(stderr, "network %s belongs to another namespace than this netd's\n", network.c_str());
  loop_.stop();
}

}  // namespace knarr::engine::netd
