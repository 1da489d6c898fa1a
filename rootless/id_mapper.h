// SPDX-License-Identifier: Apache-2.0
// Writes the maps of a new user namespace from outside of it, by newuidmap(1) and newgidmap(1).
#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

#include "rootless/host.h"
#include "rootless/sys/process.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::rootless {

// Two children are made before the caller leaves for its new namespace, because they could gain no privilege
// in it; they wait and then become the two programs. Both look up the user and read files, so side by side
// they take half the time. They borrow the caller's memory until then (CLONE_VM): copying the page tables of
// a process twice would cost a third of the whole.
class IdMapper {
 public:
  // host.newuidmap and host.newgidmap must be set; `target` is the process that will be in the namespace.
  IdMapper(const HostFacts& host, pid_t target);
  IdMapper(const IdMapper&) = delete;
  IdMapper& operator=(const IdMapper&) = delete;
  ~IdMapper();  // children that were not let go exit without effect

  // Lets them go and waits for them. Throws an Error that names the line of /etc/subuid and the program's
  // words.
  void write_maps();

 private:
  struct Helper {
    const char* ranges = nullptr;  // the file the granted ids come from
    std::vector<std::string> command;
    std::vector<char*> argv;
    sys::UniqueFd errors_write;
    // Numbers, not owners: memory is shared with the child, descriptors are not.
    int go_read_fd = -1;
    int go_write_fd = -1;
    int errors_fd = -1;
    int exec_error = 0;  // written by the child
    sys::StartedCommand started;
    alignas(64) std::array<char, 16384> stack;
  };

  explicit IdMapper(const HostFacts& host) : host_(host), go_(sys::make_pipe()) {}
  void prepare(Helper& helper, const std::string& program, const IdMap& map, const char* ranges,
               pid_t target);
  static void start(Helper& helper);
  static int run(void* argument) noexcept;
  static sys::CommandResult finish(Helper& helper);
  std::string describe_failure(const Helper& helper, const sys::CommandResult& result) const;

  const HostFacts& host_;
  sys::Pipe go_;
  std::array<Helper, 2> helpers_;
};

}  // namespace knarr::rootless
