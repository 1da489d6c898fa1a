// SPDX-License-Identifier: Apache-2.0
// Runs a program as a kernel would that lacks some system calls, or a sandbox that forbids them: a seccomp
// filter answers them with an errno. Unprivileged; the filter is inherited by everything the program starts.
//
// With PR_SET_NO_NEW_PRIVS (needed without privilege) set-uid helpers lose their privilege. Root of the
// current user namespace (CAP_SYS_ADMIN) needs no such bit, so started as root the helpers of a later user
// still work.
//
// usage: deny_syscalls NAME[=ERRNO][,NAME[=ERRNO]...] PROGRAM [ARGUMENT...]
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct name {
  const char* name;
  int number;
};

static const struct name calls[] = {
    {"openat2", SYS_openat2},
    {"clone3", SYS_clone3},
    {"mount_setattr", SYS_mount_setattr},
    {"open_tree", SYS_open_tree},
    {"move_mount", SYS_move_mount},
    {"fsopen", SYS_fsopen},
    {"fsconfig", SYS_fsconfig},
    {"fsmount", SYS_fsmount},
    {"pidfd_open", SYS_pidfd_open},
    {"pidfd_send_signal", SYS_pidfd_send_signal},
    {"close_range", SYS_close_range},
    {"unshare", SYS_unshare},
    {"clone", SYS_clone},
    {"setns", SYS_setns},
    {"mount", SYS_mount},
    {"pivot_root", SYS_pivot_root},
    {"keyctl", SYS_keyctl},
    {"memfd_create", SYS_memfd_create},
    {"copy_file_range", SYS_copy_file_range},
    {"statx", SYS_statx},
    {"linkat", SYS_linkat},
    {"seccomp", SYS_seccomp},
    {"splice", SYS_splice},
    {"getrandom", SYS_getrandom},
    {"fchmodat2", 452},
};

static const struct name errors[] = {{"ENOSYS", ENOSYS}, {"EPERM", EPERM},          {"EACCES", EACCES},
                                     {"EINVAL", EINVAL}, {"ENOSPC", ENOSPC},        {"EMFILE", EMFILE},
                                     {"ENOMEM", ENOMEM}, {"EOPNOTSUPP", EOPNOTSUPP}};

static int find(const struct name* table, size_t count, const char* name) {
  for (size_t i = 0; i < count; ++i)
    if (strcmp(table[i].name, name) == 0) return table[i].number;
  fprintf(stderr, "deny_syscalls: %s is not in the table\n", name);
  exit(2);
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: deny_syscalls NAME[=ERRNO][,...] PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  struct sock_filter filter[256];
  unsigned short length = 0;
  filter[length++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (char* item = strtok(argv[1], ","); item != NULL && length < 250; item = strtok(NULL, ",")) {
    char* error = strchr(item, '=');
    if (error != NULL) *error++ = '\0';
    const int number = find(calls, sizeof calls / sizeof *calls, item);
    const int code = error ? find(errors, sizeof errors / sizeof *errors, error) : ENOSYS;
    filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
                                                    SECCOMP_RET_ERRNO | ((unsigned)code & SECCOMP_RET_DATA));
  }
  filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const struct sock_fprog program = {length, filter};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
      perror("deny_syscalls: seccomp");
      return 2;
    }
  }
  execvp(argv[2], argv + 2);
  perror(argv[2]);
  return 127;
}
