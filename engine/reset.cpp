// SPDX-License-Identifier: Apache-2.0
#include "engine/reset.h"

#include <fcntl.h>
#include <unistd.h>

#include <set>

#include "engine/in_r.h"
#include "engine/lifecycle.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

// Those with a record, and those that only run: a damaged record must not let a process live on.
std::set<std::string> all_containers(const Engine& engine) {
  std::set<std::string> ids;
  for (const std::string& id : sys::list_directory(engine.store().fd(), "containers")) ids.insert(id);
  for (const std::string& id : sys::list_directory(AT_FDCWD, engine.run_directory(""))) ids.insert(id);
  return ids;
}

void end_containers(const Engine& engine) {
  for (const std::string& id : all_containers(engine)) {
    if (engine.is_running(id)) stop(engine, id, 0);
  }
}

void remove_content(const std::string& directory) {
  const sys::UniqueFd fd = sys::open_directory(AT_FDCWD, directory);
  // VERSION goes last: without it, and with something else, a directory is no store.
  for (const std::string& name : sys::list_directory(fd.get(), ".")) {
    if (name != "VERSION") sys::remove_tree(fd.get(), name);
  }
  sys::unlink_if_exists(fd.get(), "VERSION");
}

}  // namespace

void reset(const Engine& engine) {
  end_containers(engine);
  {
    // Nobody makes a container or adds an image meanwhile.
    const sys::Lock gc = engine.store().lock_gc(sys::Lock::Mode::exclusive);
    end_containers(engine);
    run_in_r(engine, [&] { remove_content(engine.store().root()); });
  }
  remove_content(engine.paths().run_root);
  for (const std::string& directory : {engine.store().root(), engine.paths().run_root})
    ::rmdir(directory.c_str());  // a mount point stays, empty
}

}  // namespace knarr::engine
