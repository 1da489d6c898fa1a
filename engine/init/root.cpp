// SPDX-License-Identifier: Apache-2.0
// The root file system: mounted, and entered when everything below it is in place.
#include <sched.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <climits>
#include <cstring>

#include "engine/init/context.h"
#include "engine/init/legacy.h"
#include "engine/init/mounts.h"

namespace knarr::engine::init {
namespace {

constexpr long fuse_magic = 0x65735546;
constexpr std::uint32_t max_root_paths = 1024;    // overlay takes 500 layers
constexpr std::size_t max_fsconfig_string = 255;  // bytes; the kernel refuses longer ones

bool is_shared(const Root& root) {
  return (root.propagation & MS_SHARED) != 0;
}

// With rshared the host's mounts stay shared on purpose; only the one that the root will lie on must not be,
// or the root would show on the host (and pivot_root refuses it).
bool make_parent_mount_private(const char* mount_point) {
  char path[PATH_MAX];
  if (std::strlen(mount_point) >= sizeof path) return failed(ENAMETOOLONG);
  std::strcpy(path, mount_point);
  for (;;) {
    if (::mount(nullptr, path, nullptr, MS_PRIVATE, nullptr) == 0) return true;
    // EINVAL: not a mount point; the one above may be.
    char* slash = std::strrchr(path, '/');
    if (errno != EINVAL || slash == nullptr || std::strcmp(path, "/") == 0) return false;
    *(slash == path ? slash + 1 : slash) = '\0';
  }
}

// --- overlay ---------------------------------------------------------------------------------------------

bool set_option(int context_fd, const MountOption& option) {
  if (option.value == nullptr) return ::fsconfig(context_fd, FSCONFIG_SET_FLAG, option.key, nullptr, 0) == 0;
  if (std::strlen(option.value) <= max_fsconfig_string)
    return ::fsconfig(context_fd, FSCONFIG_SET_STRING, option.key, option.value, 0) == 0;
  // Only paths are this long. Their descriptor's name is short, and the kernel resolves it on the spot.
  const Fd layer{::open(option.value, O_PATH | O_DIRECTORY | O_CLOEXEC)};
  return layer && ::fsconfig(context_fd, FSCONFIG_SET_STRING, option.key, FdPath(layer.get()).text, 0) == 0;
}

// Detached; `too_old` when this kernel has no fsopen or its overlay no lowerdir+ (before 6.5).
int make_overlay(Span<MountOption> options, bool& too_old) {
  too_old = false;
  const Fd context{::fsopen("overlay", FSOPEN_CLOEXEC)};
  if (!context) {
    too_old = mount_api_missing();
    return -1;
  }
  if (::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", "overlay", 0) < 0) return -1;
  for (const MountOption& option : options) {
    if (set_option(context.get(), option)) continue;
    too_old = errno == EINVAL && std::strcmp(option.key, "lowerdir+") == 0;
    return -1;
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) {
    // Before 6.5 every key is accepted, and an unknown one is only refused now.
    too_old = errno == EINVAL;
    return -1;
  }
  return ::fsmount(context.get(), FSMOUNT_CLOEXEC, 0);
}

// What mount(2) has put somewhere is found by the path of the place. A descriptor's name leads below it.
bool has_path(const Root& root) {
  return std::strncmp(root.mount_point, "/proc/self/fd/", 14) != 0 || failed(EOPNOTSUPP);
}

int mount_overlay(const Root& root, int target_fd) {
  bool too_old = false;
  Fd mount{make_overlay(root.options, too_old)};
  if (mount) return attach(mount.get(), target_fd) ? mount.release() : -1;
  if (!too_old || !has_path(root) || !legacy_mount_overlay(root.options, target_fd)) return -1;
  return ::open(root.mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

// --- bind ------------------------------------------------------------------------------------------------

int mount_tree(const Root& root, int target_fd) {
  const Fd source{::open(root.source, O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!source) return -1;
  Fd tree{clone_tree(source.get(), true)};
  if (tree) return attach(tree.get(), target_fd) ? tree.release() : -1;
  if (!mount_api_missing() || !has_path(root) || !legacy_bind(source.get(), target_fd, true)) return -1;
  return ::open(root.mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

// --- fuse ------------------------------------------------------------------------------------------------

// In a mount namespace of its own: pivot_root(2) moves every process whose root is the old one, and a daemon
// that lives on the file system it serves waits for itself for ever.
[[noreturn]] void run_fuse_program(const char* const* argv) {
  static const char* const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", nullptr};
  if (::unshare(CLONE_NEWNS) < 0) ::_exit(126);
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execve(argv[0], const_cast<char* const*>(argv), const_cast<char* const*>(environment));
  ::_exit(127);
}

bool wait_for_fuse_program(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code == 127) return failed(ENOENT);
  if (code == 126) return failed(EPERM);
  return code == 0 || failed(EIO);
}

bool change_attached(int mount_fd, const MountChange& change) {
  return change_mount(mount_fd, change) || (mount_api_missing() && legacy_change_mount(mount_fd, change));
}

// A mount point that the program's namespace shares with ours, so that what it mounts there shows here.
int make_shared_mount_point(const Root& root, int target_fd) {
  const MountChange shared{.propagation = MS_SHARED};
  Fd mount{clone_tree(target_fd, true)};
  if (mount) return attach(mount.get(), target_fd, shared) ? mount.release() : -1;
  if (!mount_api_missing() || !legacy_bind(target_fd, target_fd, true)) return -1;
  mount = Fd{::open(root.mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC)};
  return mount && change_attached(mount.get(), shared) ? mount.release() : -1;
}

// The program returns when it serves the mount, leaving a daemon behind.
int mount_fuse(const Root& root, int target_fd) {
  if (!has_path(root)) return -1;
  const Fd parent{make_shared_mount_point(root, target_fd)};
  if (!parent) return -1;
  const pid_t child = ::_Fork();
  if (child < 0) return -1;
  if (child == 0) run_fuse_program(root.fuse_argv);
  if (!wait_for_fuse_program(child)) return -1;
  Fd mount{::open(root.mount_point, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  struct statfs facts;
  if (!mount || ::fstatfs(mount.get(), &facts) < 0) return -1;
  if (facts.f_type != fuse_magic) {
    errno = EIO;
    return -1;
  }
  // pivot_root(2) takes neither a shared root nor a root on a shared mount.
  const MountChange apart{.propagation = MS_PRIVATE};
  if (!change_attached(mount.get(), apart) || !change_attached(parent.get(), apart)) return -1;
  return mount.release();
}

// --- entering --------------------------------------------------------------------------------------------

// The old root ends up on top of the new one at "." and is taken away from there; no directory for it is
// needed inside the container (pivot_root(2), NOTES).
bool pivot(int root_fd) {
  const Fd old_root{::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!old_root || ::fchdir(root_fd) < 0 || kernel::pivot_root(".", ".") < 0) return false;
  if (::fchdir(old_root.get()) < 0) return false;
  // As a slave, or the unmounting would reach the host's mounts where they are shared with these.
  if (::mount(nullptr, ".", nullptr, MS_SLAVE | MS_REC, nullptr) < 0) return false;
  return ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0;
}

std::uint64_t restrictions(const Root& root) {
  return (root.read_only ? std::uint64_t{MOUNT_ATTR_RDONLY} : 0) |
         (root.no_devices ? std::uint64_t{MOUNT_ATTR_NODEV} : 0);
}

// Other than for a mount just attached, /proc/self/fd is the container's by now; "." is still a safe name.
bool restrict_root(int root_fd, std::uint64_t attributes) {
  if (change_mount(root_fd, {.set = attributes})) return true;
  if (!mount_api_missing()) return false;
  struct statfs facts;
  if (::fchdir(root_fd) < 0 || ::fstatfs(root_fd, &facts) < 0) return false;
  // The flags of statfs(2) up to ST_RELATIME are those of mount(2), but for these.
  unsigned long flags = static_cast<unsigned long>(facts.f_flags) &
                        (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME);
  if ((attributes & MOUNT_ATTR_RDONLY) != 0) flags |= MS_RDONLY;
  if ((attributes & MOUNT_ATTR_NODEV) != 0) flags |= MS_NODEV;
  return ::mount(nullptr, ".", nullptr, MS_REMOUNT | MS_BIND | flags, nullptr) == 0;
}

}  // namespace

void detach_from_host(Context& init) {
  const Root& root = init.plan.root;
  if (is_shared(root)) {
    if (!make_parent_mount_private(root.mount_point)) init.report.fail(Step::make_private);
    return;
  }
  const std::uint64_t propagation = root.propagation == 0 ? std::uint64_t{MS_PRIVATE} : root.propagation;
  if (::mount(nullptr, "/", nullptr, propagation | MS_REC, nullptr) < 0) init.report.fail(Step::make_private);
}

// Each stays open, for its name is the descriptor's number, until init closes all it does not know.
void open_root_sources(Context& init) {
  static FdPath names[max_root_paths];
  static MountOption options[max_root_paths];
  std::uint32_t next = 0;
  const auto name_of = [&](const char* path) {
    if (next == max_root_paths) init.report.fail(Step::mount_root, 0, E2BIG);
    const int fd = ::open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) init.report.fail(Step::mount_root);
    return (names[next++] = FdPath(fd)).text;
  };
  const Root& root = init.plan.root;
  init.opened_root = root;
  init.opened_root.mount_point = name_of(root.mount_point);
  if (root.source != nullptr) init.opened_root.source = name_of(root.source);
  if (root.options.size > max_root_paths) init.report.fail(Step::mount_root, 0, E2BIG);
  for (std::uint32_t i = 0; i < root.options.size; ++i) {
    options[i] = root.options[i];
    const bool is_path = options[i].value != nullptr && options[i].value[0] == '/';
    if (is_path) options[i].value = name_of(options[i].value);
  }
  init.opened_root.options = {options, root.options.size};
}

void mount_root(Context& init) {
  const bool by_descriptor = init.plan.owner_unmapped;
  const Root& root = by_descriptor ? init.opened_root : init.plan.root;
  const Fd target{::open(root.mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!target) init.report.fail(Step::mount_root);
  switch (root.kind) {
    case Root::Kind::overlay:
      init.root = Fd{mount_overlay(root, target.get())};
      break;
    case Root::Kind::bind:
      init.root = Fd{mount_tree(root, target.get())};
      break;
    case Root::Kind::fuse:
      init.root = Fd{mount_fuse(root, target.get())};
      break;
  }
  if (!init.root) init.report.fail(Step::mount_root);
}

void enter_root(Context& init) {
  const Root& root = init.plan.root;
  if (!pivot(init.root.get())) init.report.fail(Step::pivot_root);
  const std::uint64_t attributes = restrictions(root);
  if (attributes != 0 && !restrict_root(init.root.get(), attributes)) init.report.fail(Step::root_read_only);
  // After pivot_root, which refuses a shared root. Only the root: what is bound below has its own.
  const std::uint64_t propagation = root.propagation & ~std::uint64_t{MS_REC};
  if (propagation != 0 && ::mount(nullptr, "/", nullptr, propagation, nullptr) < 0)
    init.report.fail(Step::pivot_root);
}

}  // namespace knarr::engine::init
