// SPDX-License-Identifier: Apache-2.0
#include "engine/netd/start.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "engine/netd/control.h"
#include "netns/enter.h"
#include "netns/forward/socket_address.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

// ---- the sockets of names ----

namespace {

constexpr std::uint16_t dns_port = 53;

void set_option(int socket_fd, int level, int option) {
  const int on = 1;
  if (::setsockopt(socket_fd, level, option, &on, sizeof on) < 0) throw_errno("preparing a socket for names");
}

sys::UniqueFd open_dns_socket(const netns::IpAddress& gateway, int type) {
  const bool v6 = gateway.family == netns::Family::v6;
  sys::UniqueFd socket(::socket(v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) throw_errno("opening a socket for names");
  set_option(socket.get(), v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND);
  // A network's sockets may be made again while those of before still wait in some process.
  set_option(socket.get(), SOL_SOCKET, SO_REUSEPORT);
  if (type == SOCK_STREAM) set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR);
  const netns::forward::SocketAddress address = netns::forward::to_socket_address({gateway, dns_port});
  if (::bind(socket.get(), &address.any, address.size()) < 0 ||
      (type == SOCK_STREAM && ::listen(socket.get(), 64) < 0))
    throw_errno("serving names on ", netns::render_ip(gateway), " port 53");
  return socket;
}

}  // namespace

std::vector<sys::UniqueFd> open_dns_sockets(int netns_fd, std::span<const netns::IpAddress> gateways) {
  std::vector<sys::UniqueFd> sockets;
  netns::in_network_namespace(netns_fd, [&] {
    for (const netns::IpAddress& gateway : gateways) {
      sockets.push_back(open_dns_socket(gateway, SOCK_DGRAM));
      sockets.push_back(open_dns_socket(gateway, SOCK_STREAM));
    }
  });
  return sockets;
}

// ---- the one that runs ----

namespace {

// A path of any length fits into a sockaddr_un through the directory's descriptor.
sockaddr_un control_address(int directory_fd) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = concat("/proc/self/fd/", directory_fd, '/', netd_socket_name);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

sys::UniqueFd open_control_socket() {
  sys::UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) throw_errno("opening a socket to knarr-netd");
  return socket;
}

bool send_message(int socket_fd, std::string_view text, std::span<const int> descriptors) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * (most_dns_sockets + 1))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  return ::sendmsg(socket_fd, &message, MSG_NOSIGNAL) >= 0;
}

// Each message on a connection of its own: netd reads it when it gets there.
bool tell(int directory_fd, std::string_view text, std::span<const int> descriptors) {
  const sys::UniqueFd socket = open_control_socket();
  const sockaddr_un address = control_address(directory_fd);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
         send_message(socket.get(), text, descriptors);
}

bool hand_over(int directory_fd, int engine_netns, const DnsSockets& network) {
  std::vector<int> descriptors{engine_netns};
  for (const sys::UniqueFd& socket : network.sockets) descriptors.push_back(socket.get());
  return tell(directory_fd, concat(serve_word, network.network), descriptors);
}

// The lock says whether one runs; it goes with the process that has inherited the descriptor.
sys::UniqueFd try_netd_lock(int directory_fd) {
  sys::UniqueFd fd = sys::open_at(directory_fd, netd_lock_name, O_RDWR | O_CREAT, 0600);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  if (::fcntl(fd.get(), F_OFD_SETLK, &lock) == 0) return fd;
  if (errno != EAGAIN && errno != EACCES) throw_errno("locking ", netd_lock_name);
  return {};
}

// ---- starting one ----

sys::UniqueFd listen_for_control(int directory_fd) {
  sys::unlink_if_exists(directory_fd, netd_socket_name);
  sys::UniqueFd socket = open_control_socket();
  const sockaddr_un address = control_address(directory_fd);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
      ::listen(socket.get(), 128) < 0)
    throw_errno("making knarr-netd's control socket");
  return socket;
}

struct Program {
  std::vector<std::string> words;
  std::vector<int> descriptors;  // become 3, 4, ...
};

Program plan_program(const NetdPlan& plan, int lock_fd, int control_fd,
                     std::span<const DnsSockets> networks) {
  Program program{{plan.program, plan.directory, plan.way_out ? "way-out" : "names-only"},
                  {lock_fd, control_fd, plan.engine_netns}};
  for (const DnsSockets& network : networks) {
    program.words.push_back(concat(network.network, ':', network.sockets.size()));
    for (const sys::UniqueFd& socket : network.sockets) program.descriptors.push_back(socket.get());
  }
  return program;
}

// What the new process tells before it becomes another program.
struct Birth {
  pid_t pid = -1;
  int error = 0;
};

// From here on in children that share nothing but may not allocate either: the caller may have threads.

// fork(2) without a signal at the child's end, which the caller's other waits would stumble over.
pid_t fork_silently() {
  return static_cast<pid_t>(::syscall(SYS_clone, 0, nullptr, nullptr, nullptr, nullptr));
}

// Only descriptors 0..2 and those named: whatever else the caller has is the user's.
void arrange_descriptors(std::span<const int> descriptors, int report_fd) {
  const int above = netd_lock_fd + static_cast<int>(descriptors.size());
  const int report = ::fcntl(report_fd, F_DUPFD_CLOEXEC, above + 1);
  int moved[netd_first_socket_fd + most_dns_sockets];
  for (std::size_t i = 0; i < descriptors.size(); ++i)
    moved[i] = ::fcntl(descriptors[i], F_DUPFD_CLOEXEC, above + 1);
  for (std::size_t i = 0; i < descriptors.size(); ++i) ::dup2(moved[i], netd_lock_fd + static_cast<int>(i));
  ::dup3(report, above, O_CLOEXEC);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int standard = 0; standard < 3; ++standard) ::dup2(null, standard);
  ::syscall(SYS_close_range, above + 1, ~0U, 0);
}

void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void become_netd(char* const* argv, char* const* environment, std::span<const int> descriptors,
                              int report_fd) {
  arrange_descriptors(descriptors, report_fd);
  const int report = netd_lock_fd + static_cast<int>(descriptors.size());
  reset_signals();
  const Birth birth{static_cast<pid_t>(::syscall(SYS_getpid)), ::chdir("/") < 0 ? errno : 0};
  [[maybe_unused]] const ssize_t told = ::write(report, &birth, sizeof birth);
  if (birth.error == 0) ::execve(argv[0], argv, environment);
  ::_exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

// The programs of the way out are looked for as the user's shell does; nothing else of the environment
// matters.
std::vector<std::string> plan_environment() {
  const char* path = std::getenv("PATH");
  return {concat("PATH=", path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin")};
}

// A session of its own, and a child of nobody who would have to wait for it. Loading the program is not
// waited for, which would take longer than all the rest.
Birth spawn(Program program) {
  if (::access(program.words[0].c_str(), X_OK) < 0) throw_errno("running ", program.words[0]);
  std::vector<std::string> environment = plan_environment();
  const std::vector<char*> argv = pointers(program.words), envp = pointers(environment);
  sys::Pipe report = sys::make_pipe();
  const pid_t between = fork_silently();
  if (between < 0) throw_errno("starting ", program.words[0]);
  if (between == 0) {
    ::setsid();
    const pid_t netd = fork_silently();
    if (netd == 0) become_netd(argv.data(), envp.data(), program.descriptors, report.write.get());
    ::_exit(netd < 0 ? errno : 0);
  }
  report.write.reset();
  int status = 0;
  while (::waitpid(between, &status, __WALL) < 0 && errno == EINTR) {
  }
  Birth birth;
  if (::read(report.read.get(), &birth, sizeof birth) != sizeof birth)
    throw_sys_error(EAGAIN, concat("starting ", program.words[0]));
  if (birth.error != 0) throw_sys_error(birth.error, concat("running ", program.words[0]));
  return birth;
}

// As many as it inherits; the others are handed over as to one that runs.
std::size_t count_inherited(const std::vector<DnsSockets>& networks) {
  std::size_t sockets = 0, count = 0;
  for (; count < networks.size(); ++count) {
    sockets += networks[count].sockets.size();
    if (sockets > most_dns_sockets) break;
  }
  return count;
}

StartedNetd start_netd(const NetdPlan& plan, int directory_fd, const sys::UniqueFd& lock,
                       const std::vector<DnsSockets>& networks) {
  const sys::UniqueFd control = listen_for_control(directory_fd);
  const std::size_t inherited = count_inherited(networks);
  const Birth birth =
      spawn(plan_program(plan, lock.get(), control.get(), std::span(networks).first(inherited)));
  for (std::size_t i = inherited; i < networks.size(); ++i)
    hand_over(directory_fd, plan.engine_netns, networks[i]);
  return {{birth.pid, sys::process_start_time(birth.pid).value_or(0)}, netd_netns_fd};
}

void wait_a_moment() {
  const timespec millisecond{0, 1'000'000};
  ::nanosleep(&millisecond, nullptr);
}

}  // namespace

std::optional<StartedNetd> ensure_netd(const NetdPlan& plan, std::vector<DnsSockets> networks) {
  const sys::UniqueFd directory = sys::open_directory(AT_FDCWD, plan.directory);
  std::size_t handed_over = 0;
  // One that was killed still has the lock for a moment when it does not take messages any more.
  for (int tries = 0; tries < 1000; ++tries, wait_a_moment()) {
    if (const sys::UniqueFd lock = try_netd_lock(directory.get()))
      return start_netd(plan, directory.get(), lock, networks);
    while (handed_over < networks.size() &&
           hand_over(directory.get(), plan.engine_netns, networks[handed_over]))
      ++handed_over;
    if (handed_over == networks.size()) return std::nullopt;
  }
  throw Error("knarr-netd runs but takes no messages");
}

bool is_netd_running(const std::string& directory) {
  const sys::UniqueFd lock_file = sys::find_at(AT_FDCWD, concat(directory, '/', netd_lock_name), O_RDONLY);
  struct flock query {};
  query.l_type = F_RDLCK;
  return lock_file && ::fcntl(lock_file.get(), F_OFD_GETLK, &query) == 0 && query.l_type != F_UNLCK;
}

void forget_network(const std::string& directory, const std::string& network) {
  const sys::UniqueFd place = sys::find_at(AT_FDCWD, directory, O_PATH | O_DIRECTORY);
  if (place) tell(place.get(), concat(forget_word, network), {});
}

void stop_netd(const std::string& directory) {
  const sys::UniqueFd place = sys::find_at(AT_FDCWD, directory, O_PATH | O_DIRECTORY);
  if (place) tell(place.get(), stop_word, {});
}

}  // namespace knarr::engine
