// SPDX-License-Identifier: Apache-2.0
// What the steps of init share. A step that fails reports and does not return.
#pragma once

#include "engine/init/plan.h"
#include "engine/init/report.h"
#include "engine/init/syscalls.h"
#include "engine/init/users.h"

namespace knarr::engine::init {

struct Context {
  explicit Context(const Plan& the_plan) : plan(the_plan), report(the_plan.report_fd) {}

  const Plan& plan;
  Reporter report;
  // Copies of the plan's numbers, out of the way of what the container's process keeps.
  int go_fd = -1;
  int console_fd = -1;
  int stdio[3] = {-1, -1, -1};

  void done(const char* what, std::int64_t operation = -1) const {
    mark(plan.trace, "init", what, operation);
  }

  Fd root;  // O_PATH: the container's "/"
  // Plan::owner_unmapped: what was opened while this process could.
  Root opened_root;              // plan.root with names of descriptors for paths
  const int* sources = nullptr;  // of each bind what it binds, or -errno - 1
  Identity identity;
  Fd terminal;  // the slave of the container's pty
};

// descriptors.cpp
// SCM_RIGHTS, unix(7).
bool send_descriptor(int socket_fd, int fd);
// Plan::netns_fd gets it.
void tell_network_namespace(const Plan& plan);
void collect_descriptors(Context& init);  // moves those of the plan aside and closes all that is not in it
void close_descriptors(Context& init);    // all but stdio, the preserved ones and the report

// root.cpp
void detach_from_host(Context& init);  // no mount made from here on shows on the host
void open_root_sources(Context& init);
void mount_root(Context& init);
void enter_root(Context& init);  // pivot_root; the old root goes; read-only

// operations.cpp
void open_sources(Context& init);  // of the root and of all operations
void replay_operations(Context& init);

// identity.cpp
void resolve_identity(Context& init);
void set_groups(Context& init);

// terminal.cpp
void open_terminal(Context& init);
void connect_stdio(Context& init);
void take_controlling_terminal(Context& init);

// process.cpp
void apply_oom_score(Context& init);
void make_working_directory(Context& init);
bool enter_working_directory(Context& init);  // false: root may not, the container's user may have to try
void apply_limits(Context& init);
void reset_signals();
void join_session_keyring();
[[noreturn]] void execute(Context& init);

// credentials.cpp
void die_with_parent(Context& init);
void become_namespace_root(Context& init);
void become_user(Context& init);  // ids and groups; the capabilities stay for what is left to do
void apply_capabilities(Context& init);
void apply_last_locks(Context& init);  // seccomp, capabilities, no_new_privs in the order that works

// reaper.cpp
// Returns in the payload's process. The caller stays behind as the reaper and exits with the payload's
// status.
void split_off_payload(Context& init);

}  // namespace knarr::engine::init
