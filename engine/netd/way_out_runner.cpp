// SPDX-License-Identifier: Apache-2.0
#include "engine/netd/way_out_runner.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "engine/netd/control.h"
#include "engine/netd/event_loop.h"
#include "netns/nft/host_alias.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/process.h"

namespace knarr::engine::netd {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds first_delay{50}, longest_delay{5000};
// A program that ran for this long had started well.
constexpr std::chrono::seconds good_run{10};
// Routes come in bunches.
constexpr milliseconds settle_time{100};

std::string address_with_prefix(const netns::Subnet& subnet) {
  return netns::render_ip(subnet.address);
}

// ---- the command line ----

using Words = std::vector<std::string>;

void append(Words& words, std::initializer_list<const char*> more) {
  words.insert(words.end(), more.begin(), more.end());
}

// Its link address never changes, so that what the kernel knows of the gateway is true of the next one, too.
constexpr const char* pasta_mac = "02:6b:6e:61:72:72";

// Options that all versions have: what a container must not reach cannot depend on a text for people.
Words plan_pasta(const WayOutProgram& program, const std::string& netns_path, const HostFamilies& host) {
  const WayOutAddresses addresses = way_out_addresses(program.kind);
  Words words{program.path, "--foreground", "--quiet"};
  append(words, {"--ns-ifname", way_out_interface, "--mac-addr", pasta_mac});
  // A family without a route outside is one it would not start with.
  if (host.v4)
    append(words, {"--address", address_with_prefix(addresses.v4).c_str(), "--netmask", "24", "--gateway",
                   netns::render_ip(addresses.gateway_v4).c_str()});
  if (host.v6)
    append(words, {"--address", address_with_prefix(addresses.v6).c_str(), "--gateway",
                   netns::render_ip(addresses.gateway_v6).c_str()});
  if (!host.v6) append(words, {"--ipv4-only"});
  if (!host.v4) append(words, {"--ipv6-only"});
  append(words, {"--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none"});
  append(words, {"--no-map-gw", "--no-dhcp", "--no-dhcpv6", "--no-ra"});
  append(words, {"--netns-only", "--netns", netns_path.c_str()});
  return words;
}

Words plan_slirp(const WayOutProgram& program, const std::string& netns_path, const HostFamilies& host) {
  Words words{program.path, "--mtu=65520", "--disable-host-loopback"};
  if (host.v6) words.push_back("--enable-ipv6");
  append(words, {"--netns-type=path", netns_path.c_str(), way_out_interface});
  return words;
}

// ---- the process ----

class Runner {
 public:
  Runner(std::string directory, int engine_netns)
      : directory_(std::move(directory)),
        netns_path_(concat(directory_, "/netns")),
        program_(find_way_out()) {
    engine_ = netns::open_namespace(engine_netns, netns::Filtering::yes);
    mount_netns(engine_netns);
  }

  int run();

 private:
  void mount_netns(int engine_netns);
  void watch_children();
  void watch_routes();
  void start_program();
  void program_ended(int status);
  void routes_changed();
  void try_again();
  void note(std::string_view state);
  void follow_host_address();

  const std::string directory_;
  const std::string netns_path_;
  const WayOutProgram program_;
  EventLoop loop_;
  sys::UniqueFd signals_, routes_;
  netns::Namespace engine_;
  std::optional<netns::IpAddress> host_address_;
  pid_t pid_ = -1;
  HostFamilies started_with_;
  EventLoop::Clock::time_point started_at_;
  milliseconds delay_ = first_delay;
  EventLoop::Timer timer_ = 0;
  EventLoop::Timer settling_ = 0;
};

HostFamilies host_families() {
  return {primary_host_address(netns::Family::v4).has_value(),
          primary_host_address(netns::Family::v6).has_value()};
}

void say(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
}

// Both programs take a path, and pasta, having given up what it does not need, may not look into this
// process's /proc. So the namespace is mounted in a mount namespace that nobody else sees.
void Runner::mount_netns(int engine_netns) {
  if (::unshare(CLONE_NEWNS) < 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
    throw_errno("making a mount namespace for the way out");
  sys::open_at(AT_FDCWD, netns_path_, O_RDONLY | O_CREAT, 0600);
  if (::mount(concat("/proc/self/fd/", engine_netns).c_str(), netns_path_.c_str(), nullptr, MS_BIND,
              nullptr) < 0)
    throw_errno("mounting the network namespace at ", netns_path_);
}

void Runner::note(std::string_view state) {
  sys::replace_file(AT_FDCWD, concat(directory_, '/', way_out_name), concat(state, '\n'), 0600,
                    sys::Durability::none);
}

void Runner::watch_children() {
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, nullptr);
  signals_.reset(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) throw_errno("waiting for signals");
  loop_.watch(signals_.get(), EPOLLIN, [this](EventLoop::Events) {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) > 0) {
    }
    int status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
      if (pid == pid_) program_ended(status);
  });
}

void Runner::watch_routes() {
  routes_.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (!routes_ || ::bind(routes_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    throw_errno("watching the host's routes");
  loop_.watch(routes_.get(), EPOLLIN, [this](EventLoop::Events) {
    char buffer[8192];
    // ENOBUFS: some were lost, which is a change as well.
    while (::recv(routes_.get(), buffer, sizeof buffer, 0) > 0 || errno == ENOBUFS || errno == EINTR) {
    }
    if (settling_ == 0)
      settling_ = loop_.after(settle_time, [this] {
        settling_ = 0;
        routes_changed();
      });
  });
}

void Runner::start_program() {
  started_with_ = host_families();
  if (!started_with_.v4 && !started_with_.v6) {
    say("the host has no route to the outside; waiting for one");
    return;
  }
  const Words words = plan_way_out(program_, netns_path_, started_with_);
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  started_at_ = EventLoop::Clock::now();
  pid_ = sys::fork_child([&] {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    // Pasta of 2023 takes the old disposition for an error when it is not the default.
    ::signal(SIGPIPE, SIG_DFL);
    ::execv(argv[0], argv.data());
    say(concat("running ", argv[0], ": ", errno_words(errno)));
    return 127;
  });
}

void Runner::program_ended(int status) {
  pid_ = -1;
  const auto end = sys::decode_wait_status(status);
  say(concat(way_out_words(program_.kind), " ended with status ", end.code, "; it is started again"));
  if (EventLoop::Clock::now() - started_at_ > good_run) delay_ = first_delay;
  timer_ = loop_.after(delay_, [this] { try_again(); });
  delay_ = std::min(delay_ * 2, longest_delay);
}

void Runner::try_again() {
  timer_ = 0;
  if (pid_ < 0) start_program();
}

// host.containers.internal. A kernel without what it takes has none.
void Runner::follow_host_address() {
  const auto now = primary_host_address(netns::Family::v4);
  if (now == host_address_ || !engine_.filter) return;
  host_address_ = now;
  try {
    netns::apply_host_alias(engine_.filter, now);
  } catch (const Error& error) {
    say(error.what());
  }
}

// One that lacks a family that has come is replaced: its connections are worth less than the family. What has
// gone may come back, that is left alone.
void Runner::routes_changed() {
  follow_host_address();
  const HostFamilies now = host_families();
  const bool lacks = (now.v4 && !started_with_.v4) || (now.v6 && !started_with_.v6);
  if (pid_ >= 0) {
    if (lacks) ::kill(pid_, SIGTERM);
    return;
  }
  if (timer_ != 0) loop_.cancel(std::exchange(timer_, 0));
  delay_ = first_delay;
  start_program();
}

int Runner::run() {
  note(way_out_words(program_.kind));
  if (program_.kind == WayOutKind::none) {
    say("no way out for containers: neither pasta nor slirp4netns is installed (package passt)");
    return 0;
  }
  watch_children();
  watch_routes();
  start_program();
  follow_host_address();
  loop_.run();
  return 0;
}

}  // namespace

std::vector<std::string> plan_way_out(const WayOutProgram& program, const std::string& netns_path,
                                      const HostFamilies& host) {
  return program.kind == WayOutKind::pasta ? plan_pasta(program, netns_path, host)
                                           : plan_slirp(program, netns_path, host);
}

pid_t start_way_out(const std::string& directory, int engine_netns) {
  const pid_t parent = ::getpid();
  return sys::fork_child([&] {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::getppid() != parent) return 0;  // it died before
    const sys::UniqueFd netns(::fcntl(engine_netns, F_DUPFD_CLOEXEC, netd_first_socket_fd));
    for (int fd = netd_lock_fd; fd < netns.get(); ++fd) ::close(fd);
    ::syscall(SYS_close_range, netns.get() + 1, ~0U, 0);
    return Runner(directory, netns.get()).run();
  });
}

}  // namespace knarr::engine::netd
