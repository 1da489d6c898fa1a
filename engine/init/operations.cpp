// SPDX-License-Identifier: Apache-2.0
// The steps below the container's root, one function for each kind.
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstring>

#include "engine/init/accounts.h"
#include "engine/init/context.h"
#include "engine/init/copy_up.h"
#include "engine/init/legacy.h"
#include "engine/init/mounts.h"
#include "engine/init/proc.h"
#include "engine/init/resolve.h"
#include "engine/init/targets.h"

namespace knarr::engine::init {
namespace {

// Handles that several operations share, opened when first needed and before anything of the container could
// stand in their place.
struct Shared {
  explicit Shared(const Context& init) : root_fd(init.root.get()), sources(init.sources), targets(root_fd) {}
  int root_fd;
  const int* sources;  // opened already, one for each operation; null: none
  Fd null_device;      // the host's /dev/null
  Fd empty_tree;       // a read-only tmpfs, attached over the first masked directory
  Fd proc;
  bool proc_is_new = false;
  Targets targets;
};

MountChange change_of(const Operation& operation) {
  return {.set = operation.attributes,
          .clear = operation.clear_attributes,
          .propagation = operation.propagation,
          .recursive = operation.recursive};
}

// After mount(2) the mount on top of a target is found by the target's path; it has to be the one we put
// there.
int reopen_target(const Shared& shared, const Operation& operation, const struct stat* expected) {
  Fd mounted{open_in_root(shared.root_fd, operation.target, O_PATH)};
  struct stat status;
  if (!mounted || expected == nullptr) return mounted.release();
  if (::fstat(mounted.get(), &status) < 0) return -1;
  if (status.st_dev == expected->st_dev && status.st_ino == expected->st_ino) return mounted.release();
  errno = ESTALE;
  return -1;
}

// Puts a copy of the tree at `source_fd` onto `target_fd`.
bool bind_onto(const Shared& shared, const Operation& operation, int source_fd, int target_fd,
               const MountChange& change) {
  const Fd tree{clone_tree(source_fd, operation.recursive)};
  if (tree) return attach(tree.get(), target_fd, change);
  struct stat source;
  if (!mount_api_missing() || ::fstat(source_fd, &source) < 0) return false;
  if (!legacy_bind(source_fd, target_fd, operation.recursive)) return false;
  const Fd mounted{reopen_target(shared, operation, &source)};
  return mounted && legacy_change_mount(mounted.get(), change);
}

// A directory or a file to mount on, as the source is one or the other.
int make_target_like(Shared& shared, const Operation& operation, const struct stat& source) {
  const bool as_file = operation.file_target || !S_ISDIR(source.st_mode);
  return as_file ? shared.targets.make_file(operation.target, 0644)
                 : shared.targets.make_directory(operation.target, 0755);
}

// --- filesystem ------------------------------------------------------------------------------------------

// The kernel's views of itself. A container gets them where they belong or not at all: an image whose /proc
// is a link must not move them.
bool is_kernel_view(const char* fstype) {
  return std::strcmp(fstype, "proc") == 0 || std::strcmp(fstype, "sysfs") == 0;
}

// In a container inside a container parts of the outer /proc and /sys are masked, and the kernel then refuses
// a fresh one that would show them: the outer one is bound instead, masks and all.
bool bind_host_view(const Shared& shared, const Operation& operation, int target_fd) {
  const char* path = std::strcmp(operation.fstype, "proc") == 0 ? "/proc" : "/sys";
  const Fd source{::open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  return source && bind_onto(shared, operation, source.get(), target_fd, change_of(operation));
}

// The directory itself, not what is mounted on it: asked before the mount.
bool open_covered(const Shared& shared, const Operation& operation, Fd& covered) {
  if (!operation.copy_up) return true;
  covered = Fd{open_in_root(shared.root_fd, operation.target, O_RDONLY | O_DIRECTORY)};
  return static_cast<bool>(covered);
}

// By the root of the mount, which nobody else can reach yet.
bool fill(int mount_fd, const Fd& covered) {
  if (!covered) return true;
  const Fd root{::openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return root && copy_up(covered.get(), root.get());
}

// The procfs that the sysctls were written to, for the container: a mount that is closed without having been
// attached makes the kernel wait for all its processors (synchronize_rcu_expedited).
Fd take_private_proc(Shared& shared, const Operation& operation) {
  const bool fits = std::strcmp(operation.fstype, "proc") == 0 && operation.options.size == 0 &&
                    operation.attributes == private_proc_attributes;
  return fits && shared.proc_is_new ? Fd{shared.proc.release()} : Fd{};
}

bool mount_filesystem_legacy(const Shared& shared, const Operation& operation, int target_fd,
                             std::uint64_t attributes, const Fd& covered, const MountChange& change) {
  if (!legacy_mount_filesystem(operation.fstype, operation.source, operation.options, attributes, target_fd))
    return false;
  const Fd mounted{reopen_target(shared, operation, nullptr)};
  return mounted && fill(mounted.get(), covered) && legacy_change_mount(mounted.get(), change);
}

bool mount_filesystem(Shared& shared, const Operation& operation, bool& replaced) {
  const bool kernel_view = is_kernel_view(operation.fstype);
  const Leaf leaf = kernel_view ? Leaf::refuse : Leaf::follow;
  const Fd target{shared.targets.make_directory(operation.target, 0755, leaf)};
  Fd covered;
  if (!target || !open_covered(shared, operation, covered)) return false;
  MountChange change{.propagation = operation.propagation};
  std::uint64_t attributes = operation.attributes;
  if (covered) {  // what is to be filled is made read-only afterwards
    change.set = attributes & MOUNT_ATTR_RDONLY;
    attributes &= ~std::uint64_t{MOUNT_ATTR_RDONLY};
  }
  Fd mount = take_private_proc(shared, operation);
  if (!mount) mount = Fd{make_filesystem(operation.fstype, operation.source, operation.options, attributes)};
  if (mount) return fill(mount.get(), covered) && attach(mount.get(), target.get(), change);
  if (!mount_api_missing()) return false;
  if (mount_filesystem_legacy(shared, operation, target.get(), attributes, covered, change)) return true;
  if (errno != EPERM || !kernel_view || !operation.optional) return false;
  replaced = bind_host_view(shared, operation, target.get());
  return replaced || failed(EPERM);
}

// --- bind and device -------------------------------------------------------------------------------------

// What open_sources() has opened, or failed to.
int take_source(int opened) {
  if (opened >= 0) return opened;
  errno = -opened - 1;
  return -1;
}

bool bind(Shared& shared, const Operation& operation, std::uint32_t index) {
  const Fd source{shared.sources != nullptr ? take_source(shared.sources[index])
                                            : ::open(operation.source, O_PATH | O_CLOEXEC)};
  struct stat status;
  if (!source || ::fstat(source.get(), &status) < 0) return false;
  const bool checked = operation.source_device != 0 || operation.source_inode != 0;
  if (checked && (status.st_dev != operation.source_device || status.st_ino != operation.source_inode))
    return failed(ESTALE);
  const Fd target{make_target_like(shared, operation, status)};
  return target && bind_onto(shared, operation, source.get(), target.get(), change_of(operation));
}

bool is_the_device(const struct stat& status, const Operation& operation) {
  const mode_t type = operation.device_is_block ? S_IFBLK : S_IFCHR;
  return (status.st_mode & S_IFMT) == type && status.st_rdev == operation.rdev;
}

bool make_node(Shared& shared, const Operation& operation) {
  Name name;
  const int parent = shared.targets.open_parent(operation.target, name);
  if (parent < 0) return false;
  const mode_t mode = (operation.device_is_block ? S_IFBLK : S_IFCHR) | operation.mode;
  if (::mknodat(parent, name.text, mode, operation.rdev) == 0) {
    if (operation.uid == 0 && operation.gid == 0) return true;
    return ::fchownat(parent, name.text, operation.uid, operation.gid, AT_SYMLINK_NOFOLLOW) == 0;
  }
  struct stat status;
  if (errno != EEXIST) return false;
  if (::fstatat(parent, name.text, &status, AT_SYMLINK_NOFOLLOW) < 0) return false;
  return is_the_device(status, operation) || failed(EEXIST);
}

bool bind_device(Shared& shared, const Operation& operation) {
  const Fd source{::open(operation.source, O_PATH | O_CLOEXEC)};
  struct stat status;
  if (!source || ::fstat(source.get(), &status) < 0) return false;
  if (!is_the_device(status, operation)) return failed(ENODEV);
  const Fd target{shared.targets.make_file(operation.target, 0666)};
  return target && bind_onto(shared, operation, source.get(), target.get(), change_of(operation));
}

bool place_device(Shared& shared, const Operation& operation) {
  if (operation.mknod) {
    if (make_node(shared, operation)) return true;
    if (errno != EPERM || operation.source == nullptr) return false;
  }
  return bind_device(shared, operation);
}

// --- directory, symlink, file ----------------------------------------------------------------------------

bool make_directory(Shared& shared, const Operation& operation) {
  bool made = false;
  const mode_t mode = operation.mode == 0 ? 0755 : operation.mode;
  const Fd directory{shared.targets.make_directory(operation.target, mode, Leaf::follow, &made)};
  if (!directory) return false;
  if (!made) return true;
  if (operation.uid != 0 || operation.gid != 0) {
    if (::fchownat(directory.get(), "", operation.uid, operation.gid, AT_EMPTY_PATH) < 0) return false;
  }
  // mkdir(2) knows no set-id bits.
  if ((mode & (S_ISUID | S_ISGID)) == 0) return true;
  return ::chmod(FdPath(directory.get()).text, mode) == 0;
}

bool make_symlink(Shared& shared, const Operation& operation) {
  Name name;
  const int parent = shared.targets.open_parent(operation.target, name);
  if (parent < 0) return false;
  return ::symlinkat(operation.source, parent, name.text) == 0 || errno == EEXIST;
}

bool write_whole(int fd, const char* content, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, content, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

bool is_empty_file(int parent_fd, const Name& name, const Operation& operation, mode_t mode) {
  struct stat status;
  return ::fstatat(parent_fd, name.text, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         status.st_mode == (S_IFREG | mode) && status.st_size == 0 && status.st_uid == operation.uid &&
         status.st_gid == operation.gid;
}

bool make_file(Shared& shared, const Operation& operation) {
  Name name;
  const int parent = shared.targets.open_parent(operation.target, name);
  if (parent < 0) return false;
  const mode_t mode = operation.mode == 0 ? 0644 : operation.mode;
  // In a lower layer, most often. To replace it would copy its directory up.
  if (operation.content_size == 0 && is_empty_file(parent, name, operation, mode)) return true;
  if (::unlinkat(parent, name.text, 0) < 0 && errno != ENOENT) return false;
  const Fd file{::openat(parent, name.text, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
  if (!file || !write_whole(file.get(), operation.content, operation.content_size)) return false;
  if (operation.uid == 0 && operation.gid == 0) return true;
  return ::fchown(file.get(), operation.uid, operation.gid) == 0 && ::fchmod(file.get(), mode) == 0;
}

// --- mask and read_only ----------------------------------------------------------------------------------

bool is_missing(int error) {
  return error == ENOENT || error == ENOTDIR;
}

bool open_null_device(Shared& shared) {
  if (shared.null_device) return true;
  shared.null_device = Fd{::open("/dev/null", O_PATH | O_CLOEXEC)};
  struct stat status;
  if (!shared.null_device || ::fstat(shared.null_device.get(), &status) < 0) return false;
  return (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3)) || failed(ENODEV);
}

bool cover_with_empty_tree(Shared& shared, const Operation& operation, int target_fd) {
  if (shared.empty_tree) return bind_onto(shared, operation, shared.empty_tree.get(), target_fd, {});
  static constexpr MountOption options[] = {{"size", "4k"}, {"nr_inodes", "1"}, {"mode", "755"}};
  constexpr std::uint64_t attributes =
      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  const Span<MountOption> span{options, sizeof options / sizeof options[0]};
  shared.empty_tree = Fd{make_filesystem("tmpfs", "tmpfs", span, attributes)};
  if (shared.empty_tree) return attach(shared.empty_tree.get(), target_fd);
  if (!mount_api_missing()) return false;
  if (!legacy_mount_filesystem("tmpfs", "tmpfs", span, attributes, target_fd)) return false;
  shared.empty_tree = Fd{reopen_target(shared, operation, nullptr)};
  return static_cast<bool>(shared.empty_tree);
}

bool mask(Shared& shared, const Operation& operation) {
  shared.targets.forget();
  const Fd target{open_in_root(shared.root_fd, operation.target, O_PATH)};
  if (!target) return is_missing(errno);
  struct stat status;
  if (::fstat(target.get(), &status) < 0) return false;
  if (S_ISDIR(status.st_mode)) return cover_with_empty_tree(shared, operation, target.get());
  return open_null_device(shared) && bind_onto(shared, operation, shared.null_device.get(), target.get(), {});
}

bool make_read_only(Shared& shared, const Operation& operation) {
  shared.targets.forget();
  const Fd target{open_in_root(shared.root_fd, operation.target, O_PATH)};
  if (!target) return is_missing(errno);
  MountChange change = change_of(operation);
  change.set |= MOUNT_ATTR_RDONLY;
  return bind_onto(shared, operation, target.get(), target.get(), change);
}

// --- sysctl ----------------------------------------------------------------------------------------------

// The value ends in one write(2) of its own: a newline in it would make it two for some keys, and what the
// key's grammar does not allow could name a file outside of the namespaced ones, "net/../kernel" too.
bool is_valid_sysctl(const Operation& operation) {
  if (operation.target[0] == '/' || std::strstr(operation.target, "..") != nullptr) return false;
  for (const char* key = operation.target; *key != '\0'; ++key) {
    const char c = *key;
    const bool allowed =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '/' || c == '-';
    if (!allowed) return false;
  }
  for (std::uint32_t i = 0; i < operation.content_size; ++i) {
    if (operation.content[i] == '\0' || operation.content[i] == '\n') return false;
  }
  return operation.content_size > 0;
}

bool write_sysctl(Shared& shared, const Operation& operation) {
  if (!is_valid_sysctl(operation)) return failed(EINVAL);
  if (!shared.proc) shared.proc = Fd{open_private_proc(&shared.proc_is_new)};
  if (!shared.proc) return false;
  const Fd directory{open_in_proc(shared.proc.get(), "sys", O_PATH | O_DIRECTORY)};
  if (!directory) return false;
  const Fd file{open_in_proc(directory.get(), operation.target, O_WRONLY)};
  if (!file) return false;
  const ssize_t written = ::write(file.get(), operation.content, operation.content_size);
  if (written < 0) return false;
  return static_cast<std::uint32_t>(written) == operation.content_size || failed(EINVAL);
}

bool perform(Shared& shared, const Operation& operation, std::uint32_t index, bool& replaced) {
  switch (operation.kind) {
    case Operation::Kind::filesystem:
      return mount_filesystem(shared, operation, replaced);
    case Operation::Kind::bind:
      return bind(shared, operation, index);
    case Operation::Kind::device:
      return place_device(shared, operation);
    case Operation::Kind::directory:
      return make_directory(shared, operation);
    case Operation::Kind::symlink:
      return make_symlink(shared, operation);
    case Operation::Kind::file:
      return make_file(shared, operation);
    case Operation::Kind::user_entry:
    case Operation::Kind::group_entry:
      return add_account(shared.root_fd, operation);
    case Operation::Kind::mask:
      return mask(shared, operation);
    case Operation::Kind::read_only:
      return make_read_only(shared, operation);
    case Operation::Kind::sysctl:
      return write_sysctl(shared, operation);
  }
  return failed(EINVAL);
}

}  // namespace

void open_sources(Context& init) {
  open_root_sources(init);
  static int sources[1024];
  const Span<Operation> operations = init.plan.operations;
  if (operations.size > sizeof sources / sizeof sources[0]) init.report.fail(Step::operation, 0, E2BIG);
  for (std::uint32_t i = 0; i < operations.size; ++i) {
    if (operations[i].kind != Operation::Kind::bind) continue;
    sources[i] = ::open(operations[i].source, O_PATH | O_CLOEXEC);
    if (sources[i] < 0) sources[i] = -errno - 1;
  }
  init.sources = sources;
}

void replay_operations(Context& init) {
  Shared shared(init);
  const Span<Operation> operations = init.plan.operations;
  for (std::uint32_t i = 0; i < operations.size; ++i) {
    bool replaced = false;
    const bool done = perform(shared, operations[i], i, replaced);
    init.done("set up files", i);
    if (done && !replaced) continue;
    if (!operations[i].optional) init.report.fail(Step::operation, i);
    init.report.notice(Step::operation, i, replaced ? EPERM : errno);
  }
}

}  // namespace knarr::engine::init
