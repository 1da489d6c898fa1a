// SPDX-License-Identifier: Apache-2.0
// Standard input, output and error: a new pty of the container's own devpts, or what the plan brings.
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>

#include <cstring>

#include "engine/init/context.h"
#include "engine/init/legacy.h"
#include "engine/init/mounts.h"
#include "engine/init/resolve.h"

namespace knarr::engine::init {
namespace {

int open_master(int root_fd) {
  Fd master{open_in_root(root_fd, "/dev/pts/ptmx", O_RDWR | O_NOCTTY)};
  struct stat status;
  struct statfs facts;
  if (!master || ::fstat(master.get(), &status) < 0 || ::fstatfs(master.get(), &facts) < 0) return -1;
  const bool is_ptmx = S_ISCHR(status.st_mode) && status.st_rdev == makedev(5, 2);
  if (is_ptmx && facts.f_type == DEVPTS_SUPER_MAGIC) return master.release();
  errno = ENODEV;
  return -1;
}

// By the master, not by a name: /dev/pts/N may be anything by the time it is opened.
int open_slave(int master_fd) {
  const int unlocked = 0;
  if (::ioctl(master_fd, TIOCSPTLCK, &unlocked) < 0) return -1;
  return ::ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

bool set_size(int fd, const Process& process) {
  if (process.rows == 0 && process.columns == 0) return true;
  winsize size{};
  size.ws_row = process.rows;
  size.ws_col = process.columns;
  return ::ioctl(fd, TIOCSWINSZ, &size) == 0;
}

// The slave itself, by descriptor, onto /dev/console.
bool bind_console(int root_fd, int slave_fd) {
  const Fd target{make_file_in_root(root_fd, "/dev/console", 0600, Leaf::refuse)};
  if (!target) return false;
  const Fd tree{clone_tree(slave_fd, false)};
  if (tree) return attach(tree.get(), target.get());
  return mount_api_missing() && legacy_bind(slave_fd, target.get(), false);
}

// A container's user opens /dev/stdout anew now and then, which needs the right to the pipe, not only the
// descriptor. Only for pipes of the engine's: others are used outside, where their owner may open them too.
void own_pipe(int fd, const Identity& identity) {
  struct stat status;
  if (::fstat(fd, &status) < 0 || !S_ISFIFO(status.st_mode)) return;
  if (::fchown(fd, identity.uid, identity.gid) < 0) errno = 0;  // not ours: then it stays as it is
}

}  // namespace

void open_terminal(Context& init) {
  const Fd master{open_master(init.root.get())};
  if (!master) init.report.fail(Step::open_terminal);
  init.terminal = Fd{open_slave(master.get())};
  if (!init.terminal || !set_size(init.terminal.get(), init.plan.process))
    init.report.fail(Step::open_terminal);
  if (::fchown(init.terminal.get(), init.identity.uid, static_cast<gid_t>(-1)) < 0)
    init.report.fail(Step::open_terminal);
  // exec joins a container that has its console already.
  if (init.plan.has_root && !bind_console(init.root.get(), init.terminal.get()))
    init.report.fail(Step::open_terminal);
  if (!send_descriptor(init.console_fd, master.get())) init.report.fail(Step::open_terminal);
}

void connect_stdio(Context& init) {
  for (int i = 0; i < 3; ++i) {
    const int source = init.terminal ? init.terminal.get() : init.stdio[i];
    if (source < 0) continue;
    if (::dup2(source, i) < 0) init.report.fail(Step::stdio, static_cast<std::uint32_t>(i));
    if (!init.terminal && init.plan.own_stdio[i]) own_pipe(i, init.identity);
  }
}

void take_controlling_terminal(Context& init) {
  if (init.plan.process.terminal && ::ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0) init.report.fail(Step::stdio);
}

}  // namespace knarr::engine::init
