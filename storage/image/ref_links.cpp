// SPDX-License-Identifier: Apache-2.0
#include "storage/image/ref_links.h"

#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>

#include "rootless/sys/error.h"
#include "storage/meta/random.h"

namespace knarr::storage {

std::string ref_path(Reference name) {
  if (name.digest) name.tag.clear();
  std::string path = "refs/" + escape_name(render(name));
  if (path.size() - path.find('/') - 1 > NAME_MAX) {
    throw InvalidArgument(concat("the image name \"", render(name), "\" is too long to be stored"));
  }
  return path;
}

void point_ref_at(const Store& store, const std::string& path, const std::string& target) {
  if (::symlinkat(target.c_str(), store.fd(), path.c_str()) == 0) return;
  if (errno != EEXIST) throw_errno("creating link ", path);
  if (sys::read_link(store.fd(), path) == target) return;
  const std::string temporary = "refs/.new-" + random_hex(16);
  if (::symlinkat(target.c_str(), store.fd(), temporary.c_str()) < 0)
    throw_errno("creating link ", temporary);
  if (::renameat(store.fd(), temporary.c_str(), store.fd(), path.c_str()) < 0) {
    const int code = errno;
    ::unlinkat(store.fd(), temporary.c_str(), 0);
    throw_sys_error(code, concat("moving the name ", path));
  }
}

std::optional<std::string> read_list_ref(const Store& store, const std::string& path) {
  const auto target = sys::read_link(store.fd(), path);
  if (!target || !target->starts_with(list_link_prefix)) return std::nullopt;
  return target->substr(list_link_prefix.size());
}

void sync_refs(const Store& store) {
  if (::fsync(sys::open_directory(store.fd(), "refs").get()) < 0) throw_errno("syncing ", store.path("refs"));
}

}  // namespace knarr::storage
