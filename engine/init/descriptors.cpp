// SPDX-License-Identifier: Apache-2.0
// Which descriptors live on. A descriptor of the host that leaks into a container is a door out of it.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>

#include "engine/init/context.h"

namespace knarr::engine::init {
namespace {

// Without close_range(2) (before 5.9, or under a seccomp shim) every number has to be tried.
void close_one_by_one(unsigned int first, unsigned int last) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  constexpr rlim_t sane = 1u << 20;  // fs.nr_open's default: none is higher unless an administrator says so
  const rlim_t end = std::min<rlim_t>(std::min(limit.rlim_max, sane), rlim_t{last} + 1);
  for (rlim_t fd = first; fd < end; ++fd) ::close(static_cast<int>(fd));
}

void close_all(unsigned int first, unsigned int last) {
  if (first > last) return;
  if (::close_range(first, last, 0) < 0) close_one_by_one(first, last);
}

// Closes every descriptor from `first` on that is not in `kept`.
void close_others(int first, int* kept, int count) {
  std::sort(kept, kept + count);
  for (int i = 0; i < count; ++i) {
    if (kept[i] < first) continue;
    if (kept[i] > first) close_all(static_cast<unsigned int>(first), static_cast<unsigned int>(kept[i] - 1));
    first = kept[i] + 1;
  }
  close_all(static_cast<unsigned int>(first), ~0U);
}

int first_unpreserved(const Context& init) {
  return 3 + static_cast<int>(init.plan.process.preserve_fds);
}

// The same file at a number that neither stdio nor the preserved descriptors will need.
int move_aside(const Context& init, int fd) {
  if (fd < 0) return -1;
  const int moved = fd;
  if (fd < first_unpreserved(init)) return ::fcntl(fd, F_DUPFD_CLOEXEC, first_unpreserved(init));
  return ::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1 : moved;
}

int take_over(const Context& init, int fd) {
  const int moved = move_aside(init, fd);
  if (moved != fd && fd > 2) ::close(fd);
  return moved;
}

}  // namespace

bool send_descriptor(int socket_fd, int fd) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return ::sendmsg(socket_fd, &message, MSG_NOSIGNAL) == 1;
}

void tell_network_namespace(const Plan& plan) {
  if (plan.netns_fd < 0) return;
  const int own = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  // A parent that gets nothing gives up.
  if (own >= 0) send_descriptor(plan.netns_fd, own);
  ::close(own);
  ::close(plan.netns_fd);
}

void collect_descriptors(Context& init) {
  const Plan& plan = init.plan;
  for (int i = 0; i < 3; ++i) init.stdio[i] = move_aside(init, plan.stdio[i]);
  init.go_fd = take_over(init, plan.go_fd);
  init.console_fd = take_over(init, plan.console_fd);
  init.report.move_to(take_over(init, plan.report_fd));
  int kept[] = {init.go_fd, init.console_fd, init.report.fd(), init.stdio[0], init.stdio[1], init.stdio[2]};
  close_others(first_unpreserved(init), kept, sizeof kept / sizeof kept[0]);
}

void close_descriptors(Context& init) {
  init.root.release();
  init.terminal.release();
  init.go_fd = init.console_fd = -1;
  int kept[] = {init.report.fd()};
  close_others(first_unpreserved(init), kept, 1);
}

}  // namespace knarr::engine::init
