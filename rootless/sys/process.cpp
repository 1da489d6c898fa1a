// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
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
#include "rootless/sys/file.h"

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
  // -1 stands for /dev/null.
  SpawnSettings(int input_fd, int output_fd, int error_fd) {
    ::posix_spawn_file_actions_init(&actions_);
    connect(input_fd, STDIN_FILENO);
    connect(output_fd, STDOUT_FILENO);
    connect(error_fd, STDERR_FILENO);
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
  void connect(int fd, int standard_fd) {
    if (fd >= 0) {
      ::posix_spawn_file_actions_adddup2(&actions_, fd, standard_fd);
    } else {
      ::posix_spawn_file_actions_addopen(&actions_, standard_fd, "/dev/null", O_RDWR, 0);
    }
  }

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

pid_t spawn(const std::vector<std::string>& argv, const std::vector<std::string>& env,
            const SpawnSettings& settings) {
  if (argv.empty() || argv[0].empty() || argv[0][0] != '/') {
    throw InvalidArgument("a command needs an absolute program");
  }
  pid_t pid = -1;
  const int code = ::posix_spawn(&pid, argv[0].c_str(), settings.actions(), settings.attributes(),
                                 pointers_to(argv).data(), pointers_to(env).data());
  if (code != 0) throw_sys_error(code, concat("running ", argv[0]));
  return pid;
}

// What a command writes. Over the limit it is read and dropped, so that the writer never blocks.
class Collector {
 public:
  Collector(UniqueFd fd, std::size_t limit) : fd_(std::move(fd)), limit_(limit) {
    ::fcntl(fd_.get(), F_SETFL, O_NONBLOCK);
  }
  int fd() const { return ended_ ? -1 : fd_.get(); }
  bool overflowed() const { return overflowed_; }
  std::string take() { return std::move(text_); }

  // Reads once; false when nothing more is there now.
  bool read_some() {
    char buffer[4096];
    const ssize_t got = ::read(fd_.get(), buffer, sizeof buffer);
    if (got == 0) ended_ = true;
    if (got <= 0) return false;
    const auto count = static_cast<std::size_t>(got);
    overflowed_ |= count > limit_ - text_.size();
    text_.append(buffer, std::min(count, limit_ - text_.size()));
    return true;
  }

  // What is there already; another process may go on writing.
  void drain() {
    while (!overflowed_ && !ended_ && read_some()) {
    }
  }

 private:
  UniqueFd fd_;
  std::size_t limit_;
  std::string text_;
  bool ended_ = false;
  bool overflowed_ = false;
};

// Reads until the process is dead. The end of the file is no sign of that: a program that goes to the
// background leaves its standard error open in its child.
ExitStatus collect_until_dead(pid_t pid, const std::vector<Collector*>& collectors) {
  const UniqueFd pid_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  std::vector<pollfd> watched(collectors.size() + 1);
  for (;;) {
    bool all_ended = true;
    for (std::size_t i = 0; i < collectors.size(); ++i) {
      watched[i] = {collectors[i]->fd(), POLLIN, 0};
      all_ended &= collectors[i]->fd() < 0;
    }
    watched.back() = {pid_fd.get(), POLLIN, 0};
    if (!pid_fd && all_ended) break;  // no pidfd to be had; the end of its output must do
    if (::poll(watched.data(), watched.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw_errno("waiting for a command");
    }
    if (watched.back().revents != 0) break;
    for (std::size_t i = 0; i < collectors.size(); ++i) {
      if (watched[i].revents != 0) collectors[i]->read_some();
    }
  }
  for (Collector* collector : collectors) collector->drain();
  return wait_child(pid);
}

constexpr std::size_t error_limit = 4096;

std::string without_line_break(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

// A file in memory rather than a pipe: whoever does not read it all is no reason for SIGPIPE or for waiting.
UniqueFd make_input(std::string_view input) {
  UniqueFd file(::memfd_create("input", MFD_CLOEXEC));
  if (!file) throw_errno("creating a file in memory");
  write_all(file.get(), input, "input of a command");
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

}  // namespace

StartedCommand start_command(const std::vector<std::string>& argv, const std::vector<std::string>& env) {
  Pipe errors = make_pipe();
  StartedCommand started;
  started.pid = spawn(argv, env, SpawnSettings(-1, -1, errors.write.get()));
  started.errors = std::move(errors.read);
  return started;
}

CommandResult finish_command(StartedCommand command) {
  Collector errors(std::move(command.errors), error_limit);
  const ExitStatus status = collect_until_dead(command.pid, {&errors});
  return {status, without_line_break(errors.take())};
}

CommandResult run_command(const std::vector<std::string>& argv, const std::vector<std::string>& env) {
  return finish_command(start_command(argv, env));
}

FilterResult run_filter(const std::vector<std::string>& argv, const std::vector<std::string>& env,
                        std::string_view input, std::size_t output_limit) {
  const UniqueFd input_file = make_input(input);
  Pipe output_pipe = make_pipe();
  Pipe error_pipe = make_pipe();
  const SpawnSettings settings(input_file.get(), output_pipe.write.get(), error_pipe.write.get());
  const pid_t pid = spawn(argv, env, settings);
  output_pipe.write.reset();
  error_pipe.write.reset();
  Collector output(std::move(output_pipe.read), output_limit);
  Collector errors(std::move(error_pipe.read), error_limit);
  const ExitStatus status = collect_until_dead(pid, {&output, &errors});
  if (output.overflowed()) throw Error(concat(argv[0], " wrote more than ", output_limit, " bytes"));
  return {status, output.take(), without_line_break(errors.take())};
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
