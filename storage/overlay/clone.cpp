// SPDX-License-Identifier: Apache-2.0
#include "storage/overlay/clone.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <tuple>
#include <unordered_map>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/inode_copy.h"

namespace knarr::storage {

namespace {

// A layer's share in a directory of the tree.
struct Source {
  std::size_t layer = 0;
  bool is_passable = true;  // the mounter may enter it and all directories on the way to it
};

// A directory to fill: made already, of any owner. Its parent never waits for it, nor it for its neighbours.
struct Task {
  std::string path;             // "" for the root, else "/usr/bin"
  std::vector<Source> sources;  // topmost first
};

// Directories that wait, for several threads. The last ones come first: so few are waiting at any time.
class TaskQueue {
 public:
  explicit TaskQueue(Task root) { waiting_.push_back(std::move(root)); }

  // Waits; nullopt when there is nothing left to do, or one has failed.
  std::optional<Task> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return failure_ || !waiting_.empty() || working_ == 0; });
    if (failure_ || waiting_.empty()) return std::nullopt;
    Task task = std::move(waiting_.back());
    waiting_.pop_back();
    ++working_;
    return task;
  }
  void finish(std::vector<Task> more) {
    const std::lock_guard lock(mutex_);
    --working_;
    std::move(more.begin(), more.end(), std::back_inserter(waiting_));
    changed_.notify_all();
  }
  void fail(std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
    changed_.notify_all();
  }
  void throw_failure() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Task> waiting_;
  std::size_t working_ = 0;
  std::exception_ptr failure_;
};

// Where the inodes with several names were made. In stripes, so that threads seldom wait for each other.
struct LinkStripe {
  using Inode =
      std::tuple<std::size_t, dev_t, ino_t>;  // of a layer: other layers' names for it are other files
  std::mutex mutex;
  std::map<Inode, std::string> made;  // by path
};

// What all threads share.
struct Clone {
  const CloneOptions& options;
  std::vector<sys::UniqueFd> layers;
  int target_fd;
  TaskQueue queue;
  std::array<LinkStripe, 64> links;
  std::atomic<std::uint64_t> referring = 0, copied = 0;
};

// Of a tree that nobody else changes. In pieces: a path may be longer than the kernel takes in one call.
sys::UniqueFd open_below(int root_fd, const std::string& path) {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  if (path.empty()) return sys::open_at(root_fd, ".", flags);
  sys::UniqueFd opened;
  std::size_t begin = 1;
  while (path.size() - begin >= PATH_MAX) {
    const std::size_t end = path.rfind('/', begin + PATH_MAX - 1);
    opened = sys::open_at(opened ? opened.get() : root_fd, path.substr(begin, end - begin), flags);
    begin = end + 1;
  }
  return sys::open_at(opened ? opened.get() : root_fd, path.substr(begin), flags);
}

// Whether the mounter has a right that others may have by S_IROTH or S_IXOTH. That its group may have it is
// not relied on.
bool mounter_may(const CloneOptions& options, const struct stat& info, mode_t right) {
  return !options.mounter_rules || options.mounter_rules(info.st_uid, info.st_gid) ||
         (info.st_mode & right) != 0;
}

// One name of a layer that shows in the tree, but no directory.
struct Entry {
  const Source& source;
  int source_fd, target_fd;  // the directories it is and will be in
  const std::string& name;
  std::string path;
  struct stat info;
};

class Worker {
 public:
  explicit Worker(Clone& clone) : clone_(clone) {}

  void run() noexcept {
    try {
      while (std::optional<Task> task = clone_.queue.next()) clone_.queue.finish(fill(*task));
    } catch (...) {
      clone_.queue.fail(std::current_exception());
    }
  }

 private:
  // What is known of a name after the layers that were looked at.
  struct Name {
    std::vector<Source> directories;
    bool is_decided = false;  // lower layers have no part in it
  };
  using Names = std::unordered_map<std::string, Name>;

  // Returns the directories in it.
  std::vector<Task> fill(const Task& task) {
    const sys::UniqueFd target = open_below(clone_.target_fd, task.path);
    Names names;
    sys::UniqueFd topmost;
    for (const Source& source : task.sources) {
      sys::UniqueFd directory = open_below(clone_.layers[source.layer].get(), task.path);
      for (const std::string& name : sys::list_directory(directory.get(), "."))
        place(task, source, directory.get(), target.get(), name, names[name]);
      const bool hides_lower = is_opaque(directory.get());
      if (!topmost) topmost = std::move(directory);
      if (hides_lower) break;
    }
    struct stat info;
    if (::fstat(topmost.get(), &info) < 0) throw_errno("reading ", task.path);
    // Last, for what was made in it has changed its times, and would have inherited its group.
    set_owner_and_xattrs(topmost.get(), target.get(), info, task.path);
    set_mode(target.get(), info, task.path);
    set_times(target.get(), info, task.path);
    std::vector<Task> inside;
    for (auto& [name, found] : names) {
      if (!found.directories.empty())
        inside.push_back({task.path + "/" + name, std::move(found.directories)});
    }
    return inside;
  }

  void place(const Task& task, const Source& source, int source_fd, int target_fd, const std::string& name,
             Name& found) {
    if (found.is_decided) return;
    struct stat info;
    std::string path = task.path + "/" + name;
    if (::fstatat(source_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) throw_errno("reading ", path);
    if (S_ISDIR(info.st_mode)) {
      if (found.directories.empty() && ::mkdirat(target_fd, name.c_str(), 0700) < 0)
        throw_errno("making directory ", path);
      found.directories.push_back({source.layer, source.is_passable && mounter_may(info, S_IXOTH)});
      return;
    }
    found.is_decided = true;
    if (found.directories.empty() && !is_whiteout(info))
      make({source, source_fd, target_fd, name, std::move(path), info});
  }

  bool mounter_may(const struct stat& info, mode_t right) const {
    return storage::mounter_may(clone_.options, info, right);
  }

  void make(const Entry& entry) {
    if (entry.info.st_nlink < 2) return make_new(entry);
    LinkStripe& stripe = clone_.links[entry.info.st_ino % clone_.links.size()];
    const std::lock_guard lock(stripe.mutex);
    const auto [made, is_new] =
        stripe.made.try_emplace({entry.source.layer, entry.info.st_dev, entry.info.st_ino}, entry.path);
    if (is_new) return make_new(entry);
    const std::size_t slash = made->second.rfind('/');
    const sys::UniqueFd directory = open_below(clone_.target_fd, made->second.substr(0, slash));
    const char* name = made->second.c_str() + slash + 1;
    if (::linkat(directory.get(), name, entry.target_fd, entry.name.c_str(), 0) < 0)
      throw_errno("linking ", entry.path);
  }

  void make_new(const Entry& entry) {
    if (S_ISREG(entry.info.st_mode)) {
      make_file(entry);
    } else if (S_ISLNK(entry.info.st_mode)) {
      const auto target = sys::read_link(entry.source_fd, entry.name);
      if (!target || ::symlinkat(target->c_str(), entry.target_fd, entry.name.c_str()) < 0)
        throw_errno("making symbolic link ", entry.path);
      set_attributes_by_name(entry);
    } else if (S_ISFIFO(entry.info.st_mode)) {
      if (::mkfifoat(entry.target_fd, entry.name.c_str(), 0600) < 0) throw_errno("making FIFO ", entry.path);
      set_attributes_by_name(entry);
    }
  }

  void make_file(const Entry& entry) {
    const sys::UniqueFd source = sys::open_at(entry.source_fd, entry.name, O_RDONLY | O_NOFOLLOW);
    const sys::UniqueFd target = sys::open_at(
        entry.target_fd, entry.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, entry.info.st_mode & 0777);
    if (entry.info.st_size > 0) {
      const bool is_readable = entry.source.is_passable && mounter_may(entry.info, S_IROTH);
      if (is_readable && refer(target.get(), entry)) {
        ++clone_.referring;
      } else {
        copy_content(source.get(), target.get(), entry.path);
        ++clone_.copied;
      }
    }
    set_owner_and_xattrs(source.get(), target.get(), entry.info, entry.path);
    // All other modes are those it was made with.
    if ((entry.info.st_mode & 07000) != 0) set_mode(target.get(), entry.info, entry.path);
    set_times(target.get(), entry.info, entry.path);
  }

  // False when the path does not fit. A path up to 56 bytes takes no space on ext4 (inodes of 256 bytes): set
  // first it goes into the inode, and the block that the other attribute then needs is the same for all
  // files, so ext4 shares it between a thousand of them. In the other order each file has a block of its own.
  static bool refer(int target, const Entry& entry) {
    if (entry.path.size() >= PATH_MAX) return false;
    if (::fsetxattr(target, "user.overlay.redirect", entry.path.data(), entry.path.size(), 0) < 0) {
      if (errno == ENOSPC || errno == E2BIG || errno == ERANGE) return false;
      throw_errno("setting where the content of ", entry.path, " is");
    }
    if (::fsetxattr(target, "user.overlay.metacopy", "", 0, 0) < 0)
      throw_errno("setting that the content of ", entry.path, " is elsewhere");
    if (::ftruncate(target, entry.info.st_size) < 0) throw_errno("setting the size of ", entry.path);
    return true;
  }

  uid_t owner_of(const struct stat& info) const {
    return clone_.options.map_uid ? clone_.options.map_uid(info.st_uid) : info.st_uid;
  }
  gid_t group_of(const struct stat& info) const {
    return clone_.options.map_gid ? clone_.options.map_gid(info.st_gid) : info.st_gid;
  }

  // Before the mode: chown takes file capabilities and set-id bits away.
  void set_owner_and_xattrs(int source, int target, const struct stat& info, const std::string& path) {
    if (::fchown(target, owner_of(info), group_of(info)) < 0) throw_errno("setting the owner of ", path);
    xattrs_.copy(source, target, path);
  }
  static void set_mode(int target, const struct stat& info, const std::string& path) {
    if (::fchmod(target, info.st_mode & 07777) < 0) throw_errno("setting the mode of ", path);
  }
  static void set_times(int target, const struct stat& info, const std::string& path) {
    const timespec times[2] = {info.st_atim, info.st_mtim};
    if (::futimens(target, times) < 0) throw_errno("setting the times of ", path);
  }

  // Of links and FIFOs, which are not opened.
  void set_attributes_by_name(const Entry& entry) {
    const char* name = entry.name.c_str();
    if (::fchownat(entry.target_fd, name, owner_of(entry.info), group_of(entry.info), AT_SYMLINK_NOFOLLOW) <
        0)
      throw_errno("setting the owner of ", entry.path);
    if (S_ISFIFO(entry.info.st_mode) && ::fchmodat(entry.target_fd, name, entry.info.st_mode & 07777, 0) < 0)
      throw_errno("setting the mode of ", entry.path);
    const timespec times[2] = {entry.info.st_atim, entry.info.st_mtim};
    if (::utimensat(entry.target_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
      throw_errno("setting the times of ", entry.path);
  }

  Clone& clone_;
  XattrCopier xattrs_;
};

void run_workers(Clone& clone, unsigned threads) {
  std::vector<std::thread> helpers;
  try {
    while (helpers.size() + 1 < threads) helpers.emplace_back([&clone] { Worker(clone).run(); });
  } catch (const std::system_error&) {
    // As many as the limits on this user's processes allow.
  }
  Worker(clone).run();
  for (std::thread& helper : helpers) helper.join();
}

}  // namespace

CloneSummary clone_layers(const std::vector<std::string>& layers, int target_fd,
                          const CloneOptions& options) {
  std::vector<sys::UniqueFd> trees;
  Task root;
  for (const std::string& layer : layers) {
    const sys::UniqueFd& tree = trees.emplace_back(sys::open_directory(AT_FDCWD, layer));
    struct stat info;
    if (::fstat(tree.get(), &info) < 0) throw_errno("reading ", layer);
    root.sources.push_back({.layer = trees.size() - 1, .is_passable = mounter_may(options, info, S_IXOTH)});
  }
  Clone clone{.options = options,
              .layers = std::move(trees),
              .target_fd = target_fd,
              .queue = TaskQueue(std::move(root)),
              .links = {}};
  run_workers(clone, options.threads);
  clone.queue.throw_failure();
  return {.referring = clone.referring, .copied = clone.copied};
}

}  // namespace knarr::storage
