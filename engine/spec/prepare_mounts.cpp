// SPDX-License-Identifier: Apache-2.0
// The host's side of the mounts. All else in this folder is pure.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "engine/spec/spec.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/in_root.h"

namespace knarr::engine {

namespace {

bool is_optional(const SpecMount& mount) {
  return std::find(mount.options.begin(), mount.options.end(), "optional") != mount.options.end();
}

// Throws for a missing source. What cannot be seen from here (a directory of a subordinate id) init will see.
bool has_source(const SpecMount& mount) {
  if (::faccessat(AT_FDCWD, mount.source.c_str(), F_OK, 0) == 0) return true;
  if (errno != ENOENT && errno != ENOTDIR) return true;
  if (is_optional(mount)) return false;
  NotFound error(
      concat("mounting ", mount.destination, " from ", mount.source, ": no such file or directory"));
  error.set_hint("the source of a bind mount must exist; a name without '/' at its beginning is a volume");
  throw error;
}

void pin_subpath(SpecMount& mount) {
  if (mount.subpath.empty()) return;
  // What is in the source may be another container's making: links in it must not lead out.
  const sys::UniqueFd source = sys::open_at(AT_FDCWD, mount.source, O_PATH | O_DIRECTORY);
  const sys::UniqueFd found = sys::find_in_root(source.get(), mount.subpath, O_PATH);
  struct stat status;
  if (!found || ::fstat(found.get(), &status) < 0) {
    throw_errno("mounting ", mount.destination, " from ", mount.source, "/", mount.subpath);
  }
  mount.source_device = status.st_dev;
  mount.source_inode = status.st_ino;
}

// What the last run left is not deleted now: that costs time, and files of subordinate ids cannot be from
// here.
void make_scratch_directories(const storage::Store& store, const Spec& spec) {
  std::vector<std::string> cleared;
  const std::string prefix = store.root() + "/";
  for (const std::string& path : spec.scratch_directories) {
    if (!path.starts_with(prefix)) throw Error(concat(path, " is not within the store"));
    const std::string relative = path.substr(prefix.size());
    const std::string parent = relative.substr(0, relative.rfind('/'));
    if (std::find(cleared.begin(), cleared.end(), parent) == cleared.end()) {
      store.move_to_trash(parent);
      cleared.push_back(parent);
    }
    sys::make_directories(store.fd(), relative, 0755);
  }
}

}  // namespace

void prepare_mounts(const storage::Store& store, Spec& spec) {
  std::erase_if(spec.mounts,
                [](const SpecMount& mount) { return mount.type == "bind" && !has_source(mount); });
  for (SpecMount& mount : spec.mounts) pin_subpath(mount);
  make_scratch_directories(store, spec);
}

}  // namespace knarr::engine
