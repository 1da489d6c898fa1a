// SPDX-License-Identifier: Apache-2.0
// Who the container's process is, by the container's own files.
#include <sys/stat.h>

#include "engine/init/context.h"
#include "engine/init/resolve.h"

namespace knarr::engine::init {
namespace {

// Static: too big for a stack; of the pages only what is used exists.
LineReader::Buffer line_buffer;
Groups groups;

long read_bytes(void* state, char* buffer, std::size_t size) {
  const int fd = static_cast<Fd*>(state)->get();
  ssize_t got;
  do {
    got = ::read(fd, buffer, size);
  } while (got < 0 && errno == EINTR);
  return got;
}

// An image without the file has nobody in it. O_NONBLOCK: it may be a FIFO that nobody ever writes to.
bool open_database(const Context& init, const char* path, Fd& file) {
  file = Fd{open_in_root(init.root.get(), path, O_RDONLY | O_NONBLOCK | O_NOCTTY)};
  if (!file) return errno == ENOENT || errno == ENOTDIR;
  struct stat status;
  if (::fstat(file.get(), &status) < 0) return false;
  return S_ISREG(status.st_mode) || failed(EINVAL);
}

ByteSource source_of(Fd& file) {
  if (!file) return {};
  return {read_bytes, &file};
}

bool is_required(gid_t gid) {
  for (std::uint32_t i = 0; i < groups.required_count; ++i) {
    if (groups.required[i] == gid) return true;
  }
  return false;
}

// The image may put its user into groups that this user namespace has no ids for; those are left out.
bool drop_unmapped_groups() {
  std::uint32_t kept = 0;
  for (std::uint32_t i = 0; i < groups.count; ++i) {
    if (kernel::setgroups(1, &groups.ids[i]) == 0) {
      groups.ids[kept++] = groups.ids[i];
    } else if (errno != EINVAL || is_required(groups.ids[i])) {
      return false;
    }
  }
  groups.count = kept;
  return true;
}

}  // namespace

void resolve_identity(Context& init) {
  const Process& process = init.plan.process;
  const UserSpec spec = parse_user_spec(process.user);
  Fd file;
  if (!open_database(init, "/etc/passwd", file)) init.report.fail(Step::resolve_user);
  LineReader passwd(source_of(file), line_buffer);
  if (const int error = find_user(spec, passwd, init.identity))
    init.report.fail(Step::resolve_user, 0, error);

  if (!open_database(init, "/etc/group", file)) init.report.fail(Step::resolve_group);
  LineReader group(source_of(file), line_buffer);
  std::uint32_t which = 0;
  if (const int error = find_groups({spec, process.extra_groups}, group, init.identity, groups, which))
    init.report.fail(Step::resolve_group, which, error);
}

void set_groups(Context& init) {
  const Process& process = init.plan.process;
  if (process.keep_groups || !process.setgroups_allowed) return;
  if (kernel::setgroups(groups.count, groups.ids) == 0) return;
  if (errno != EINVAL || !drop_unmapped_groups() || kernel::setgroups(groups.count, groups.ids) < 0)
    init.report.fail(Step::groups);
}

}  // namespace knarr::engine::init
