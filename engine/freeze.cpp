// SPDX-License-Identifier: Apache-2.0
#include "engine/freeze.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine {

namespace {

std::vector<pid_t> list_numbers(const std::string& directory) {
  std::vector<pid_t> numbers;
  for (const std::string& name : sys::list_directory(AT_FDCWD, directory)) {
    pid_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size()) numbers.push_back(number);
  }
  return numbers;
}

// nullopt: the process has gone, or is none of ours.
std::optional<ino_t> namespace_of(pid_t pid, const char* kind) {
  struct stat info {};
  if (::stat(concat("/proc/", pid, "/ns/", kind).c_str(), &info) < 0) return std::nullopt;
  return info.st_ino;
}

// What was started by it or entered it (exec) shares its mounts; what has mounts of its own may still be one
// of its processes.
std::vector<pid_t> processes_like(pid_t init) {
  const auto mounts = namespace_of(init, "mnt"), pids = namespace_of(init, "pid");
  const bool owns_pids = pids != namespace_of(::getpid(), "pid");
  std::vector<pid_t> processes;
  if (!mounts) return processes;
  for (const pid_t pid : list_numbers("/proc")) {
    if (namespace_of(pid, "mnt") == mounts || (owns_pids && namespace_of(pid, "pid") == pids))
      processes.push_back(pid);
  }
  return processes;
}

// The signal a stopped thread was about to get. The trap we asked for is none.
int signal_of(int status) {
  return status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
}

}  // namespace

FrozenContainer::FrozenContainer(const sys::ProcessId& init, bool init_is_reaper)
    : init_(init.pid), init_is_reaper_(init_is_reaper) {
  // A thread that is not held yet may start others.
  while (seize_new_threads()) wait_until_stopped();
}

FrozenContainer::~FrozenContainer() {
  for (const auto& [thread, signal] : held_)
    ::ptrace(PTRACE_DETACH, thread, nullptr, static_cast<long>(signal));
}

bool FrozenContainer::seize_new_threads() {
  bool any = false;
  for (const pid_t process : processes_like(init_)) {
    for (const pid_t thread : list_numbers(concat("/proc/", process, "/task"))) {
      if (seized_.contains(thread)) continue;
      if (::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) == 0) {
        ::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
        seized_.insert(thread);
        any = true;
      } else if (errno != ESRCH && !(init_is_reaper_ && process == init_)) {
        is_complete_ = false;
      }
    }
  }
  return any;
}

// Who sleeps in the kernel, as the parent of a vfork(2) does whose child is held, stops when it comes back
// from there: until then it runs nothing either, and is not waited for.
void FrozenContainer::wait_until_stopped() {
  constexpr int patience_ms = 100;
  for (int waited = 0; waited < patience_ms && held_.size() < seized_.size(); ++waited) {
    if (waited > 0) ::poll(nullptr, 0, 1);
    for (auto thread = seized_.begin(); thread != seized_.end();) {
      int status = 0;
      const pid_t found = held_.contains(*thread) ? 0 : ::waitpid(*thread, &status, __WALL | WNOHANG);
      if (found == *thread && WIFSTOPPED(status)) held_[*thread] = signal_of(status);
      const bool has_ended = found < 0 || (found == *thread && !WIFSTOPPED(status));
      thread = has_ended ? seized_.erase(thread) : std::next(thread);
    }
  }
}

}  // namespace knarr::engine
