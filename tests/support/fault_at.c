// SPDX-License-Identifier: Apache-2.0
// Runs a program and lets something go wrong at its n-th system call that writes to a file system: the
// process is killed before the kernel does anything, or the call fails. Follows everything the program
// starts; calls are counted over all processes and threads together.
//
// usage: fault_at kill N PROGRAM [ARGUMENT...]     SIGKILL for the process that makes call N
//        fault_at ENOSPC N PROGRAM [ARGUMENT...]   call N fails (of those that need room); also EDQUOT
//        fault_at EIO N PROGRAM [ARGUMENT...]      call N fails
//        fault_at ENOSPC N+ ...                    call N and all later ones
//        fault_at count FILE PROGRAM [ARGUMENT...] writes the number of calls that `kill` would count
//        fault_at room FILE PROGRAM [ARGUMENT...]  the same for ENOSPC
// Exits as the program does; 99 when it did not make N such calls. By ptrace, so set-uid programs have no
// privilege.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { not_reached = 99, max_tracees = 4096 };

enum what { other, by_path, by_descriptor, by_open_flags };

struct call {
  long number;
  enum what what;
  bool needs_room;
};

static const struct call calls[] = {
#ifdef SYS_open
    {SYS_rename, by_path, true},          {SYS_mkdir, by_path, true},
    {SYS_rmdir, by_path, false},          {SYS_link, by_path, true},
    {SYS_unlink, by_path, false},         {SYS_symlink, by_path, true},
    {SYS_chmod, by_path, false},
#endif
    {SYS_openat, by_open_flags, true},    {SYS_openat2, by_open_flags, true},
    {SYS_mkdirat, by_path, true},         {SYS_mknodat, by_path, true},
    {SYS_linkat, by_path, true},          {SYS_symlinkat, by_path, true},
    {SYS_unlinkat, by_path, false},
#ifdef SYS_renameat
    {SYS_renameat, by_path, true},
#endif
    {SYS_renameat2, by_path, true},       {SYS_fchmodat, by_path, false},
    {SYS_fchownat, by_path, false},       {SYS_utimensat, by_path, false},
    {SYS_fsetxattr, by_descriptor, true}, {SYS_lsetxattr, by_path, true},
    {SYS_write, by_descriptor, true},     {SYS_pwrite64, by_descriptor, true},
    {SYS_writev, by_descriptor, true},    {SYS_copy_file_range, by_descriptor, true},
    {SYS_ftruncate, by_descriptor, true}, {SYS_fallocate, by_descriptor, true},
    {SYS_fchmod, by_descriptor, false},   {SYS_fchown, by_descriptor, false},
    {SYS_fsync, by_descriptor, true},     {SYS_fdatasync, by_descriptor, true},
    {SYS_syncfs, by_descriptor, true},
};

static struct {
  bool kill, count;
  bool only_room;  // only calls that need room count
  int error;
  long wanted;
  bool forever;
  const char* count_file;
} wish;

static long counted = 0;

// Threads whose call is being failed: the result is set when it returns.
static pid_t failing[max_tracees];
static size_t failing_count = 0;

static _Noreturn void die(const char* what) {
  perror(what);
  exit(2);
}

// Pipes, sockets, memory and /proc are no file system that could be full.
static bool is_stored(pid_t pid, unsigned long long fd) {
  char link[64], target[4096];
  snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, (int)fd);
  const ssize_t length = readlink(link, target, sizeof target - 1);
  if (length <= 0) return false;
  target[length] = '\0';
  return target[0] == '/' && strncmp(target, "/proc/", 6) != 0 && strncmp(target, "/dev/", 5) != 0 &&
         strncmp(target, "/sys/", 5) != 0 && strncmp(target, "/memfd:", 7) != 0;
}

static bool read_word(pid_t pid, unsigned long long address, unsigned long long* word) {
  struct iovec local = {word, sizeof *word}, remote = {(void*)(uintptr_t)address, sizeof *word};
  return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)sizeof *word;
}

static bool opens_to_create(pid_t pid, const struct __ptrace_syscall_info* info) {
  unsigned long long flags = info->entry.args[2];
  if (info->entry.nr == SYS_openat2 && !read_word(pid, info->entry.args[2], &flags)) return false;
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

static bool counts(pid_t pid, const struct __ptrace_syscall_info* info) {
  for (size_t i = 0; i < sizeof calls / sizeof *calls; ++i) {
    if ((long)info->entry.nr != calls[i].number) continue;
    if (wish.only_room && !calls[i].needs_room) return false;
    if (calls[i].what == by_descriptor) return is_stored(pid, info->entry.args[0]);
    return calls[i].what == by_path || opens_to_create(pid, info);
  }
  return false;
}

// Sets the number of the call about to be made, or the result of the one that was made.
static void set_register(pid_t tid, bool is_result, long value) {
#if defined(__x86_64__)
  struct user_regs_struct registers;
  struct iovec all = {&registers, sizeof registers};
  if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &all) < 0) return;
  if (is_result) {
    registers.rax = (unsigned long long)value;
  } else {
    registers.orig_rax = (unsigned long long)value;
  }
  ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &all);
#elif defined(__aarch64__)
  if (!is_result) {
    int number = (int)value;
    struct iovec one = {&number, sizeof number};
    ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &one);
    return;
  }
  struct user_regs_struct registers;
  struct iovec all = {&registers, sizeof registers};
  if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &all) < 0) return;
  registers.regs[0] = (unsigned long long)value;
  ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &all);
#else
#error "fault_at does not know this machine's registers"
#endif
}

static pid_t process_of(pid_t tid) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
  FILE* file = fopen(path, "r");
  int process = tid;
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (sscanf(line, "Tgid: %d", &process) == 1) break;
  if (file != NULL) fclose(file);
  return process;
}

static void at_entry(pid_t tid, const struct __ptrace_syscall_info* info) {
  if (!counts(tid, info)) return;
  ++counted;
  if (wish.count || counted < wish.wanted || (counted > wish.wanted && !wish.forever)) return;
  if (wish.kill) {
    kill(process_of(tid), SIGKILL);
  } else if (failing_count < max_tracees) {
    set_register(tid, false, -1);
    failing[failing_count++] = tid;
  }
}

static void at_exit(pid_t tid) {
  for (size_t i = 0; i < failing_count; ++i) {
    if (failing[i] != tid) continue;
    set_register(tid, true, -wish.error);
    failing[i] = failing[--failing_count];
    return;
  }
}

// Returns the signal to go on with.
static int at_stop(pid_t tid, int status) {
  const int number = WSTOPSIG(status);
  if (number == (SIGTRAP | 0x80)) {
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) <= 0) return 0;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) at_entry(tid, &info);
    if (info.op == PTRACE_SYSCALL_INFO_EXIT) at_exit(tid);
    return 0;
  }
  if (status >> 16 != 0) return 0;  // a fork or an exec, or the first stop of a new thread
  return number;
}

static void parse(int argc, char** argv) {
  if (argc < 4) {
    fprintf(stderr,
            "usage: fault_at kill|ENOSPC|EDQUOT|EIO N[+] PROGRAM [ARGUMENT...], or count|room FILE ...\n");
    exit(2);
  }
  const char* mode = argv[1];
  wish.kill = strcmp(mode, "kill") == 0;
  wish.count = strcmp(mode, "count") == 0 || strcmp(mode, "room") == 0;
  wish.error = strcmp(mode, "EIO") == 0 ? EIO : strcmp(mode, "EDQUOT") == 0 ? EDQUOT : ENOSPC;
  wish.only_room = strcmp(mode, "room") == 0 || strcmp(mode, "ENOSPC") == 0 || strcmp(mode, "EDQUOT") == 0;
  wish.count_file = argv[2];
  if (wish.count) return;
  char* end;
  wish.wanted = strtol(argv[2], &end, 10);
  wish.forever = strcmp(end, "+") == 0;
  if (wish.wanted < 1 || (*end != '\0' && !wish.forever)) die("fault_at: not a number");
}

static pid_t start(char** argv) {
  const pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    raise(SIGSTOP);
    execvp(argv[0], argv);
    die(argv[0]);
  }
  int status;
  waitpid(child, &status, WUNTRACED);
  const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                       PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
  if (ptrace(PTRACE_SEIZE, child, NULL, options) < 0) die("ptrace");
  kill(child, SIGCONT);
  return child;
}

// Until the program ends; what it started goes on alone then.
static int follow(pid_t child) {
  for (;;) {
    int status;
    const pid_t tid = waitpid(-1, &status, __WALL);
    if (tid < 0) {
      if (errno == EINTR) continue;
      die("waitpid");
    }
    if (tid == child && (WIFEXITED(status) || WIFSIGNALED(status)))
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (WIFSTOPPED(status)) ptrace(PTRACE_SYSCALL, tid, NULL, (long)at_stop(tid, status));
  }
}

int main(int argc, char** argv) {
  parse(argc, argv);
  const int status = follow(start(argv + 3));
  if (wish.count) {
    FILE* file = fopen(wish.count_file, "w");
    if (file == NULL) die(wish.count_file);
    fprintf(file, "%ld\n", counted);
    fclose(file);
  } else if (counted < wish.wanted) {
    return not_reached;
  }
  return status;
}
