// SPDX-License-Identifier: Apache-2.0
// From a Spec to the data that monitor and init replay. Pure: touches neither kernel nor clock.
#pragma once

#include <string>
#include <vector>

#include "engine/launch/arena.h"
#include "engine/monitor/plan.h"
#include "engine/monitor/protocol.h"
#include "engine/spec/spec.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

// Lays out init::Plan in the arena. `words` gets one sentence per operation, for failures:
// "mounting /data from /home/me/data".
struct InitPlanWords {
  std::vector<std::string> operations;
  std::string root;        // "mounting overlay at /"
  std::string executable;  // argv[0]
  std::string user;
  std::string cwd;
  std::vector<std::string> groups;  // --group-add, as init numbers them
  std::vector<std::string> limits;  // "nofile=1024:1024"
};
struct SeccompFilter {
  const sock_filter* program = nullptr;
  unsigned short length = 0;
};

init::Plan* plan_init(const Spec& spec, const rootless::HostFacts& host, const std::string& mount_point,
                      SeccompFilter seccomp, Arena& arena, InitPlanWords& words);
NamespacePlan plan_namespaces(const Spec& spec, const rootless::HostFacts& host, Arena& arena);

// What a StartReport of a failure means to the user; `command not found` is a LaunchError with status 127, a
// file that cannot be executed one with 126, as is a user or a working directory the container does not have;
// all else 125.
class LaunchError : public Error {
 public:
  LaunchError(std::string message, int exit_status) : Error(std::move(message)), exit_status_(exit_status) {}
  int exit_status() const { return exit_status_; }

 private:
  int exit_status_;
};
// What init was doing, in words: "mounting /data from /home/me/data". For notices.
std::string describe_step(const init::Report& report, const InitPlanWords& words);
[[noreturn]] void throw_launch_failure(const monitor::StartReport& report, const InitPlanWords& words);

}  // namespace knarr::engine
