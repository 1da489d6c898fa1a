// SPDX-License-Identifier: Apache-2.0
#include "rootless/id_mapper.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/user.h"

namespace knarr::rootless {
namespace {

constexpr int deadly_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

// A handler must not run in a child that shares our memory, so both are born with every signal blocked.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before_);
  }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;
  ~AllSignalsBlocked() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

// Where SIGCHLD is ignored the kernel throws exit statuses away.
class ChildStatusesKept {
 public:
  ChildStatusesKept() {
    ::sigaction(SIGCHLD, nullptr, &before_);
    changed_ = before_.sa_handler == SIG_IGN || (before_.sa_flags & SA_NOCLDWAIT) != 0;
    if (changed_) ::signal(SIGCHLD, SIG_DFL);
  }
  ChildStatusesKept(const ChildStatusesKept&) = delete;
  ChildStatusesKept& operator=(const ChildStatusesKept&) = delete;
  ~ChildStatusesKept() {
    if (changed_) ::sigaction(SIGCHLD, &before_, nullptr);
  }

 private:
  struct sigaction before_;
  bool changed_ = false;
};

std::vector<std::string> helper_command(const std::string& program, pid_t pid, const IdMap& map) {
  std::vector<std::string> command{program, std::to_string(pid)};
  for (const IdExtent& extent : map) {
    for (const std::uint32_t number : {extent.inside, extent.outside, extent.count}) {
      command.push_back(std::to_string(number));
    }
  }
  return command;
}

// "[1-65537) -> [100000-165536) not allowed": the outside id the complaint is about.
std::optional<std::uint32_t> refused_id(std::string_view words) {
  constexpr std::string_view before = "-> [";
  const std::size_t at = words.find(before);
  if (at == std::string_view::npos) return std::nullopt;
  std::uint32_t id = 0;
  const char* start = words.data() + at + before.size();
  if (std::from_chars(start, words.data() + words.size(), id).ec != std::errc{}) return std::nullopt;
  return id;
}

// The lines a complaint can be about: the one with the refused id, else all of the user's.
std::string name_lines(const char* path, const HostFacts& host, std::string_view words) {
  const std::optional<std::uint32_t> refused = refused_id(words);
  const auto file = sys::read_file_if_exists(AT_FDCWD, path);
  std::string named;
  for (const SubIdLine& line : parse_subid_lines(file.value_or(""), host.user_name, host.uid)) {
    const SubIdRange& range = line.range;
    if (refused && (*refused < range.start || *refused - range.start >= range.count)) continue;
    named += concat(named.empty() ? "" : ", ", path, " line ", line.number, " \"", line.text, '"');
  }
  return named.empty() ? concat("the ids of ", path) : named;
}

bool speaks_of_permission(std::string_view words) {
  return words.find("ermission denied") != std::string_view::npos ||
         words.find("not permitted") != std::string_view::npos;
}

std::string hint_for_failure(const HostFacts& host, const std::string& program, std::string_view words) {
  const std::optional<User> user = find_user(host.uid);
  if (user && user->gid != host.gid) {
    return concat("the current group ", host.gid, " is not the login group ", user->gid, " of ", user->name,
                  ", which ", program, " demands; leave newgrp or sg first");
  }
  if (speaks_of_permission(words)) {
    return concat(program,
                  " could not gain privilege: it must be set-user-ID root on a file system without nosuid; "
                  "in a container, that needs CAP_SETUID and CAP_SETGID");
  }
  return concat("correct the lines of ", host.user_name, "; `man 5 subuid` describes their form");
}

}  // namespace

// Delegates so that the destructor waits for the first child when the second cannot be made.
IdMapper::IdMapper(const HostFacts& host, pid_t target) : IdMapper(host) {
  prepare(helpers_[0], host.newuidmap, host.r_maps.uids, "/etc/subuid", target);
  prepare(helpers_[1], host.newgidmap, host.r_maps.gids, "/etc/subgid", target);
  const AllSignalsBlocked blocked;
  for (Helper& helper : helpers_) start(helper);
}

IdMapper::~IdMapper() {
  go_.write.reset();
  for (const Helper& helper : helpers_) {
    if (helper.started.pid < 0) continue;
    while (::waitpid(helper.started.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

void IdMapper::prepare(Helper& helper, const std::string& program, const IdMap& map, const char* ranges,
                       pid_t target) {
  helper.ranges = ranges;
  helper.command = helper_command(program, target, map);
  for (std::string& argument : helper.command) helper.argv.push_back(argument.data());
  helper.argv.push_back(nullptr);
  sys::Pipe errors = sys::make_pipe();
  helper.started.errors = std::move(errors.read);
  helper.errors_write = std::move(errors.write);
  helper.errors_fd = helper.errors_write.get();
  helper.go_read_fd = go_.read.get();
  helper.go_write_fd = go_.write.get();
}

void IdMapper::start(Helper& helper) {
  helper.started.pid =
      ::clone(&IdMapper::run, helper.stack.data() + helper.stack.size(), CLONE_VM | SIGCHLD, &helper);
  if (helper.started.pid < 0) throw_errno("forking");
  helper.errors_write.reset();
}

// In the child. It shares errno with the parent too, but only a failing call touches it, and then the parent
// is on its way to an error itself.
__attribute__((no_sanitize("address"))) int IdMapper::run(void* argument) noexcept {
  Helper& helper = *static_cast<Helper*>(argument);
  ::close(helper.go_write_fd);
  char byte;
  if (::read(helper.go_read_fd, &byte, 1) != 1) ::_exit(0);  // the parent gave up, or is dead
  ::dup2(helper.errors_fd, STDERR_FILENO);

  sigset_t deadly;
  ::sigemptyset(&deadly);
  for (const int number : deadly_signals) {
    ::signal(number, SIG_DFL);
    ::sigaddset(&deadly, number);
  }
  ::sigprocmask(SIG_UNBLOCK, &deadly, nullptr);

  // Nothing of the user's environment: the program runs with privilege. Its words are quoted, so in English.
  static const char* const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", nullptr};
  ::execve(helper.argv[0], helper.argv.data(), const_cast<char* const*>(environment));
  helper.exec_error = errno;
  ::_exit(127);
}

std::string IdMapper::describe_failure(const Helper& helper, const sys::CommandResult& result) const {
  if (helper.exec_error != 0)
    return concat("running ", helper.command[0], ": ", errno_words(helper.exec_error));
  const std::string words =
      result.errors.empty() ? concat("it exited with status ", result.status.code) : result.errors;
  return concat(helper.command[0], " refused ", name_lines(helper.ranges, host_, words), ": ", words);
}

sys::CommandResult IdMapper::finish(Helper& helper) {
  const pid_t pid = std::exchange(helper.started.pid, -1);
  return sys::finish_command({pid, std::move(helper.started.errors)});
}

void IdMapper::write_maps() {
  const ChildStatusesKept kept;
  sys::write_all(go_.write.get(), "go", "the pipe to the id mappers");  // a byte for each
  std::optional<Error> failure;
  for (Helper& helper : helpers_) {
    const sys::CommandResult result = finish(helper);
    if (result.status.code == 0 || failure) continue;
    failure.emplace(concat("mapping the ids of the user namespace: ", describe_failure(helper, result)));
    failure->set_hint(hint_for_failure(host_, helper.command[0], result.errors));
  }
  if (failure) throw *failure;
}

}  // namespace knarr::rootless
