// SPDX-License-Identifier: Apache-2.0
// One end of a `cp`: a path and the root it is resolved in.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/container_owner.h"
#include "engine/copy.h"
#include "rootless/sys/lock.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::engine {

// On the host the root is the host's own, where the user's rights are the kernel's business. The process must
// be in R, with a mount namespace of its own.
class CopyPlace {
 public:
  CopyPlace(const Engine& engine, const CopyEnd& end);

  bool on_host() const { return !root_; }
  int root_fd() const { return root_.get(); }
  const std::string& text() const { return text_; }
  // Its user's ids; root's on the host, which is the caller. Throws when nobody in the container is that
  // user.
  Owner owner() const;

  sys::UniqueFd find(const std::string& path, int flags) const;
  sys::UniqueFd open(const std::string& path, int flags) const;  // throws NotFound

  // The place that links at the end of the path lead to, which may not exist; the path itself without one.
  std::string follow_last_link(const std::string& path) const;

 private:
  const Engine& engine_;
  ContainerConfig config_;
  sys::UniqueFd root_;
  std::string text_;
};

// What is to be copied: where links at the end of the given path lead to, and the name of the copy. On the
// host that is the name that was typed, in a container that of the thing itself, as podman has it.
struct CopySource {
  std::string path, name;
};
CopySource find_source(const CopyPlace& place);

struct SplitPath {
  std::string parent, name;
};
SplitPath split_path(const std::string& path);

// "dir/.", "..", "/": what is in the directory is meant, and the directory has no name of its own.
bool names_content(const std::string& path);

// What is in the root of a container and is the kernel's, not the container's.
const std::set<std::string>& kernel_directories();
bool is_root_directory(const CopyPlace& place, int directory_fd);

// The locks of the resting containers that take part, so that nobody starts or removes them meanwhile.
std::vector<sys::Lock> lock_resting(const Engine& engine, const std::vector<CopyEnd>& ends);

// Enters R and a mount namespace of this process's own.
void enter_copying(const Engine& engine);

}  // namespace knarr::engine
