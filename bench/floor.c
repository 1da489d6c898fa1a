// SPDX-License-Identifier: Apache-2.0
// The floor: what `run --rm --network none IMAGE COMMAND` costs when a program makes only the necessary
// system calls. No options, no records, no checks worth the name; measured beside the engine, never
// installed.
//
//   one clone3 into user, mount, pid, ipc, uts, cgroup and network namespaces
//   newuidmap and newgidmap, in parallel (not with --single, nor as root)
//   an overlay of the given lower directories, a fresh upper and work directory
//   /proc, /sys, /sys/fs/cgroup, /dev with six devices, /dev/pts, /dev/shm, /dev/mqueue
//   pivot_root, execve, wait, removal of upper and work
//
// usage: floor [--single] [--detach] SCRATCH LOWER[:LOWER...] COMMAND [ARGUMENT...]
//
// SCRATCH is an existing directory on the store's file system. Lowers are topmost first, as for mount(8).
// --single maps the one id of the caller. --detach returns when the command has been executed, and leaves the
// reaping and the clean-up to a child, as a detached container leaves them to its monitor.
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { max_path = 4096 };

static void die(const char* what) {
  fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
  _exit(125);
}

static void check(long result, const char* what) {
  if (result < 0) die(what);
}

static void mount_overlay(const char* scratch, const char* lowers) {
  char options[4000];
  int length =
      snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work,userxattr,volatile",
               lowers, scratch, scratch);
  if (length >= (int)sizeof options) die("too many lower directories");
  check(mount("overlay", ".", "overlay", 0, options), "overlay");
}

static void make_dir(const char* path, mode_t mode) {
  if (mkdir(path, mode) < 0 && errno != EEXIST) die(path);
}

static void bind_device(const char* host, const char* target) {
  int fd = open(target, O_CREAT | O_CLOEXEC | O_WRONLY, 0666);
  check(fd, target);
  close(fd);
  check(mount(host, target, NULL, MS_BIND, NULL), target);
}

static void mount_all(void) {
  static const char* const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
  const unsigned long plain = MS_NOSUID | MS_NOEXEC | MS_NODEV;
  make_dir("proc", 0755);
  make_dir("sys", 0755);
  make_dir("dev", 0755);
  check(mount("proc", "proc", "proc", plain, NULL), "proc");
  check(mount("sysfs", "sys", "sysfs", plain | MS_RDONLY, NULL), "sysfs");
  check(mount("cgroup2", "sys/fs/cgroup", "cgroup2", plain | MS_RDONLY, NULL), "cgroup2");
  check(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"), "dev");
  for (unsigned i = 0; i < sizeof devices / sizeof *devices; ++i) {
    char host[32], target[32];
    snprintf(host, sizeof host, "/dev/%s", devices[i]);
    snprintf(target, sizeof target, "dev/%s", devices[i]);
    bind_device(host, target);
  }
  check(symlink("/proc/self/fd", "dev/fd"), "dev/fd");
  check(symlink("/proc/self/fd/0", "dev/stdin"), "dev/stdin");
  check(symlink("/proc/self/fd/1", "dev/stdout"), "dev/stdout");
  check(symlink("/proc/self/fd/2", "dev/stderr"), "dev/stderr");
  check(symlink("pts/ptmx", "dev/ptmx"), "dev/ptmx");
  make_dir("dev/pts", 0755);
  make_dir("dev/shm", 01777);
  make_dir("dev/mqueue", 0755);
  check(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"),
        "devpts");
  check(mount("shm", "dev/shm", "tmpfs", plain, "mode=1777,size=65536k"), "shm");
  check(mount("mqueue", "dev/mqueue", "mqueue", plain, NULL), "mqueue");
}

static void bring_up_loopback(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  check(ioctl(fd, SIOCSIFFLAGS, &request), "loopback");
  close(fd);
}

struct child {
  int go_fd;
  int report_fd;  // closed by the execve: "the command runs"
  const char* scratch;
  const char* lowers;
  char** argv;
};

static _Noreturn void run_child(const struct child* child) {
  char byte;
  if (read(child->go_fd, &byte, 1) != 1) _exit(125);
  bring_up_loopback();
  check(sethostname("floor", 5), "hostname");
  check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
  char root[max_path];
  snprintf(root, sizeof root, "%s/root", child->scratch);
  check(chdir(root), "root");
  mount_overlay(child->scratch, child->lowers);
  check(chdir(root), "root");  // into the mount, from the directory below it
  mount_all();
  check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
  check(umount2(".", MNT_DETACH), "umount of the old root");
  check(chdir("/"), "chdir");
  static char* const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                      NULL};
  execvpe(child->argv[0], child->argv, environment);
  die(child->argv[0]);
  _exit(127);
}

// The first range that `table` grants to the caller; "0 0 0" when none.
static void find_range(const char* table, unsigned* start, unsigned* count) {
  const char* user = getenv("USER");
  char line[256];
  *start = *count = 0;
  FILE* file = fopen(table, "re");
  if (file == NULL) return;
  while (fgets(line, sizeof line, file) != NULL) {
    char* name = strtok(line, ":");
    char* first = strtok(NULL, ":");
    char* size = strtok(NULL, ":");
    if (!name || !first || !size) continue;
    if ((user && strcmp(name, user) == 0) || (unsigned)atoi(name) == getuid()) {
      *start = (unsigned)strtoul(first, NULL, 10);
      *count = (unsigned)strtoul(size, NULL, 10);
      break;
    }
  }
  fclose(file);
}

static pid_t start_helper(const char* helper, const char* table, pid_t pid, unsigned own) {
  unsigned start, count;
  find_range(table, &start, &count);
  char fields[5][16];
  snprintf(fields[0], 16, "%d", pid);
  snprintf(fields[1], 16, "%u", own);
  snprintf(fields[2], 16, "%u", start);
  snprintf(fields[3], 16, "%u", count);
  char* argv[] = {(char*)helper, fields[0], "0", fields[1], "1", "1", fields[2], fields[3], NULL};
  pid_t helper_pid = vfork();
  if (helper_pid == 0) {
    execv(helper, argv);
    _exit(127);
  }
  check(helper_pid, "vfork");
  return helper_pid;
}

static void write_file(pid_t pid, const char* name, const char* content) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  check(fd, path);
  check(write(fd, content, strlen(content)), path);
  close(fd);
}

static void map_ids(pid_t pid, int single) {
  if (single) {
    char map[64];
    snprintf(map, sizeof map, "0 %u 1\n", getuid());
    write_file(pid, "uid_map", map);
    write_file(pid, "setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1\n", getgid());
    write_file(pid, "gid_map", map);
    return;
  }
  pid_t helpers[] = {start_helper("/usr/bin/newuidmap", "/etc/subuid", pid, getuid()),
                     start_helper("/usr/bin/newgidmap", "/etc/subgid", pid, getgid())};
  for (int i = 0; i < 2; ++i) {
    int status;
    check(waitpid(helpers[i], &status, 0), "waitpid");
    if (status != 0) die("newuidmap/newgidmap");
  }
}

// What an idle overlay leaves: mount points made in upper, and the mark of a volatile mount. The kernel makes
// the directories below work with mode 0.
static void remove_scratch(const char* scratch) {
  static const char* const entries[] = {
      "upper/proc",         "upper/sys", "upper/dev", "upper", "work/work/incompat/volatile",
      "work/work/incompat", "work/work", "work",      "root"};
  int fd = open(scratch, O_PATH | O_DIRECTORY | O_CLOEXEC);
  fchmodat(fd, "work/work", 0700, 0);
  fchmodat(fd, "work/work/incompat", 0700, 0);
  fchmodat(fd, "work/work/incompat/volatile", 0700, 0);
  unlinkat(fd, "work/work/incompat/volatile/dirty", 0);
  for (unsigned i = 0; i < sizeof entries / sizeof *entries; ++i) unlinkat(fd, entries[i], AT_REMOVEDIR);
  close(fd);
  if (rmdir(scratch) < 0) die(scratch);
}

static int reap(pid_t pid, const char* scratch) {
  int status;
  check(waitpid(pid, &status, 0), "waitpid");
  remove_scratch(scratch);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void make_scratch(char* scratch, size_t size, const char* parent) {
  char path[max_path];
  snprintf(scratch, size, "%s/floor-%d", parent, getpid());
  check(mkdir(scratch, 0700), scratch);
  static const char* const parts[] = {"upper", "work", "root"};
  for (int i = 0; i < 3; ++i) {
    snprintf(path, sizeof path, "%s/%s", scratch, parts[i]);
    check(mkdir(path, 0755), path);
  }
}

int main(int argc, char** argv) {
  int single = 0, detach = 0, first = 1;
  for (; first < argc && argv[first][0] == '-'; ++first) {
    if (strcmp(argv[first], "--single") == 0) single = 1;
    if (strcmp(argv[first], "--detach") == 0) detach = 1;
  }
  if (argc - first < 3) {
    fprintf(stderr, "usage: floor [--single] [--detach] SCRATCH LOWER[:LOWER...] COMMAND [ARGUMENT...]\n");
    return 125;
  }
  const int rootful = geteuid() == 0;
  char scratch[max_path - 16];
  make_scratch(scratch, sizeof scratch, argv[first]);

  int go[2], report[2];
  check(pipe2(go, O_CLOEXEC), "pipe");
  check(pipe2(report, O_CLOEXEC), "pipe");
  if (detach) {
    pid_t keeper = fork();
    check(keeper, "fork");
    if (keeper != 0) {
      char byte;
      close(report[1]);
      while (read(report[0], &byte, 1) < 0 && errno == EINTR) continue;
      return 0;
    }
    setsid();
  }

  struct clone_args arguments = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                                          CLONE_NEWCGROUP | CLONE_NEWNET | (rootful ? 0 : CLONE_NEWUSER),
                                 .exit_signal = SIGCHLD};
  struct child child = {go[0], report[1], scratch, argv[first + 1], argv + first + 2};
  pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  check(pid, "clone3");
  if (pid == 0) {
    close(go[1]);
    run_child(&child);
  }
  if (!rootful) map_ids(pid, single);
  check(write(go[1], "g", 1), "go");
  close(go[1]);
  close(report[1]);
  return reap(pid, scratch);
}
