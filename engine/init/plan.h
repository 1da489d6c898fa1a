// SPDX-License-Identifier: Apache-2.0
// What a container's first process does, as plain data laid out by the parent (C strings, PODs, compiled
// BPF). The parent keeps the words: init reports only {step, index, errno}.
//
// Everything here lives in one memory region that was mapped before the fork (launch/arena.h), so no pointer
// is translated and nothing is allocated in the child.
#pragma once

#include <linux/filter.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>

#include "engine/init/trace.h"

namespace knarr::engine::init {

template <typename T>
struct Span {
  const T* data = nullptr;
  std::uint32_t size = 0;
  const T* begin() const { return data; }
  const T* end() const { return data + size; }
  const T& operator[](std::uint32_t i) const { return data[i]; }
};

enum class Step : std::uint16_t {
  none,
  wait_for_go,
  set_ids,
  new_session,
  loopback,
  hostname,
  domainname,
  make_private,
  mount_root,
  operation,  // index: into Plan::operations
  pivot_root,
  root_read_only,
  open_terminal,
  stdio,
  resolve_user,
  resolve_group,
  working_directory,
  limits,
  oom_score,
  seccomp,
  capabilities,
  groups,
  user_ids,
  no_new_privileges,
  close_descriptors,
  exec
};

// Sent on Plan::report_fd. A closed pipe without a Report after `about_to_exec` is success; without it the
// process was killed during set-up.
struct Report {
  enum class Kind : std::uint16_t { failure, about_to_exec, notice };  // notice: an optional step was skipped
  Kind kind;
  Step step;
  std::uint32_t index;
  std::int32_t error;  // errno
};

struct MountOption {  // one fsconfig(2) call; value nullptr: a flag
  const char* key;
  const char* value;
};

// The root file system. kind overlay: options hold lowerdir+, datadir+, upperdir, workdir, ...; bind: source
// is a tree.
struct Root {
  enum class Kind : std::uint8_t { overlay, bind, fuse };
  Kind kind = Kind::overlay;
  const char* mount_point =
      nullptr;                   // an existing directory of the host, covered in this mount namespace only
  const char* source = nullptr;  // bind: the tree
  Span<MountOption> options;     // overlay
  const char* const* fuse_argv = nullptr;  // fuse: absolute program and arguments, run inside the namespaces
  bool read_only = false;                  // remounted after everything is in place
  bool no_devices = false;                 // device nodes of the image open nothing
  std::uint64_t propagation = 0;           // MS_PRIVATE, MS_SLAVE, ... of "/"; 0: MS_PRIVATE
};

// One set-up step below the container's root, replayed in order before pivot_root. Targets are container
// paths; they are resolved by openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS) and made when missing.
struct Operation {
  enum class Kind : std::uint8_t {
    filesystem,   // fsopen(fstype), options, fsmount, move_mount onto target
    bind,         // open_tree(source, CLONE), attributes, move_mount onto target
    device,       // bind of a device node after checking that its rdev is `rdev`; made by mknod when `mknod`
    directory,    // mkdir -p target, mode, uid, gid
    symlink,      // target -> source; an existing entry stays
    file,         // target with `content`, mode; an existing file is replaced, a symlink is not followed
    user_entry,   // `content`, a passwd(5) line, at the end of target unless a line there has `uid`
    group_entry,  // the same of group(5) and `gid`
    mask,         // file: /dev/null over it; directory: an empty read-only tmpfs over it; missing: nothing
    read_only,    // bind onto itself, read-only; missing: nothing
    sysctl        // write `content` to /proc/sys/<target> by an own procfs handle
  };
  Kind kind = Kind::filesystem;
  bool optional = false;     // a failure is a notice, the next operation follows
  bool recursive = true;     // bind: with the mounts below it
  bool file_target = false;  // bind: a missing target is made as a file
  bool mknod = false;
  bool copy_up = false;  // filesystem: filled with what the target directory holds
  const char* target = nullptr;
  const char* source = nullptr;
  const char* fstype = nullptr;
  Span<MountOption> options;
  std::uint64_t attributes = 0;        // MOUNT_ATTR_* to set
  std::uint64_t clear_attributes = 0;  // MOUNT_ATTR_* to clear
  std::uint64_t propagation = 0;       // MS_PRIVATE, MS_SLAVE, MS_SHARED; 0: leave
  // bind: what the parent saw at source; 0: not checked. A different file by then is ESTALE.
  std::uint64_t source_device = 0;
  std::uint64_t source_inode = 0;
  const char* content = nullptr;
  std::uint32_t content_size = 0;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t rdev = 0;
  bool device_is_block = false;
};

struct Limit {
  int resource;
  rlimit value;
};

struct CapabilitySets {
  std::uint64_t bounding = 0, permitted = 0, effective = 0, inheritable = 0, ambient = 0;
};

// The process to become. User and groups are resolved in the container's own /etc/passwd and /etc/group.
struct Process {
  const char* const* argv = nullptr;  // null-terminated
  const char** env = nullptr;         // null-terminated, with room for two more entries (HOME) before the end
  std::uint32_t env_size = 0;
  const char* path = nullptr;  // the value of PATH for the search of argv[0]
  const char* cwd = "/";
  bool make_cwd = false;
  const char* user = nullptr;      // "name", "uid", with ":group" or ":gid"; nullptr: "0"
  Span<const char*> extra_groups;  // names or numbers (--group-add)
  bool keep_groups = false;        // --group-add keep-groups
  bool setgroups_allowed = true;   // false in a namespace with one id
  bool set_home = true;            // add HOME= from passwd when env has none
  std::uint32_t umask = 0022;
  Span<Limit> limits;
  CapabilitySets capabilities_root;  // when the uid is 0
  CapabilitySets capabilities_user;  // for any other
  bool no_new_privileges = false;
  sock_fprog seccomp = {};  // len 0: none
  bool set_oom_score = false;
  int oom_score = 0;
  bool terminal = false;  // stdio is a new pty; its master goes to Plan::console_fd
  std::uint16_t rows = 0, columns = 0;
  bool reaper = false;             // --init: stay as process 1, forward signals, reap; the payload is a child
  std::uint32_t preserve_fds = 0;  // fds 3..3+N-1 stay open
};

struct Plan {
  // Namespace set-up that init itself does. The namespaces themselves were made by the spawner.
  bool bring_up_loopback = false;
  const char* hostname = nullptr;
  const char* domainname = nullptr;
  bool has_root = true;  // false: join (exec): mounts, root and pivot are skipped
  // Who owns the store has no id in the container's user namespace, and its root may not enter the store:
  // what lies there is opened while this process still is who it was before.
  bool owner_unmapped = false;
  Root root;
  Span<Operation> operations;
  Process process;

  // Descriptors, as numbers valid in the child. All others but 0 to 2 and Process::preserve_fds are closed as
  // soon as init runs, so that a parent's death is seen as the end of its pipes.
  int go_fd = -1;  // one byte: maps are written, begin
  // A socket that the own network namespace is sent through before that. The parent could not open it where
  // this process is closed to everybody, as it is from the start in a pid namespace that others are in.
  int netns_fd = -1;
  int report_fd = -1;           // Reports
  int console_fd = -1;          // a socket for the pty master (SCM_RIGHTS)
  int stdio[3] = {-1, -1, -1};  // without terminal; -1: as inherited
  bool own_stdio[3] = {};       // of those: pipes made for the container, which its user shall own
  bool die_with_parent = true;

  Trace* trace = nullptr;  // may be null
};

// Runs in the child and does not return: execve or a Report and _exit(125).
[[noreturn]] void run(const Plan& plan);

}  // namespace knarr::engine::init
