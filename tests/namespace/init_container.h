// SPDX-License-Identifier: Apache-2.0
// A container for tests of init: a root file system with busybox, a plan, and a run of the plan by one of the
// callers that exist (real root, root with subordinate ids, a user with none), perhaps under a seccomp filter
// that denies newer system calls, so that the ways around them run too.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/init/plan.h"
#include "engine/launch/spawn.h"

namespace knarr::test {

using engine::NamespacePlan;
using engine::SpawnFailure;
using engine::SpawnStep;
using engine::init::Operation;
using engine::init::Plan;
using engine::init::Report;
using engine::init::Step;

enum class Caller { root, root_with_map, user };
enum class Shim { none, no_openat2, openat2_not_permitted, no_mount_api, mount_api_not_permitted, no_clone3 };

struct Way {
  Caller caller = Caller::root;
  Shim shim = Shim::none;
};
std::string way_name(const Way& way);
std::vector<Way> every_caller();  // without shims
std::vector<Way> all_ways();      // and every shim with a caller in a user namespace

struct Outcome {
  SpawnFailure spawn;
  int status = -1;  // as waitpid gives it
  std::vector<Report> reports;
  std::string output;  // standard output and error

  int exit_code() const;                // -1: did not exit by itself
  bool started() const;                 // about_to_exec and no failure
  Report failure() const;               // kind is about_to_exec when there is none
  std::vector<Report> notices() const;  // of optional operations
};

// Descriptors and pids inside the process that runs the plan.
struct Running {
  pid_t pid;
  int pid_fd;
  int output_fd;   // read end
  int console_fd;  // our end of the console socket
};

class Container {
 public:
  explicit Container(Way way);
  ~Container();
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  // The root file system on the host, before anything is mounted; and where it will be mounted.
  std::string rootfs(const std::string& path = "") const { return base_ + "/rootfs" + path; }
  std::string mount_point(const std::string& path = "") const { return base_ + "/merged" + path; }
  std::string host(const std::string& path) const { return base_ + "/host" + path; }
  std::string make_host_file(const std::string& name, const std::string& content);
  void make_directory(const std::string& path);  // absolute host path; parents too
  void make_file(const std::string& path, const std::string& content, unsigned mode = 0644);
  void make_symlink(const std::string& target, const std::string& path);

  Operation& add(Operation operation);
  void mount_proc();                         // the usual /proc
  void mount_dev();                          // /dev, /dev/pts, /dev/null, /dev/tty, /dev/ptmx
  void script(const std::string& commands);  // argv: sh -c commands
  void arguments(std::vector<std::string> argv);
  void environment(std::vector<std::string> env);

  // Runs the plan. `while_running` is called after the go byte, in the process that is the caller.
  Outcome run(const std::function<void(const Running&)>& while_running = {});

  // What the container's user 0 and the caller are on the host.
  unsigned host_root() const;
  bool has_many_ids() const { return way_.caller != Caller::user; }
  const Way& way() const { return way_; }

  Plan plan;
  NamespacePlan namespaces;
  bool go = true;  // false: the pipe is closed instead
  // Called in the caller's process, before it drops its privileges.
  std::function<void()> prepare;

 private:
  void prepare_tree();
  void own(const std::string& path);
  void run_as_caller(int result_fd, const std::function<void(const Running&)>& while_running);

  Way way_;
  std::string base_, source_, target_, own_map_;
  std::vector<Operation> operations_;
  std::vector<std::string> argv_, env_;
  std::vector<const char*> argv_pointers_, env_pointers_;
};

// What the installed filter of a shim denies is denied to this process and its children from here on.
void install_shim(Shim shim);

std::string read_text(const std::string& path);
int receive_descriptor(int socket_fd);

constexpr std::uint64_t default_capabilities = 0x800405fb;  // the eleven of a container

}  // namespace knarr::test
