// SPDX-License-Identifier: Apache-2.0
#include "engine/copy_place.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/container_tree.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/in_root.h"

namespace knarr::engine {

namespace {

constexpr int max_links = 40;  // as path_resolution(7)

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

CopyPlace::CopyPlace(const Engine& engine, const CopyEnd& end) : engine_(engine), text_(end.path) {
  if (end.container_id.empty()) return;
  config_ = engine.load_config(end.container_id);
  root_ = open_container_root(engine, config_);
  // As podman has it: relative paths begin at the root of the container.
  if (!text_.starts_with('/')) text_ = "/" + text_;
}

Owner CopyPlace::owner() const {
  return on_host() ? Owner{} : container_owner(engine_, config_, root_.get());
}

sys::UniqueFd CopyPlace::find(const std::string& path, int flags) const {
  return on_host() ? sys::find_at(AT_FDCWD, path, flags) : sys::find_in_root(root_.get(), path, flags);
}

sys::UniqueFd CopyPlace::open(const std::string& path, int flags) const {
  if (!on_host()) return sys::open_in_root(root_.get(), path, flags);
  sys::UniqueFd found = sys::find_at(AT_FDCWD, path, flags);
  if (!found) throw NotFound(concat("\"", path, "\" could not be found on the host"));
  return found;
}

std::string CopyPlace::follow_last_link(const std::string& path) const {
  std::string at = without_trailing_slashes(path);
  for (int links = 0;; ++links) {
    if (names_content(at)) return at;
    const SplitPath split = split_path(at);
    const sys::UniqueFd parent = find(split.parent, O_PATH | O_DIRECTORY);
    const auto target = parent ? sys::read_link(parent.get(), split.name) : std::nullopt;
    if (!target) return at;
    if (links == max_links) throw Error(concat("\"", path, "\": too many levels of symbolic links"));
    // The kernel takes what comes before the last component from here, inside the same root.
    at = without_trailing_slashes(target->starts_with('/') ? *target : concat(split.parent, "/", *target));
  }
}

CopySource find_source(const CopyPlace& place) {
  CopySource source{place.follow_last_link(place.text()), {}};
  const bool named_by_thing = !place.on_host() && !names_content(source.path);
  source.name = split_path(named_by_thing ? source.path : place.text()).name;
  return source;
}

SplitPath split_path(const std::string& text) {
  const std::string path = without_trailing_slashes(text);
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

bool names_content(const std::string& path) {
  return path == "." || path == ".." || path.ends_with("/.") || path.ends_with("/..") || path == "/";
}

const std::set<std::string>& kernel_directories() {
  static const std::set<std::string> names = {"dev", "proc", "sys"};
  return names;
}

bool is_root_directory(const CopyPlace& place, int directory_fd) {
  struct stat root {
  }, directory{};
  return !place.on_host() && ::fstat(place.root_fd(), &root) == 0 && ::fstat(directory_fd, &directory) == 0 &&
         root.st_dev == directory.st_dev && root.st_ino == directory.st_ino;
}

std::vector<sys::Lock> lock_resting(const Engine& engine, const std::vector<CopyEnd>& ends) {
  // In the order of their ids, as all who lock several do.
  std::set<std::string> ids;
  for (const CopyEnd& end : ends) ids.insert(end.container_id);
  std::vector<sys::Lock> locks;
  for (const std::string& id : ids) {
    if (id.empty() || engine.is_running(id)) continue;
    locks.push_back(engine.containers().lock(id));
    if (engine.is_running(id)) locks.pop_back();  // started while we waited
  }
  return locks;
}

void enter_copying(const Engine& engine) {
  engine.enter_r();
  if (::unshare(CLONE_NEWNS) < 0) throw_errno("making a mount namespace to copy in");
}

}  // namespace knarr::engine
