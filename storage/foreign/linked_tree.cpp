// SPDX-License-Identifier: Apache-2.0
#include "storage/foreign/linked_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <unordered_set>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/layer/tree_item.h"
#include "storage/tree_copy.h"

namespace knarr::storage {
namespace {

constexpr id_t overflow_id = 65534;  // what the kernel shows for ids without a mapping; also the id "nobody"
constexpr std::size_t max_depth = 256;

// A directory of both trees. It stays open while tasks for its subdirectories wait.
struct Level {
  sys::UniqueFd source, target;
  std::string path;  // below the root, empty for it
  std::size_t depth = 0;
};

struct Task {
  std::shared_ptr<const Level> parent;
  std::string name;
};

std::string join(const std::string& path, const std::string& name) {
  return path.empty() ? name : concat(path, '/', name);
}

bool is_whiteout_node(const struct stat& info) {
  return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
}

// ---- owners ----

// An inode whose owner has no mapping cannot be changed by anybody here: setting what is set already asks for
// the same right and changes nothing.
bool is_owner_mapped(int dir_fd, const std::string& name, const struct stat& info) {
  if (info.st_uid != overflow_id && info.st_gid != overflow_id) return true;
  if (S_ISLNK(info.st_mode))
    return ::fchownat(dir_fd, name.c_str(), info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) == 0;
  return ::fchmodat(dir_fd, name.c_str(), info.st_mode & 07777, AT_SYMLINK_NOFOLLOW) == 0;
}

void require_mapped_owner(int dir_fd, const std::string& name, const struct stat& info) {
  if (is_owner_mapped(dir_fd, name, info)) return;
  Unsupported error("it belongs to an id that is not one of yours");
  error.set_hint(
      "a store can be used by the user who filled it, with the same ranges in /etc/subuid and /etc/subgid");
  throw error;
}

// ---- attributes ----

using XattrNames = std::array<char, 64 * 1024>;  // XATTR_LIST_MAX

template <typename Act>
void for_each_xattr(int fd, Act&& act) {
  thread_local XattrNames names;
  const ssize_t size = ::flistxattr(fd, names.data(), names.size());
  if (size < 0 && errno != ENOTSUP) throw_errno("reading its attributes");
  for (const char* name = names.data(); size > 0 && name < names.data() + size;
       name += std::string_view(name).size() + 1) {
    act(std::string_view(name));
  }
}

bool is_of_overlay(std::string_view name) {
  return name.starts_with("user.overlay.") || name.starts_with("trusted.overlay.");
}

[[noreturn]] void refuse_attribute(std::string_view name) {
  throw Unsupported(concat("it has the attribute ", name, ", so it is not what its layer had"));
}

void check_file_attributes(int dir_fd, const std::string& name) {
  const sys::UniqueFd file = sys::open_at(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  for_each_xattr(file.get(), [](std::string_view attribute) {
    if (is_allowed_xattr(attribute)) return;
    if (attribute.starts_with("user.") || is_of_overlay(attribute)) refuse_attribute(attribute);
  });
}

// What a mount with userxattr would not see or would take for something else.
void check_directory_attributes(int fd, TreeUse use) {
  for_each_xattr(fd, [&](std::string_view attribute) {
    if (attribute.ends_with(".overlay.redirect") || attribute.ends_with(".override_stat"))
      refuse_attribute(attribute);
    if (use == TreeUse::check && attribute == "trusted.overlay.opaque") {
      Unsupported error(
          "it is opaque by trusted.overlay.opaque, which an overlay with userxattr does not heed");
      error.set_hint("take the image over instead: knarr system adopt --from STORE IMAGE");
      throw error;
    }
  });
}

void copy_xattr(int source, int target, const std::string& name) {
  std::string value(64 * 1024, '\0');
  const ssize_t size = ::fgetxattr(source, name.c_str(), value.data(), value.size());
  if (size < 0) throw_errno("reading its attribute ", name);
  if (::fsetxattr(target, name.c_str(), value.data(), static_cast<std::size_t>(size), 0) < 0)
    throw_errno("setting its attribute ", name);
}

// ---- the walk ----

class TreeLinker {
 public:
  TreeLinker(int source_fd, int target_fd, TreeUse use) : use_(use) {
    root_ = std::make_shared<Level>();
    root_->source = sys::open_directory(source_fd, ".");
    if (use == TreeUse::link) root_->target = sys::open_directory(target_fd, ".");
  }

  LinkedTree run(unsigned threads) {
    check_directory_attributes(root_->source.get(), use_);
    {
      LinkedTree found;
      enter(*root_, root_, found);
      merge(found);
    }
    {
      std::vector<std::jthread> crew;  // joined at the end of the block
      try {
        for (unsigned i = 1; i < threads; ++i) crew.emplace_back([this] { work(); });
      } catch (const std::system_error&) {
        // As many as the limits on this user's processes allow.
      }
      work();
    }
    if (failure_) std::rethrow_exception(failure_);
    return std::move(tree_);
  }

 private:
  void work() noexcept {
    LinkedTree found;
    try {
      while (auto task = next()) {
        descend(*task, found);
        task.reset();
        finish_one();
      }
      merge(found);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      changed_.notify_all();
    }
  }

  // The newest first: that keeps the number of open directories near the depth of the tree.
  std::optional<Task> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !tasks_.empty() || unfinished_ == 0 || failure_; });
    if (tasks_.empty() || failure_) return std::nullopt;
    Task task = std::move(tasks_.back());
    tasks_.pop_back();
    return task;
  }
  void add(Task task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    ++unfinished_;
    changed_.notify_one();
  }
  void finish_one() {
    const std::lock_guard lock(mutex_);
    if (--unfinished_ == 0) changed_.notify_all();
  }
  void merge(LinkedTree& found) {
    const std::lock_guard lock(mutex_);
    tree_.tree_bytes += found.tree_bytes;
    tree_.entries += found.entries;
    tree_.copied += found.copied;
    tree_.files.insert(tree_.files.end(), std::make_move_iterator(found.files.begin()),
                       std::make_move_iterator(found.files.end()));
  }

  void descend(Task& task, LinkedTree& found) {
    auto level = std::make_shared<Level>();
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    level->path = join(task.parent->path, task.name);
    with_context("/" + level->path, [&] {
      level->depth = task.parent->depth + 1;
      if (level->depth > max_depth) throw Unsupported("directories are nested too deeply");
      level->source = sys::open_at(task.parent->source.get(), task.name, flags);
      if (use_ == TreeUse::link) level->target = sys::open_at(task.parent->target.get(), task.name, flags);
      task.parent.reset();
      check_directory_attributes(level->source.get(), use_);
    });
    enter(*level, level, found);
    if (use_ == TreeUse::link)
      with_context("/" + level->path,
                   [&] { copy_directory_attributes(level->source.get(), level->target.get()); });
  }

  // All names of a directory; its subdirectories become tasks.
  void enter(const Level& level, const std::shared_ptr<const Level>& shared, LinkedTree& found) {
    std::vector<std::string> directories;
    for (std::string& name : sys::list_directory(level.source.get(), ".")) {
      const std::string path = join(level.path, name);
      with_context("/" + path, [&] {
        if (take(level, name, path, found)) directories.push_back(std::move(name));
      });
      ++found.entries;
    }
    for (std::string& name : directories) add({shared, std::move(name)});
  }

  // True for a directory.
  bool take(const Level& level, const std::string& name, const std::string& path, LinkedTree& found) {
    struct stat info {};
    const int source = level.source.get();
    if (::fstatat(source, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) throw_errno("looking at it");
    if (name.starts_with(".wh.")) {
      throw Unsupported("it is a whiteout as a file: the store was filled through a mount program");
    }
    require_mapped_owner(source, name, info);
    if (S_ISDIR(info.st_mode)) {
      if (use_ == TreeUse::link && ::mkdirat(level.target.get(), name.c_str(), 0700) < 0)
        throw_errno("making the directory");
      return true;
    }
    if (S_ISREG(info.st_mode)) {
      check_file_attributes(source, name);
      found.files.emplace_back(path, static_cast<std::uint64_t>(info.st_size));
      if (info.st_nlink == 1 || is_first_name(info))
        found.tree_bytes += static_cast<std::uint64_t>(info.st_size);
    }
    if (use_ == TreeUse::link) place(level, name, path, info, found);
    return false;
  }

  bool is_first_name(const struct stat& info) {
    const std::lock_guard lock(links_mutex_);
    return counted_.insert(info.st_ino).second;
  }

  void place(const Level& level, const std::string& name, const std::string& path, const struct stat& info,
             LinkedTree& found) {
    const int target = level.target.get();
    if (is_whiteout_node(info)) return make_whiteout(target, name);
    if (::linkat(level.source.get(), name.c_str(), target, name.c_str(), 0) == 0) return;
    if (errno != EXDEV && errno != EMLINK && errno != EOPNOTSUPP) throw_errno("linking it");
    copy(level, name, path, info);
    ++found.copied;
  }

  // Names of one file stay names of one file.
  void copy(const Level& level, const std::string& name, const std::string& path, const struct stat& info) {
    const auto make = [&] { copy_entry(level.source.get(), name, level.target.get(), name, {}); };
    if (info.st_nlink == 1) return make();
    const std::lock_guard lock(links_mutex_);
    const auto [first, is_new] = links_.emplace(info.st_ino, path);
    if (is_new) return make();
    // Every directory on that path was made here, and by nobody else.
    if (::linkat(root_->target.get(), first->second.c_str(), level.target.get(), name.c_str(), 0) < 0)
      throw_errno("linking it");
  }

  TreeUse use_;
  std::shared_ptr<Level> root_;
  LinkedTree tree_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Task> tasks_;
  std::size_t unfinished_ = 0;
  std::exception_ptr failure_;
  std::mutex links_mutex_;
  std::unordered_set<ino_t> counted_;   // files with several names
  std::map<ino_t, std::string> links_;  // those that were copied
};

}  // namespace

LinkedTree link_tree(int source_fd, int target_fd, TreeUse use, unsigned threads) {
  return TreeLinker(source_fd, target_fd, use).run(threads);
}

void copy_directory_attributes(int source_fd, int target_fd) {
  struct stat info {};
  if (::fstat(source_fd, &info) < 0) throw_errno("looking at it");
  if (::fchown(target_fd, info.st_uid, info.st_gid) < 0) throw_errno("setting its owner");
  for_each_xattr(source_fd, [&](std::string_view name) {
    if (is_allowed_xattr(name)) copy_xattr(source_fd, target_fd, std::string(name));
    char value = 0;
    const std::string text(name);
    if (name.ends_with(".overlay.opaque") && ::fgetxattr(source_fd, text.c_str(), &value, 1) == 1 &&
        value == 'y')
      mark_opaque(target_fd);
  });
  if (::fchmod(target_fd, info.st_mode & 07777) < 0) throw_errno("setting its mode");
  const timespec times[2] = {info.st_atim, info.st_mtim};
  if (::futimens(target_fd, times) < 0) throw_errno("setting its time");
}

}  // namespace knarr::storage
