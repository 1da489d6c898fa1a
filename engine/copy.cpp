// SPDX-License-Identifier: Apache-2.0
#include "engine/copy.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <set>

#include "engine/container_tree.h"
#include "rootless/sys/error.h"
#include "rootless/sys/in_root.h"
#include "storage/tree_copy.h"

namespace knarr::engine {

namespace {

// One end of the copy: the root its paths are resolved in. On the host that is the host's own, where the
// user's rights are the kernel's business.
class Place {
 public:
  Place(const Engine& engine, const CopyEnd& end) : text_(end.path) {
    if (end.container_id.empty()) return;
    const ContainerConfig config = engine.load_config(end.container_id);
    root_ = open_container_root(engine, config);
    // As podman has it: relative paths begin at the root of the container.
    if (!text_.starts_with('/')) text_ = "/" + text_;
  }

  bool on_host() const { return !root_; }
  const std::string& text() const { return text_; }

  sys::UniqueFd find(const std::string& path, int flags) const {
    return on_host() ? sys::find_at(AT_FDCWD, path, flags) : sys::find_in_root(root_.get(), path, flags);
  }
  sys::UniqueFd open(const std::string& path, int flags) const {
    if (!on_host()) return sys::open_in_root(root_.get(), path, flags);
    sys::UniqueFd found = sys::find_at(AT_FDCWD, path, flags);
    if (!found) throw NotFound(concat("\"", path, "\" could not be found on the host"));
    return found;
  }

 private:
  sys::UniqueFd root_;
  std::string text_;
};

bool is_directory(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
}

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

struct Split {
  std::string parent, name;
};

Split split_path(const std::string& text) {
  const std::string path = without_trailing_slashes(text);
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

bool names_content(const std::string& path) {
  return path == "." || path == ".." || path.ends_with("/.") || path.ends_with("/..") || path == "/";
}

storage::TreeCopyOptions ownership(const Place& source, const Place& destination,
                                   const CopyOptions& options) {
  storage::TreeCopyOptions copy{.replace_existing = true, .map_uid = {}, .map_gid = {}};
  // Root in R is the user: their own files on the host, root's in the container.
  if (source.on_host() || destination.on_host() || !options.keep_owners) {
    copy.map_uid = [](uid_t) { return 0; };
    copy.map_gid = [](gid_t) { return 0; };
  }
  // A set-uid program of the container's would run as the user, for everybody who can reach it.
  copy.keep_set_ids = !destination.on_host();
  return copy;
}

void copy_directory(const Place& source, const Place& destination, const storage::TreeCopyOptions& options) {
  const sys::UniqueFd from = source.open(source.text(), O_RDONLY | O_DIRECTORY);
  const int directory = O_RDONLY | O_DIRECTORY;
  if (const sys::UniqueFd existing = destination.find(destination.text(), O_PATH)) {
    if (!is_directory(existing.get()))
      throw Conflict(concat("cannot copy a directory onto file \"", destination.text(), "\""));
    const sys::UniqueFd into = destination.open(destination.text(), directory);
    if (names_content(source.text())) return storage::copy_tree(from.get(), into.get(), options);
    const Split name = split_path(source.text());
    const sys::UniqueFd parent = source.open(name.parent, directory);
    return storage::copy_entry(parent.get(), name.name, into.get(), name.name, options);
  }
  const Split target = split_path(destination.text());
  const sys::UniqueFd parent = destination.open(target.parent, directory);
  if (::mkdirat(parent.get(), target.name.c_str(), 0755) < 0)
    throw_errno("making directory ", destination.text());
  const sys::UniqueFd made = sys::open_at(parent.get(), target.name, directory | O_NOFOLLOW);
  storage::copy_tree(from.get(), made.get(), options);
}

void copy_single(const Place& source, const Place& destination, const storage::TreeCopyOptions& options) {
  const Split name = split_path(source.text());
  const sys::UniqueFd from = source.open(name.parent, O_RDONLY | O_DIRECTORY);
  const sys::UniqueFd existing = destination.find(destination.text(), O_PATH);
  if (existing && is_directory(existing.get())) {
    const sys::UniqueFd into = destination.open(destination.text(), O_RDONLY | O_DIRECTORY);
    return storage::copy_entry(from.get(), name.name, into.get(), name.name, options);
  }
  if (destination.text().ends_with('/'))
    throw NotFound(concat("destination directory \"", destination.text(), "\" does not exist"));
  const Split target = split_path(destination.text());
  const sys::UniqueFd into = destination.open(target.parent, O_RDONLY | O_DIRECTORY);
  storage::copy_entry(from.get(), name.name, into.get(), target.name, options);
}

}  // namespace

namespace {

// Of the resting containers that take part, so that nobody starts or removes them meanwhile; in the order of
// their ids, as all who lock several do.
std::vector<sys::Lock> lock_resting(const Engine& engine, const CopyEnd& source, const CopyEnd& destination) {
  std::vector<sys::Lock> locks;
  for (const std::string& id : std::set<std::string>{source.container_id, destination.container_id}) {
    if (id.empty() || engine.is_running(id)) continue;
    locks.push_back(engine.containers().lock(id));
    if (engine.is_running(id)) locks.pop_back();  // started while we waited
  }
  return locks;
}

}  // namespace

void copy(const Engine& engine, const CopyEnd& source, const CopyEnd& destination,
          const CopyOptions& options) {
  const auto locks = lock_resting(engine, source, destination);
  engine.enter_r();
  if (::unshare(CLONE_NEWNS) < 0) throw_errno("making a mount namespace to copy in");
  const Place from(engine, source);
  const Place to(engine, destination);
  const sys::UniqueFd what = from.open(from.text(), O_PATH);
  const storage::TreeCopyOptions owners = ownership(from, to, options);
  if (is_directory(what.get())) {
    copy_directory(from, to, owners);
  } else {
    copy_single(from, to, owners);
  }
}

}  // namespace knarr::engine
