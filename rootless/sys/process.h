// SPDX-License-Identifier: Apache-2.0
// Processes: identity that survives the reuse of pids, pidfds, forking.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rootless/sys/unique_fd.h"

namespace knarr::sys {

// A process and the start time that tells it from a later one with the same pid (field 22 of
// /proc/PID/stat, clock ticks since boot; proc(5)).
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_time = 0;
  bool operator==(const ProcessId&) const = default;
};

// nullopt when the process is gone (a zombie counts as gone).
std::optional<std::uint64_t> process_start_time(pid_t pid);
ProcessId identify(pid_t pid);  // throws NotFound
bool is_alive(const ProcessId& process);
// A pidfd of exactly this process; empty when it is gone.
UniqueFd open_process(const ProcessId& process);

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};
Pipe make_pipe();  // O_CLOEXEC
struct SocketPair {
  UniqueFd first;
  UniqueFd second;
};
SocketPair make_socket_pair(int type);  // AF_UNIX, SOCK_CLOEXEC; type SOCK_STREAM or SOCK_SEQPACKET

// Throws unless this process has one thread: fork, unshare and setns(CLONE_NEWUSER) demand it. `act` names
// what was about to be done.
void require_single_thread(std::string_view act);

// fork(2) of a single-threaded process (checked). `child` runs in the child, its result is the exit status
// and no destructor of the caller's frames runs there. An exception in the child is printed as
// "Error: ..." and exits 125.
pid_t fork_child(const std::function<int()>& child);

struct ExitStatus {
  int code = 0;  // as a shell sees it: 0..255, 128+signal when killed
  int signal = 0;
};
ExitStatus decode_wait_status(int status);
ExitStatus wait_child(pid_t pid);

// Runs an absolute program with exactly this argv and environment, standard input and output on /dev/null and
// default signals; captures standard error for the message. Returns when the program itself is dead, even if
// a child of it lives on with the same standard error. Throws SysError when it cannot be executed.
struct CommandResult {
  ExitStatus status;
  std::string errors;  // what it wrote to standard error, at most 4 KiB, without the last line break
};
CommandResult run_command(const std::vector<std::string>& argv, const std::vector<std::string>& env);

// run_command in two halves, for programs that run side by side.
struct StartedCommand {
  pid_t pid = -1;
  UniqueFd errors;
};
StartedCommand start_command(const std::vector<std::string>& argv, const std::vector<std::string>& env);
CommandResult finish_command(StartedCommand command);

// run_command for a program that reads `input` and answers on its standard output. What is written over
// output_limit is an Error, for an answer cut short is none.
struct FilterResult {
  ExitStatus status;
  std::string output;
  std::string errors;  // as CommandResult's
};
FilterResult run_filter(const std::vector<std::string>& argv, const std::vector<std::string>& env,
                        std::string_view input, std::size_t output_limit = 1u << 20);

// Waits until the pidfd's process is dead; false when timeout_ms passed first (-1: for ever).
bool wait_process(int pid_fd, int timeout_ms);
// pidfd_send_signal(2); false when the process is gone.
bool send_signal(int pid_fd, int signal);

}  // namespace knarr::sys
