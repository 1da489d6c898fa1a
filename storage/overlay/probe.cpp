// SPDX-License-Identifier: Apache-2.0
#include "storage/overlay/probe.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include <array>
#include <cerrno>

#include "rootless/sys/error.h"
#include "rootless/sys/process.h"

namespace knarr::storage {
namespace {

// The reason why an overlay does not work; what a probing child throws and its parent reads.
class ProbeFailure : public Error {
 public:
  using Error::Error;
};

template <typename... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw ProbeFailure(concat(parts...));
}

// ---- in the child: namespaces ----

void write_proc(const char* path, std::string_view text) {
  sys::write_all(sys::open_at(AT_FDCWD, path, O_WRONLY).get(), text, path);
}

// A map of the one id every user may map without help; enough to mount.
void enter_single_id_namespace() {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
    fail("user namespaces cannot be made here (", errno_words(errno), ")");
  }
  write_proc("/proc/self/setgroups", "deny");
  write_proc("/proc/self/uid_map", concat("0 ", uid, " 1"));
  write_proc("/proc/self/gid_map", concat("0 ", gid, " 1"));
}

void enter_probe_namespaces() {
  // Real root and whoever is in R need a mount namespace only; everybody else is not permitted one.
  if (::unshare(CLONE_NEWNS) < 0) enter_single_id_namespace();
  // What is mounted here must not show up where it would stay.
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) {
    fail("mounts cannot be made private (", errno_words(errno), ")");
  }
}

// ---- in the child: two layers, and what must be seen through the mount ----

constexpr std::array probe_directories = {"low",  "low/hidden", "top",  "top/hidden", "upper",
                                          "work", "merged",     "meta", "upper2",     "work2"};

void make_layers() {
  for (const char* directory : probe_directories) sys::make_directory(AT_FDCWD, directory, 0755);
  for (const char* file : {"low/kept", "low/removed", "low/hidden/old", "top/hidden/new"}) {
    sys::create_file(AT_FDCWD, file, "layer", 0644, sys::Durability::none);
  }
  if (::mknod("top/removed", S_IFCHR, makedev(0, 0)) < 0) {
    fail("whiteouts cannot be made here (", errno_words(errno), ")");
  }
  if (::setxattr("top/hidden", "user.overlay.opaque", "y", 1, 0) < 0) {
    fail("the file system has no user xattrs (", errno_words(errno), ")");
  }
}

bool is_there(int dir_fd, const char* path) {
  return sys::stat_at(dir_fd, path, AT_SYMLINK_NOFOLLOW).has_value();
}

void check_reading(int root_fd) {
  if (sys::read_file(root_fd, "kept") != "layer") fail("files of a layer read wrong through it");
  if (is_there(root_fd, "removed")) fail("whiteouts are not honoured");
  if (is_there(root_fd, "hidden/old")) fail("opaque directories are not honoured");
  if (!is_there(root_fd, "hidden/new")) fail("opaque directories hide too much");
}

void check_writing(int root_fd) {
  sys::write_all(sys::open_at(root_fd, "kept", O_WRONLY | O_APPEND).get(), "+", "kept");
  if (sys::read_file(root_fd, "kept") != "layer+") fail("copy-up loses data");
  if (sys::read_file(AT_FDCWD, "low/kept") != "layer") fail("writing changes the layer");
  sys::unlink_if_exists(root_fd, "kept");
  if (is_there(root_fd, "kept")) fail("removed files stay");
  sys::make_directory(root_fd, "made", 0755);
  if (::renameat(root_fd, "made", root_fd, "renamed") < 0) {
    fail("directories cannot be renamed (", errno_words(errno), ")");
  }
}

// ---- in the child: the kernel's overlay ----

std::string file_system_name() {
  struct statfs info;
  if (::statfs(".", &info) < 0) return "this file system";
  switch (static_cast<unsigned>(info.f_type)) {
    case 0x6969:
      return "NFS";
    case 0x794c7630:
      return "overlay";
    case 0x65735546:
      return "a FUSE file system";
    case 0x4d44:
      return "FAT";
    case 0xf15f:
      return "eCryptfs";
    case 0xff534d42:
    case 0xfe534d42:
      return "SMB";
    case 0x01021997:
      return "9p";
    case 0x2fc12fc1:
      return "ZFS";
    default:
      return "this file system";
  }
}

[[noreturn]] void fail_to_open(int code) {
  if (code == ENODEV) fail("the kernel has no overlay file system");
  if (code == ENOSYS) fail("the kernel has no fsopen(2), which came with Linux 5.2");
  if (code == EPERM)
    fail("the kernel does not allow overlay in a user namespace, which came with Linux 5.11");
  fail("fsopen(overlay): ", errno_words(code));
}

// One line the kernel left in the context, without its severity: "e overlay: ..." (fsopen(2)).
std::string kernel_words(int context) {
  char line[256];
  const ssize_t length = ::read(context, line, sizeof line);
  if (length <= 2) return {};
  std::string words(line + 2, static_cast<std::size_t>(length - 2));
  return " (" + words.substr(0, words.find('\n')) + ")";
}

[[noreturn]] void fail_to_mount(int context, int code) {
  const std::string words = kernel_words(context);
  if (code == EPERM) fail("the kernel does not allow overlay in a user namespace", words);
  if (code == EINVAL) fail(file_system_name(), " cannot hold the upper directory of an overlay", words);
  fail("mounting overlay: ", errno_words(code), words);
}

bool set_string(int context, const char* key, const char* value) {
  return ::fsconfig(context, FSCONFIG_SET_STRING, key, value, 0) == 0;
}

// True when the kernel took the layers one by one. A kernel before 6.5 collects options without looking at
// them and complains only when the file system is created.
bool set_layers(int context, bool append) {
  if (!append) return set_string(context, "lowerdir", "top:low");
  return set_string(context, "lowerdir+", "top") && set_string(context, "lowerdir+", "low");
}

// Empty when `append` was asked for and the kernel does not know it. The names are relative to the working
// directory, so nothing in the store's path needs escaping.
sys::UniqueFd mount_kernel_overlay(bool append) {
  const sys::UniqueFd context(::fsopen("overlay", FSOPEN_CLOEXEC));
  if (!context) fail_to_open(errno);
  if (!set_layers(context.get(), append)) {
    if (append) return {};
    fail_to_mount(context.get(), errno);
  }
  set_string(context.get(), "upperdir", "upper");
  set_string(context.get(), "workdir", "work");
  ::fsconfig(context.get(), FSCONFIG_SET_FLAG, "userxattr", nullptr, 0);
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) {
    if (append) return {};
    fail_to_mount(context.get(), errno);
  }
  sys::UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  if (!mount) fail("fsmount(overlay): ", errno_words(errno));
  return mount;
}

// What the child says of an overlay that works, so that it is no failure in words.
constexpr std::string_view works_with = "works with:";
constexpr std::string_view appended_layers = " appended layers";
constexpr std::string_view data_only_layers = " data-only layers";

// An empty file that leads to one of the data-only layer "low", as clone_layers() makes them.
bool make_metadata() {
  sys::create_file(AT_FDCWD, "meta/led", "", 0644, sys::Durability::none);
  return ::setxattr("meta/led", "user.overlay.redirect", "/kept", 5, 0) == 0 &&
         ::setxattr("meta/led", "user.overlay.metacopy", "", 0, 0) == 0 && ::truncate("meta/led", 5) == 0;
}

sys::UniqueFd mount_metadata() {
  const sys::UniqueFd context(::fsopen("overlay", FSOPEN_CLOEXEC));
  const bool is_mountable =
      context && set_string(context.get(), "lowerdir+", "meta") &&
      set_string(context.get(), "datadir+", "top") && set_string(context.get(), "datadir+", "low") &&
      set_string(context.get(), "upperdir", "upper2") && set_string(context.get(), "workdir", "work2") &&
      ::fsconfig(context.get(), FSCONFIG_SET_FLAG, "userxattr", nullptr, 0) == 0 &&
      ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
  return sys::UniqueFd(is_mountable ? ::fsmount(context.get(), FSMOUNT_CLOEXEC, 0) : -1);
}

// A kernel may take the options and yet not follow the way: what counts is the content. Without this an image
// is copied for another id map, so a failure needs no words.
bool use_data_layers() {
  try {
    if (!make_metadata()) return false;
    const sys::UniqueFd root = mount_metadata();
    if (!root || sys::read_file(root.get(), "led") != "layer") return false;
    sys::write_all(sys::open_at(root.get(), "led", O_WRONLY | O_APPEND).get(), "+", "led");
    return sys::read_file(root.get(), "led") == "layer+" && sys::read_file(AT_FDCWD, "low/kept") == "layer";
  } catch (const Error&) {
    return false;
  }
}

std::string use_kernel_overlay() {
  bool append = true;
  sys::UniqueFd root = mount_kernel_overlay(append);
  if (!root) root = mount_kernel_overlay(append = false);
  check_reading(root.get());
  check_writing(root.get());
  return concat(works_with, append ? appended_layers : "",
                append && use_data_layers() ? data_only_layers : "");
}

// ---- in the child: fuse-overlayfs ----

std::string use_fuse_overlay(const std::string& program) {
  const sys::CommandResult result =
      sys::run_command({program, "-o", "lowerdir=top:low,upperdir=upper,workdir=work", "merged"},
                       {"PATH=/usr/bin:/bin:/usr/sbin:/sbin"});
  if (result.status.code != 0) fail(program, " failed: ", result.errors);
  {
    const sys::UniqueFd root = sys::open_directory(AT_FDCWD, "merged");
    check_reading(root.get());
    check_writing(root.get());
  }
  ::umount2("merged", MNT_DETACH);  // its server ends with the mount
  return {};
}

// ---- in the parent ----

// Runs `probe` in a child inside a directory of its own, the layers made; returns what it said: empty, or why
// it failed.
template <typename Probe>
std::string run_probe(const Store& store, Probe&& probe) {
  const Store::Staging staging = store.make_staging("probe");
  const sys::Pipe answer = sys::make_pipe();
  const pid_t child = sys::fork_child([&] {
    std::string said;
    try {
      enter_probe_namespaces();
      if (::chdir(store.path(staging.path).c_str()) < 0) throw_errno("entering ", staging.path);
      make_layers();
      said = probe();
    } catch (const Error& error) {
      said = error.message();
    }
    sys::write_all(answer.write.get(), said.substr(0, 4000), "the probe's answer");
    return 0;
  });
  const sys::ExitStatus status = sys::wait_child(child);
  try {
    sys::remove_tree(store.fd(), staging.path);
  } catch (const Error&) {
    // It is garbage now that the lock goes.
  }
  if (status.code != 0) return concat("the probe ended with status ", status.code);
  ::fcntl(answer.read.get(), F_SETFL, O_NONBLOCK);
  char text[4096];
  const ssize_t length = ::read(answer.read.get(), text, sizeof text);
  return length > 0 ? std::string(text, static_cast<std::size_t>(length)) : std::string();
}

std::string find_fuse_overlayfs() {
  for (const char* directory : {"/usr/bin/", "/usr/local/bin/", "/bin/", "/usr/libexec/knarr/"}) {
    std::string program = concat(directory, "fuse-overlayfs");
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return {};
}

}  // namespace

KernelProbe probe_kernel_overlay(const Store& store) {
  const std::string said = run_probe(store, use_kernel_overlay);
  if (!said.starts_with(works_with)) return {.failure = said};
  return {.failure = {},
          .append_layers = said.find(appended_layers) != std::string::npos,
          .data_layers = said.find(data_only_layers) != std::string::npos};
}

FuseProbe probe_fuse_overlay(const Store& store) {
  const std::string program = find_fuse_overlayfs();
  if (program.empty()) return {.failure = "fuse-overlayfs is not installed", .program = {}};
  if (!sys::UniqueFd(::open("/dev/fuse", O_RDWR | O_CLOEXEC))) {
    return {.failure = concat("/dev/fuse cannot be opened (", errno_words(errno), ")"), .program = program};
  }
  return {.failure = run_probe(store, [&] { return use_fuse_overlay(program); }), .program = program};
}

}  // namespace knarr::storage
