// SPDX-License-Identifier: Apache-2.0
#include "storage/tree_changes.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/inode_copy.h"
#include "storage/layer/entry_path.h"

namespace knarr::storage {
namespace {

using Kind = TreeChange::Kind;

// A layer's share in a directory of a tree.
struct Share {
  std::size_t layer = 0;  // of the stack
  sys::UniqueFd directory;
};
using Shares = std::vector<Share>;  // topmost first

// What a stack shows under a name.
struct Shown {
  std::size_t layer = 0;
  int directory_fd = -1;  // of that layer
  struct stat info {};
  Shares inside;  // of a directory

  bool is_directory() const { return S_ISDIR(info.st_mode); }
};

// Empty when somebody has put something else there since it was looked at.
sys::UniqueFd open_child(int directory_fd, const std::string& name) {
  sys::UniqueFd fd(::openat(directory_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && errno != ENOENT && errno != ENOTDIR && errno != ELOOP) throw_errno("opening directory ", name);
  return fd;
}

class Stack {
 public:
  explicit Stack(const TreeStack& layers) : layers_(layers) {}

  const TreeLayer& layer(std::size_t index) const { return layers_[index]; }

  Shares open_root() const {
    Shares shares;
    for (std::size_t i = 0; i < layers_.size(); ++i)
      shares.push_back({i, sys::open_directory(AT_FDCWD, layers_[i].path)});
    return shares;
  }

  // The names a layer decides about: what it has, and what it hides.
  void list_names(const Share& share, std::set<std::string>& names) const {
    for (const std::string& name : sys::list_directory(share.directory.get(), ".")) {
      if (!layers_[share.layer].has_named_whiteouts || !name.starts_with(whiteout_prefix)) {
        names.insert(name);
      } else if (name != opaque_whiteout) {
        names.insert(name.substr(whiteout_prefix.size()));
      }
    }
  }

  std::optional<Shown> find(const Shares& shares, const std::string& name) const {
    std::optional<Shown> shown;
    for (const Share& share : shares) {
      const int directory_fd = share.directory.get();
      const auto info = sys::stat_at(directory_fd, name, AT_SYMLINK_NOFOLLOW);
      if (!info) {
        if (hides_by_name(share, name)) break;
        continue;
      }
      const bool is_directory = S_ISDIR(info->st_mode);
      if (is_whiteout(*info) || (shown && !is_directory)) break;
      sys::UniqueFd child;
      if (is_directory && !(child = open_child(directory_fd, name))) break;
      if (!shown)
        shown = Shown{.layer = share.layer, .directory_fd = directory_fd, .info = *info, .inside = {}};
      if (!is_directory) break;
      const bool hides_lower = hides_all(share.layer, child.get());
      shown->inside.push_back({share.layer, std::move(child)});
      if (hides_lower) break;
    }
    return shown;
  }

 private:
  bool hides_by_name(const Share& share, const std::string& name) const {
    return layers_[share.layer].has_named_whiteouts &&
           sys::stat_at(share.directory.get(), concat(whiteout_prefix, name), AT_SYMLINK_NOFOLLOW)
               .has_value();
  }
  bool hides_all(std::size_t layer, int directory_fd) const {
    return is_opaque(directory_fd) ||
           (layers_[layer].has_named_whiteouts &&
            sys::stat_at(directory_fd, std::string(opaque_whiteout), AT_SYMLINK_NOFOLLOW).has_value());
  }

  const TreeStack& layers_;
};

// How many layers the two stacks end with alike.
std::size_t count_common(const TreeStack& now, const TreeStack& before) {
  const auto same_path = [](const TreeLayer& a, const TreeLayer& b) { return a.path == b.path; };
  return static_cast<std::size_t>(std::distance(
      now.rbegin(),
      std::mismatch(now.rbegin(), now.rend(), before.rbegin(), before.rend(), same_path).first));
}

std::uint32_t map(const std::function<std::uint32_t(std::uint32_t)>& function, std::uint32_t id) {
  return function ? function(id) : id;
}

bool is_same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

std::size_t read_fully(int fd, char* buffer, std::size_t size) {
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t got = ::read(fd, buffer + filled, size - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("comparing files");
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

bool has_same_content(int a_fd, int b_fd) {
  std::array<char, 64 * 1024> a, b;
  for (;;) {
    const std::size_t size = read_fully(a_fd, a.data(), a.size());
    if (read_fully(b_fd, b.data(), b.size()) != size) return false;
    if (!std::equal(a.data(), a.data() + size, b.data())) return false;
    if (size < a.size()) return true;
  }
}

// The walk holds one for each layer and level.
void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

class Comparison {
 public:
  Comparison(const TreeStack& now, const TreeStack& before, const std::set<std::string>& leave_out)
      : now_(now),
        before_(before),
        own_now_(now.size() - count_common(now, before)),
        own_before_(before.size() - count_common(now, before)),
        leave_out_(leave_out) {}

  std::vector<TreeChange> run() {
    compare_directory("", now_.open_root(), before_.open_root());
    return std::move(changes_);
  }

 private:
  // Only layers of one side's own, and what they hide, can make a difference.
  std::set<std::string> deciding_names(const Shares& now, const Shares& before) const {
    const std::size_t common = common_shares(now, before);
    std::set<std::string> names;
    for (std::size_t i = 0; i < now.size() - common; ++i) now_.list_names(now[i], names);
    for (std::size_t i = 0; i < before.size() - common; ++i) before_.list_names(before[i], names);
    return names;
  }

  // How many of the lowest layers of a directory both sides show.
  std::size_t common_shares(const Shares& now, const Shares& before) const {
    std::size_t common = 0;
    while (common < now.size() && common < before.size() &&
           is_same_layer(now[now.size() - 1 - common].layer, before[before.size() - 1 - common].layer)) {
      ++common;
    }
    return common;
  }

  bool is_same_layer(std::size_t now, std::size_t before) const {
    return now >= own_now_ && before >= own_before_ && now - own_now_ == before - own_before_;
  }

  void compare_directory(const std::string& path, const Shares& now, const Shares& before) {
    for (const std::string& name : deciding_names(now, before)) {
      std::string child = concat(path, "/", name);
      if (!leave_out_.contains(child))
        compare(std::move(child), now_.find(now, name), before_.find(before, name), name);
    }
  }

  void compare(std::string path, const std::optional<Shown>& now, const std::optional<Shown>& before,
               const std::string& name) {
    if (!now) {
      if (before) changes_.push_back({Kind::deleted, std::move(path), 0, before->is_directory()});
      return;
    }
    const Kind kind = before ? Kind::changed : Kind::added;
    const bool both_directories = before && now->is_directory() && before->is_directory();
    const bool is_other =
        !before || (both_directories ? has_other_attributes(*now, *before) : is_changed(*now, *before, name));
    if (!is_other && !both_directories) return;
    // Taken back when nothing in the directory has changed either.
    const std::size_t place = changes_.size();
    changes_.push_back({kind, path, now->layer, now->is_directory()});
    static const Shares nothing;
    if (now->is_directory())
      compare_directory(path, now->inside, both_directories ? before->inside : nothing);
    if (!is_other && changes_.size() == place + 1) changes_.pop_back();
  }

  bool has_other_attributes(const Shown& now, const Shown& before) const {
    if (is_same_layer(now.layer, before.layer)) return false;
    const TreeLayer& here = now_.layer(now.layer);
    const TreeLayer& there = before_.layer(before.layer);
    return now.info.st_mode != before.info.st_mode || !is_same_time(now.info.st_mtim, before.info.st_mtim) ||
           map(here.map_uid, now.info.st_uid) != map(there.map_uid, before.info.st_uid) ||
           map(here.map_gid, now.info.st_gid) != map(there.map_gid, before.info.st_gid);
  }

  bool is_changed(const Shown& now, const Shown& before, const std::string& name) const {
    if (is_same_layer(now.layer, before.layer)) return false;
    if (own_before_ == 0) return true;  // the other stack is what this one lies on
    if (has_other_attributes(now, before) || now.info.st_rdev != before.info.st_rdev) return true;
    if (S_ISLNK(now.info.st_mode))
      return sys::read_link(now.directory_fd, name) != sys::read_link(before.directory_fd, name);
    if (!S_ISREG(now.info.st_mode)) return false;
    if (now.info.st_size != before.info.st_size) return true;
    // O_NONBLOCK: somebody may have put a FIFO in its place.
    constexpr int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    const sys::UniqueFd here = sys::find_at(now.directory_fd, name, flags);
    const sys::UniqueFd there = sys::find_at(before.directory_fd, name, flags);
    return !here || !there || !has_same_content(here.get(), there.get());
  }

  Stack now_, before_;
  std::size_t own_now_, own_before_;  // layers that the other stack does not end with
  const std::set<std::string>& leave_out_;
  std::vector<TreeChange> changes_;
};

}  // namespace

std::vector<TreeChange> find_changes(const TreeStack& now, const TreeStack& before,
                                     const std::set<std::string>& leave_out) {
  allow_many_descriptors();
  return Comparison(now, before, leave_out).run();
}

}  // namespace knarr::storage
