// SPDX-License-Identifier: Apache-2.0
#include "tests/namespace/init_container.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "rootless/sys/unique_fd.h"

namespace knarr::test {
namespace {

using sys::UniqueFd;

constexpr unsigned subordinate_ids = 200000;
constexpr unsigned fallback_user = 54321;

void check(bool good, const std::string& what) {
  if (!good) throw std::runtime_error(what + ": " + std::strerror(errno));
}

unsigned test_user() {
  const passwd* entry = ::getpwnam("knarr-test");
  return entry == nullptr ? fallback_user : entry->pw_uid;
}

std::string read_to_end(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

template <typename T>
void append(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <typename T>
T take(std::string& bytes) {
  if (bytes.size() < sizeof(T)) throw std::runtime_error("the test's own process died: " + bytes);
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.erase(0, sizeof value);
  return value;
}

std::string pack(const Outcome& outcome) {
  std::string bytes;
  append(bytes, outcome.spawn);
  append(bytes, outcome.status);
  append(bytes, outcome.reports.size());
  for (const Report& report : outcome.reports) append(bytes, report);
  return bytes + outcome.output;
}

Outcome unpack(std::string bytes) {
  Outcome outcome;
  outcome.spawn = take<SpawnFailure>(bytes);
  outcome.status = take<int>(bytes);
  const auto count = take<std::size_t>(bytes);
  for (std::size_t i = 0; i < count; ++i) outcome.reports.push_back(take<Report>(bytes));
  outcome.output = bytes;
  return outcome;
}

void run_entry(const void* plan) {
  engine::init::run(*static_cast<const Plan*>(plan));
}

struct Denial {
  std::vector<int> calls;
  int error;
};

Denial denial_of(Shim shim) {
  const std::vector<int> mount_api = {SYS_open_tree, SYS_move_mount, SYS_fsopen,       SYS_fsconfig,
                                      SYS_fsmount,   SYS_fspick,     SYS_mount_setattr};
  switch (shim) {
    case Shim::none:
      return {};
    case Shim::no_openat2:
      return {{SYS_openat2}, ENOSYS};
    case Shim::openat2_not_permitted:
      return {{SYS_openat2}, EPERM};
    case Shim::no_mount_api:
      return {mount_api, ENOSYS};
    case Shim::mount_api_not_permitted:
      return {mount_api, EPERM};
    case Shim::no_clone3:
      return {{SYS_clone3, SYS_close_range}, ENOSYS};
  }
  return {};
}

}  // namespace

void install_shim(Shim shim) {
  const Denial denial = denial_of(shim);
  if (denial.calls.empty()) return;
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  for (const int call : denial.calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(denial.error)));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  check(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0, "installing a shim");
}

std::string way_name(const Way& way) {
  static const char* const callers[] = {"Root", "RootWithMap", "User"};
  static const char* const shims[] = {
      "", "NoOpenat2", "Openat2NotPermitted", "NoMountApi", "MountApiNotPermitted", "NoClone3"};
  return std::string(callers[static_cast<int>(way.caller)]) + shims[static_cast<int>(way.shim)];
}

std::vector<Way> every_caller() {
  if (::geteuid() != 0) {
    std::fprintf(stderr, "not root: only the unprivileged caller is tested\n");
    return {{Caller::user, Shim::none}};
  }
  return {{Caller::root, Shim::none}, {Caller::root_with_map, Shim::none}, {Caller::user, Shim::none}};
}

std::vector<Way> all_ways() {
  std::vector<Way> ways = every_caller();
  if (ways.size() > 1) {
    for (const Shim shim : {Shim::no_openat2, Shim::no_mount_api, Shim::no_clone3})
      ways.push_back({Caller::root_with_map, shim});
  }
  for (const Shim shim : {Shim::openat2_not_permitted, Shim::mount_api_not_permitted, Shim::no_clone3})
    ways.push_back({Caller::user, shim});
  return ways;
}

std::string read_text(const std::string& path) {
  const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  check(static_cast<bool>(file), "opening " + path);
  return read_to_end(file.get());
}

int receive_descriptor(int socket_fd) {
  char byte;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC) <= 0) return -1;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return -1;
  int fd;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

int Outcome::exit_code() const {
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Report Outcome::failure() const {
  for (const Report& report : reports) {
    if (report.kind == Report::Kind::failure) return report;
  }
  return {Report::Kind::about_to_exec, Step::none, 0, 0};
}

bool Outcome::started() const {
  return !reports.empty() && reports.back().kind == Report::Kind::about_to_exec;
}

std::vector<Report> Outcome::notices() const {
  std::vector<Report> found;
  for (const Report& report : reports) {
    if (report.kind == Report::Kind::notice) found.push_back(report);
  }
  return found;
}

Container::Container(Way way) : way_(way) {
  char base[] = "/tmp/knarr-init-XXXXXX";
  check(::mkdtemp(base) != nullptr, "making a test directory");
  base_ = base;
  prepare_tree();

  namespaces.create = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;
  if (way.caller != Caller::root) namespaces.create |= CLONE_NEWUSER;
  if (way.caller == Caller::root_with_map) namespaces.uid_map = namespaces.gid_map = "0 200000 65536\n";
  if (way.caller == Caller::user) {
    own_map_ = "0 " + std::to_string(host_root()) + " 1\n";
    namespaces.uid_map = namespaces.gid_map = own_map_.c_str();
    namespaces.deny_setgroups = true;
    plan.process.setgroups_allowed = false;
  }
  source_ = rootfs();
  target_ = mount_point();
  plan.root.kind = engine::init::Root::Kind::bind;
  plan.root.source = source_.c_str();
  plan.root.mount_point = target_.c_str();
  plan.process.path = "/bin";
  plan.process.capabilities_root = {default_capabilities, default_capabilities, default_capabilities, 0, 0};
  plan.process.capabilities_user = {default_capabilities, 0, 0, 0, 0};
  script("true");
  environment({"PATH=/bin"});
}

Container::~Container() {
  const std::string command = "rm -rf --one-file-system " + base_;
  if (std::system(command.c_str()) != 0) std::fprintf(stderr, "%s is left behind\n", base_.c_str());
}

unsigned Container::host_root() const {
  if (way_.caller == Caller::root) return 0;
  if (way_.caller == Caller::root_with_map) return subordinate_ids;
  return ::geteuid() == 0 ? test_user() : ::geteuid();
}

void Container::own(const std::string& path) {
  check(::lchown(path.c_str(), host_root(), host_root()) == 0, "owning " + path);
}

void Container::prepare_tree() {
  check(::chmod(base_.c_str(), 0755) == 0, "chmod");
  own(base_);
  for (const char* directory : {"/rootfs", "/merged", "/host", "/rootfs/bin", "/rootfs/proc", "/rootfs/dev",
                                "/rootfs/etc", "/rootfs/tmp"})
    make_directory(base_ + directory);
  // Linked, not copied: a copy of 2 MB for each test would be most of its time.
  static const std::string program = [] {
    const std::string copy = "/tmp/knarr-init-busybox-" + std::to_string(::getpid());
    const std::string command = "install -m 755 /bin/busybox " + copy;
    check(std::system(command.c_str()) == 0, "copying busybox");
    return copy;
  }();
  static const struct Remove {
    ~Remove() { ::unlink(program.c_str()); }
  } remove_at_end;
  check(::link(program.c_str(), rootfs("/bin/busybox").c_str()) == 0, "linking busybox");
  for (const char* applet :
       {"sh",    "cat",   "ls",   "id",    "stat",  "grep",   "readlink", "tty",    "true",
        "false", "sleep", "kill", "touch", "mkdir", "ip",     "hostname", "stty",   "ps",
        "env",   "pwd",   "head", "tail",  "wc",    "umount", "mount",    "printf", "chown"})
    make_symlink("busybox", rootfs("/bin/") + applet);
}

void Container::make_directory(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0755) == 0)
      own(part);
    else
      check(errno == EEXIST, "making " + part);
    if (slash == std::string::npos) return;
  }
}

void Container::make_file(const std::string& path, const std::string& content, unsigned mode) {
  const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)};
  check(file && ::write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()),
        "writing " + path);
  check(::fchmod(file.get(), mode) == 0, "chmod " + path);
  own(path);
}

void Container::make_symlink(const std::string& target, const std::string& path) {
  check(::symlink(target.c_str(), path.c_str()) == 0, "linking " + path);
  own(path);
}

std::string Container::make_host_file(const std::string& name, const std::string& content) {
  make_file(host("/" + name), content);
  return host("/" + name);
}

Operation& Container::add(Operation operation) {
  operations_.push_back(operation);
  return operations_.back();
}

void Container::mount_proc() {
  add({.kind = Operation::Kind::filesystem,
       .target = "/proc",
       .fstype = "proc",
       .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV});
}

void Container::mount_dev() {
  static constexpr engine::init::MountOption dev_options[] = {{"mode", "755"}, {"size", "65536k"}};
  static constexpr engine::init::MountOption pts_options[] = {
      {"newinstance", nullptr}, {"ptmxmode", "0666"}, {"mode", "0620"}};
  add({.kind = Operation::Kind::filesystem,
       .target = "/dev",
       .fstype = "tmpfs",
       .options = {dev_options, 2},
       .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME});
  add({.kind = Operation::Kind::filesystem,
       .target = "/dev/pts",
       .fstype = "devpts",
       .options = {pts_options, 3},
       .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC});
  add({.kind = Operation::Kind::device, .target = "/dev/null", .source = "/dev/null", .rdev = makedev(1, 3)});
  add({.kind = Operation::Kind::device, .target = "/dev/tty", .source = "/dev/tty", .rdev = makedev(5, 0)});
  add({.kind = Operation::Kind::symlink, .target = "/dev/ptmx", .source = "pts/ptmx"});
}

void Container::script(const std::string& commands) {
  arguments({"sh", "-c", commands});
}

void Container::arguments(std::vector<std::string> argv) {
  argv_ = std::move(argv);
}

void Container::environment(std::vector<std::string> env) {
  env_ = std::move(env);
}

// Everything the caller does happens here, in a process of its own: it may have dropped its privileges.
void Container::run_as_caller(int result_fd, const std::function<void(const Running&)>& while_running) {
  if (prepare) prepare();
  if (way_.caller == Caller::user && ::geteuid() == 0) {
    const unsigned id = host_root();
    check(::setgroups(0, nullptr) == 0 && ::setresgid(id, id, id) == 0 && ::setresuid(id, id, id) == 0,
          "becoming the test user");
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // as a program that a user starts is
  }
  install_shim(way_.shim);

  int go_pipe[2], report[2], output[2], console[2];
  check(::pipe2(go_pipe, O_CLOEXEC) == 0 && ::pipe2(report, O_CLOEXEC) == 0 &&
            ::pipe2(output, O_CLOEXEC) == 0 &&
            ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, console) == 0,
        "making pipes");
  // As a monitor's are, which is in the user's namespace.
  if (::geteuid() == 0) check(::fchown(output[1], host_root(), host_root()) == 0, "owning the output pipe");
  plan.go_fd = go_pipe[0];
  plan.report_fd = report[1];
  plan.console_fd = console[1];
  plan.stdio[1] = plan.stdio[2] = output[1];
  plan.own_stdio[1] = plan.own_stdio[2] = true;

  Outcome outcome;
  const engine::Spawned spawned = engine::spawn(namespaces, run_entry, &plan, outcome.spawn);
  for (const int fd : {go_pipe[0], report[1], output[1], console[1]}) ::close(fd);
  if (spawned.pid > 0) {
    check(!go || ::write(go_pipe[1], "g", 1) == 1, "go");
    ::close(go_pipe[1]);
    if (while_running) while_running({spawned.pid, spawned.pid_fd.get(), output[0], console[0]});
    Report one;
    while (::read(report[0], &one, sizeof one) == static_cast<ssize_t>(sizeof one))
      outcome.reports.push_back(one);
    outcome.output = read_to_end(output[0]);
    check(::waitpid(spawned.pid, &outcome.status, 0) == spawned.pid, "waiting");
  }
  const std::string bytes = pack(outcome);
  check(::write(result_fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "result");
}

Outcome Container::run(const std::function<void(const Running&)>& while_running) {
  argv_pointers_.clear();
  for (const std::string& argument : argv_) argv_pointers_.push_back(argument.c_str());
  argv_pointers_.push_back(nullptr);
  env_pointers_.clear();
  for (const std::string& variable : env_) env_pointers_.push_back(variable.c_str());
  env_pointers_.resize(env_pointers_.size() + 3, nullptr);
  plan.process.argv = argv_pointers_.data();
  plan.process.env = env_pointers_.data();
  plan.process.env_size = static_cast<std::uint32_t>(env_.size());
  plan.operations = {operations_.data(), static_cast<std::uint32_t>(operations_.size())};

  int result[2];
  check(::pipe2(result, O_CLOEXEC) == 0, "making a pipe");
  const pid_t child = ::fork();
  check(child >= 0, "fork");
  if (child == 0) {
    ::close(result[0]);
    try {
      run_as_caller(result[1], while_running);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  ::close(result[1]);
  const std::string bytes = read_to_end(result[0]);
  ::close(result[0]);
  ::waitpid(child, nullptr, 0);
  return unpack(bytes);
}

}  // namespace knarr::test
