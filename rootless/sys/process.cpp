// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "rootless/sys/error.h"

namespace knarr::sys {

// ---- identity ----

namespace {

struct ProcessStat {
  char state = 0;
  std::uint64_t start_time = 0;
};

// "PID (NAME) STATE ...": the name may hold anything, a ')' and spaces included.
std::optional<ProcessStat> parse_process_stat(std::string_view line) {
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string_view::npos || line.size() < name_end + 3) return std::nullopt;
  ProcessStat parsed;
  parsed.state = line[name_end + 2];
  std::size_t at = name_end + 2;  // field 3
  for (int field = 3; field < 22; ++field) {
    at = line.find(' ', at);
    if (at == std::string_view::npos) return std::nullopt;
    ++at;
  }
  const auto [end, error] = std::from_chars(line.data() + at, line.data() + line.size(), parsed.start_time);
  if (error != std::errc{}) return std::nullopt;
  return parsed;
}

}  // namespace

std::optional<std::uint64_t> process_start_time(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  const UniqueFd fd(::open(concat("/proc/", pid, "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  // Running out of descriptors says nothing about the process.
  if (!fd && (errno == EMFILE || errno == ENFILE)) throw_errno("looking at process ", pid);
  if (!fd) return std::nullopt;
  char line[1024];
  const ssize_t length = ::read(fd.get(), line, sizeof line);
  if (length <= 0) return std::nullopt;  // ESRCH: it died between the two calls
  const auto parsed = parse_process_stat({line, static_cast<std::size_t>(length)});
  if (!parsed || parsed->state == 'Z' || parsed->state == 'X') return std::nullopt;
  return parsed->start_time;
}

ProcessId identify(pid_t pid) {
  const std::optional<std::uint64_t> start_time = process_start_time(pid);
  if (!start_time) throw NotFound(concat("no process has the pid ", pid));
  return {pid, *start_time};
}

bool is_alive(const ProcessId& process) {
  return process_start_time(process.pid) == process.start_time;
}

UniqueFd open_process(const ProcessId& process) {
  if (process.pid <= 0) return {};
  UniqueFd pid_fd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!pid_fd) {
    if (errno == ESRCH || errno == EINVAL) return {};
    throw_errno("opening process ", process.pid);
  }
  // Read after the pidfd was opened: while that process lives nobody else can have its pid.
  if (!is_alive(process)) return {};
  return pid_fd;
}

// ---- pipes and sockets ----

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) throw_errno("creating a pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

SocketPair make_socket_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0) throw_errno("creating a socket pair");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// ---- children ----

namespace {

// What is buffered would be written twice, once by each process.
void flush_output() {
  std::fflush(stdout);
  std::fflush(stderr);
}

void print_error(const char* message, const std::string& hint) {
  std::string text = concat("Error: ", message, '\n');
  if (!hint.empty()) text += concat("hint: ", hint, '\n');
  // Nobody is left to tell when this fails.
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
}

int run_guarded(const std::function<int()>& child) noexcept {
  constexpr int engine_failed = 125;
  try {
    return child();
  } catch (const Error& error) {
    print_error(error.what(), error.hint());
  } catch (const std::exception& error) {
    print_error(error.what(), {});
  }
  return engine_failed;
}

}  // namespace

void require_single_thread(std::string_view act) {
  struct stat tasks;
  // A directory has two links and one more per subdirectory. Without /proc nothing can be checked.
  if (::stat("/proc/self/task", &tasks) < 0 || tasks.st_nlink == 3) return;
  throw Error(concat(act, ": this process has ", tasks.st_nlink - 2, " threads and must have one"));
}

pid_t fork_child(const std::function<int()>& child) {
  require_single_thread("forking");
  flush_output();
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno("forking");
  if (pid > 0) return pid;
  const int status = run_guarded(child);
  flush_output();
  ::_exit(status);
}

ExitStatus decode_wait_status(int status) {
  if (WIFSIGNALED(status)) return {128 + WTERMSIG(status), WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

ExitStatus wait_child(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw_errno("waiting for process ", pid);
  }
  return decode_wait_status(status);
}

// ---- commands ----

namespace {

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

class SpawnSettings {
 public:
  explicit SpawnSettings(int error_fd) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, STDIN_FILENO, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, error_fd, STDERR_FILENO);
    // A helper expects the signals of a fresh program, whatever this process blocks or ignores.
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

constexpr std::size_t error_limit = 4096;

// Reads once and appends up to the limit; what is over is dropped, so that the writer never blocks. Returns
// what read(2) did.
ssize_t read_some(int fd, std::string& text) {
  char buffer[1024];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  if (got > 0) text.append(buffer, std::min(static_cast<std::size_t>(got), error_limit - text.size()));
  return got;
}

// Reads until the process is dead. The end of the file is no sign of that: a program that goes to the
// background leaves its standard error open in its child.
std::string collect_errors(int error_fd, int pid_fd) {
  std::string text;
  ::fcntl(error_fd, F_SETFL, O_NONBLOCK);
  pollfd watched[] = {{pid_fd, POLLIN, 0}, {error_fd, POLLIN, 0}};
  while (watched[0].revents == 0) {
    if (::poll(watched, 2, -1) < 0) {
      if (errno == EINTR) continue;
      throw_errno("waiting for a command");
    }
    if (watched[1].revents != 0 && read_some(error_fd, text) == 0) {
      if (pid_fd < 0) break;  // no pidfd to be had; the end of its output must do
      watched[1].fd = -1;
    }
  }
  while (text.size() < error_limit && read_some(error_fd, text) > 0) {
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

StartedCommand start_command(const std::vector<std::string>& argv, const std::vector<std::string>& env) {
  if (argv.empty() || argv[0].empty() || argv[0][0] != '/') {
    throw InvalidArgument("a command needs an absolute program");
  }
  Pipe errors = make_pipe();
  const SpawnSettings settings(errors.write.get());
  StartedCommand started;
  const int code = ::posix_spawn(&started.pid, argv[0].c_str(), settings.actions(), settings.attributes(),
                                 pointers_to(argv).data(), pointers_to(env).data());
  if (code != 0) throw_sys_error(code, concat("running ", argv[0]));
  started.errors = std::move(errors.read);
  return started;
}

CommandResult finish_command(StartedCommand command) {
  CommandResult result;
  const UniqueFd pid_fd(static_cast<int>(::syscall(SYS_pidfd_open, command.pid, 0)));
  result.errors = collect_errors(command.errors.get(), pid_fd.get());
  result.status = wait_child(command.pid);
  return result;
}

CommandResult run_command(const std::vector<std::string>& argv, const std::vector<std::string>& env) {
  return finish_command(start_command(argv, env));
}

// ---- pidfds ----

namespace {

std::int64_t monotonic_ms() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

bool wait_process(int pid_fd, int timeout_ms) {
  const std::int64_t deadline = monotonic_ms() + timeout_ms;
  for (int left = timeout_ms;;) {
    pollfd watched{pid_fd, POLLIN, 0};
    const int ready = ::poll(&watched, 1, left);
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) throw_errno("waiting for a process");
    if (timeout_ms >= 0) left = static_cast<int>(std::max<std::int64_t>(0, deadline - monotonic_ms()));
  }
}

bool send_signal(int pid_fd, int signal) {
  if (::syscall(SYS_pidfd_send_signal, pid_fd, signal, nullptr, 0) == 0) return true;
  if (errno == ESRCH) return false;
  throw_errno("sending signal ", signal);
}

}  // namespace knarr::sys
