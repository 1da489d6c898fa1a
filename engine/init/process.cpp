// SPDX-License-Identifier: Apache-2.0
// What the container's process finds itself with: directory, limits, signals, environment; and its program.
#include <linux/keyctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "engine/init/context.h"
#include "engine/init/proc.h"
#include "engine/init/resolve.h"

namespace knarr::engine::init {
namespace {

constexpr char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// --- out of memory score ---------------------------------------------------------------------------------

void render_number(int value, char (&text)[16]) {
  char digits[12];
  std::size_t count = 0, length = 0;
  unsigned int rest = value < 0 ? 0U - static_cast<unsigned int>(value) : static_cast<unsigned int>(value);
  do {
    digits[count++] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  if (value < 0) text[length++] = '-';
  while (count > 0) text[length++] = digits[--count];
  text[length] = '\0';
}

// --- working directory -----------------------------------------------------------------------------------

// A directory that is not below the root shows as "(unreachable)/...": a descriptor of the host that leaked,
// entered as /proc/self/fd/N.
bool is_inside_root() {
  char path[PATH_MAX];
  if (kernel::getcwd(path, sizeof path) < 0) return false;
  return path[0] == '/' || failed(ENOENT);
}

bool change_directory(const char* path) {
  const Fd root{::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!root) return false;
  const Fd directory{open_in_root(root.get(), path, O_PATH | O_DIRECTORY)};
  return directory && ::fchdir(directory.get()) == 0 && is_inside_root();
}

// --- program ---------------------------------------------------------------------------------------------

bool has_home(const Process& process) {
  for (std::uint32_t i = 0; i < process.env_size; ++i) {
    if (std::strncmp(process.env[i], "HOME=", 5) == 0) return true;
  }
  return false;
}

void complete_environment(const Process& process, const Identity& identity) {
  static char home[sizeof "HOME=" + PATH_MAX];
  const char* added = nullptr;
  if (process.set_home && !has_home(process)) {
    std::strcpy(home, "HOME=");
    std::strcat(home, identity.home);
    added = home;
  }
  // The array is shared with the parent and may hold what an earlier start put there.
  process.env[process.env_size] = added;
  process.env[process.env_size + 1] = nullptr;
}

void exec_file(const Process& process, const char* path) {
  ::execve(path, const_cast<char* const*>(process.argv), const_cast<char* const*>(process.env));
}

// Whether the search goes on: this directory does not have it. EACCES goes on too, but is not forgotten.
bool is_not_here(int error) {
  return error == ENOENT || error == ENOTDIR || error == EACCES || error == ESTALE || error == ENODEV ||
         error == ETIMEDOUT;
}

// Returns the errno to report.
int search_and_exec(const Process& process) {
  const char* name = process.argv[0];
  const std::size_t name_length = std::strlen(name);
  const char* directory = process.path == nullptr ? default_path : process.path;
  char path[PATH_MAX];
  int result = ENOENT;
  for (;;) {
    const std::size_t length = std::strcspn(directory, ":");
    // An empty entry is the working directory (execvp(3)).
    if (length + 1 + name_length < sizeof path) {
      std::memcpy(path, directory, length);
      if (length > 0) path[length] = '/';
      std::strcpy(path + (length > 0 ? length + 1 : 0), name);
      exec_file(process, path);
      if (!is_not_here(errno)) return errno;
      if (errno == EACCES) result = EACCES;
    }
    if (directory[length] == '\0') return result;
    directory += length + 1;
  }
}

}  // namespace

// While this process is still dumpable: the files below /proc/PID of one that is not belong to the machine's
// root.
void apply_oom_score(Context& init) {
  if (!init.plan.process.set_oom_score) return;
  // Before a container's own mounts are made /proc is the host's; a joined one may have any.
  const Fd proc{init.plan.has_root ? ::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC) : open_private_proc()};
  if (!proc) init.report.fail(Step::oom_score);
  const Fd file{open_in_proc(proc.get(), "self/oom_score_adj", O_WRONLY)};
  char text[16];
  render_number(init.plan.process.oom_score, text);
  if (file && ::write(file.get(), text, std::strlen(text)) > 0) return;
  // Only the administrator may go below what the process began with; then it stays at that.
  if (errno != EACCES) init.report.fail(Step::oom_score);
  init.report.notice(Step::oom_score);
}

void make_working_directory(Context& init) {
  const Process& process = init.plan.process;
  if (!process.make_cwd) return;
  bool made = false;
  const Fd directory{make_directory_in_root(init.root.get(), process.cwd, 0755, Leaf::follow, &made)};
  if (!directory) init.report.fail(Step::working_directory);
  if (made && ::fchownat(directory.get(), "", init.identity.uid, init.identity.gid, AT_EMPTY_PATH) < 0)
    init.report.fail(Step::working_directory);
}

bool enter_working_directory(Context& init) {
  if (change_directory(init.plan.process.cwd)) return true;
  // A home on NFS or FUSE may be closed to root and open to its owner.
  if (errno == EACCES || errno == EPERM) return false;
  init.report.fail(Step::working_directory);
}

void apply_limits(Context& init) {
  const Span<Limit> limits = init.plan.process.limits;
  for (std::uint32_t i = 0; i < limits.size; ++i) {
    const auto resource = static_cast<__rlimit_resource>(limits[i].resource);
    if (::setrlimit(resource, &limits[i].value) < 0) init.report.fail(Step::limits, i);
  }
}

// execve(2) resets handlers but keeps what is ignored, and the mask.
void reset_signals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Keys of the caller's session are not the container's. A kernel without keyrings has none to leave, and a
// full quota is no reason not to start.
void join_session_keyring() {
  ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
}

void execute(Context& init) {
  const Process& process = init.plan.process;
  complete_environment(process, init.identity);
  const char* program = process.argv[0];
  if (program == nullptr || *program == '\0') init.report.fail(Step::exec, 0, ENOENT);
  if (std::strchr(program, '/') == nullptr) init.report.fail(Step::exec, 0, search_and_exec(process));
  exec_file(process, program);
  init.report.fail(Step::exec);
}

}  // namespace knarr::engine::init
