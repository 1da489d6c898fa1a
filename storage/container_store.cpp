// SPDX-License-Identifier: Apache-2.0
#include "storage/container_store.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <future>
#include <set>
#include <system_error>
#include <thread>

#include "rootless/sys/error.h"
#include "storage/meta/object_name.h"
#include "storage/threads_end.h"

namespace knarr::storage {
namespace {

constexpr std::string_view link_prefix = "../containers/";
constexpr std::size_t id_digits = 64;
constexpr std::size_t max_summary_bytes = 4096;
constexpr const char* record_files[] = {"config.json", "summary"};

// In a container's directory while it is renamed: the old name and the new one.
constexpr const char* renaming_file = "renaming";

bool is_id(std::string_view text) {
  return text.size() == id_digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string name_path(const std::string& name) {
  return "names/" + name;
}

std::string link_target(const std::string& id) {
  return concat(link_prefix, id);
}

[[noreturn]] void throw_unknown(std::string_view name_or_id) {
  throw NotFound(concat("no container with name or ID \"", name_or_id, "\" found"));
}

// Also one that lost one of the two: it must not vanish with all that was written in it.
bool exists(const Store& store, std::string_view id) {
  return std::any_of(std::begin(record_files), std::end(record_files), [&](const char* file) {
    const std::string path = concat("containers/", id, '/', file);
    return ::faccessat(store.fd(), path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  });
}

// The id a name's link holds, whether that container exists or not.
std::optional<std::string> read_name(const Store& store, const std::string& name) {
  const std::optional<std::string> target = sys::read_link(store.fd(), name_path(name));
  if (!target || !target->starts_with(link_prefix)) return std::nullopt;
  std::string id = target->substr(link_prefix.size());
  if (!is_id(id)) return std::nullopt;
  return id;
}

// ---- names ----

sys::Lock lock_names(const Store& store) {
  return sys::Lock::acquire(store.fd(), "names", sys::Lock::Mode::exclusive);
}

[[noreturn]] void throw_name_taken(const std::string& name, const std::string& owner) {
  Conflict error(concat("the container name \"", name, "\" is already in use by ", owner));
  error.set_hint("remove that container to use the name again, or choose another name");
  throw error;
}

// False when the name exists.
bool try_give_name(const Store& store, const std::string& name, const std::string& id) {
  if (::symlinkat(link_target(id).c_str(), store.fd(), name_path(name).c_str()) == 0) return true;
  if (errno == EEXIST) return false;
  throw_errno("creating the name \"", name, '"');
}

// Only holders of the lock on names/ take a link away, so what is seen here stays true until the unlink.
void remove_if_dead(const Store& store, const std::string& name) {
  const sys::Lock lock = lock_names(store);
  if (!sys::read_link(store.fd(), name_path(name))) return;  // what appears from now on is a living one's
  const std::optional<std::string> owner = read_name(store, name);
  if (owner && exists(store, *owner)) throw_name_taken(name, *owner);
  sys::unlink_if_exists(store.fd(), name_path(name));
}

void give_name(const Store& store, const std::string& name, const std::string& id) {
  while (!try_give_name(store, name, id)) remove_if_dead(store, name);
}

void take_name(const Store& store, const std::string& name, const std::string& id) {
  const sys::Lock lock = lock_names(store);
  if (read_name(store, name) == id) sys::unlink_if_exists(store.fd(), name_path(name));
}

// ---- making ----

void sync(int fd, std::string_view what) {
  if (::fsync(fd) < 0) throw_errno("syncing ", what);
}

// After everything is written, so that one commit of the file system's journal carries all of it.
void sync_container(const Store& store, int directory_fd) {
  for (const char* file : record_files) sync(sys::open_at(directory_fd, file, O_RDONLY).get(), file);
  sync(directory_fd, "the container's directory");
  for (const char* directory : {"containers", "names"})
    sync(sys::open_directory(store.fd(), directory).get(), directory);
}

void check(const NewContainer& container) {
  if (!is_id(container.id)) throw InvalidArgument(concat("\"", container.id, "\" is not a container ID"));
  require_object_name("container", container.name);
  if (container.summary.size() >= max_summary_bytes || container.summary.find('\n') != std::string::npos) {
    throw InvalidArgument(concat("the summary of container ", container.id, " is not one line of at most ",
                                 max_summary_bytes, " bytes"));
  }
}

// Fills the directory of a new container. The lock tells find_garbage() that it is not a crash's leavings.
class ContainerMaker {
 public:
  ContainerMaker(const Store& store, const NewContainer& container)
      : store_(store), container_(container), path_("containers/" + container.id), lock_(make_locked()) {}
  ContainerMaker(const ContainerMaker&) = delete;
  ContainerMaker& operator=(const ContainerMaker&) = delete;

  ~ContainerMaker() {
    if (!kept_) undo();
  }

  // The summary is filled last: who finds a container by list() can read its config. It is opened first: a
  // lack of descriptors must not leave a config, which makes a container, without it.
  void fill() {
    make_exact_directory("upper", 0755);  // its mode is that of "/" in the container
    make_exact_directory("work", 0700);
    summary_ = create_file("summary");
    config_ = create_file("config.json");
    sys::write_all(config_.get(), container_.config_json, "config.json");
    sys::write_all(summary_.get(), container_.summary + '\n', "summary");
  }

  void publish() {
    give_name(store_, container_.name, container_.id);
    named_ = true;
  }

  void sync_all() { sync_container(store_, lock_.fd()); }

  sys::Lock keep() {
    kept_ = true;
    return std::move(lock_);
  }

 private:
  // Between mkdir and lock a remove_garbage() may take it for a crash's leavings; then once more.
  sys::Lock make_locked() const {
    while (true) {
      if (::mkdirat(store_.fd(), path_.c_str(), 0700) < 0) {
        if (errno == EEXIST) throw Conflict(concat("a container with ID ", container_.id, " exists already"));
        throw_errno("creating directory ", store_.path(path_));
      }
      try {
        return sys::Lock::acquire(store_.fd(), path_, sys::Lock::Mode::exclusive);
      } catch (const NotFound&) {
      } catch (...) {
        ::unlinkat(store_.fd(), path_.c_str(), AT_REMOVEDIR);
        throw;
      }
    }
  }

  // Step by step and by what is open already, because the lack of descriptors may be why we are here. Nobody
  // but us has put anything in. The failure under way is the one to tell; find_garbage() finds the rest.
  void undo() {
    config_.reset();
    summary_.reset();
    for (const char* file : {"summary", "config.json"}) ::unlinkat(lock_.fd(), file, 0);
    for (const char* directory : {"work", "upper"}) ::unlinkat(lock_.fd(), directory, AT_REMOVEDIR);
    ::unlinkat(store_.fd(), path_.c_str(), AT_REMOVEDIR);
    if (!named_) return;
    try {
      take_name(store_, container_.name, container_.id);
    } catch (const Error&) {
      // A name without a container is free for whoever wants it.
    }
  }

  // In a directory nobody reads yet: no need for a private name and a rename.
  sys::UniqueFd create_file(const char* name) const {
    return sys::open_at(lock_.fd(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  }

  // mkdir(2) obeys the umask; these modes do not.
  void make_exact_directory(const char* name, mode_t mode) {
    if (::mkdirat(lock_.fd(), name, mode) < 0 || ::fchmodat(lock_.fd(), name, mode, 0) < 0) {
      throw_errno("creating directory ", store_.path(path_), '/', name);
    }
  }

  const Store& store_;
  const NewContainer& container_;
  const std::string path_;
  bool named_ = false;
  bool kept_ = false;
  sys::Lock lock_;
  sys::UniqueFd config_;
  sys::UniqueFd summary_;
};

// ---- listing ----

// Opening a file costs more than what is in it, nearly all of that in the kernel, which does it on several
// processors at once.
void share_out(std::size_t count, const std::function<void(std::size_t first, std::size_t last)>& work) {
  constexpr std::size_t worth_a_thread = 200;
  const std::size_t parts = std::clamp<std::size_t>(count / worth_a_thread, 1,
                                                    std::clamp(std::thread::hardware_concurrency(), 1u, 4u));
  const auto bound = [&](std::size_t part) { return count * part / parts; };
  const ThreadsEnd threads_end;
  std::vector<std::future<void>> helpers;  // destroying one waits for it
  std::size_t part = 1;
  try {
    for (; part < parts; ++part)
      helpers.push_back(std::async(std::launch::async, work, bound(part), bound(part + 1)));
  } catch (const std::system_error&) {
    work(bound(part), count);  // no more threads for us
  }
  work(0, bound(1));
  for (std::future<void>& helper : helpers) helper.get();
}

// What a summary file holds; empty while it is being written or removed. By hand: `ps` reads one of these for
// each container.
std::string_view read_summary(int containers_fd, const std::string& id,
                              char (&buffer)[2 * max_summary_bytes]) {
  char path[id_digits + sizeof "/summary"];
  std::memcpy(path, id.data(), id_digits);
  std::memcpy(path + id_digits, "/summary", sizeof "/summary");
  const sys::UniqueFd fd(::openat(containers_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return {};
  const ssize_t length = ::read(fd.get(), buffer, sizeof buffer);
  if (length <= 0 || std::memchr(buffer, '\n', static_cast<std::size_t>(length)) == nullptr) return {};
  return {buffer, static_cast<std::size_t>(length)};
}

std::vector<std::string> list_ids(const Store& store) {
  std::vector<std::string> ids = sys::list_directory(store.fd(), "containers");
  std::erase_if(ids, [](const std::string& id) { return !is_id(id); });
  return ids;
}

std::optional<std::string> find_by_prefix(const Store& store, std::string_view prefix) {
  std::optional<std::string> found;
  for (std::string& id : list_ids(store)) {
    if (!id.starts_with(prefix) || !exists(store, id)) continue;
    if (found) {
      throw InvalidArgument(concat("more than one container has an ID that begins with \"", prefix, '"'));
    }
    found = std::move(id);
  }
  return found;
}

std::set<std::string> named_ids(const Store& store) {
  std::set<std::string> ids;
  for (const std::string& name : sys::list_directory(store.fd(), "names")) {
    if (auto id = read_name(store, name)) ids.insert(*std::move(id));
  }
  return ids;
}

// Nobody is making or removing this container; held, nobody begins to.
std::optional<sys::Lock> try_lock(const Store& store, const std::string& path) {
  try {
    return sys::Lock::try_acquire(store.fd(), path, sys::Lock::Mode::exclusive);
  } catch (const NotFound&) {
    return std::nullopt;
  }
}

// To be asked under the container's lock: its maker holds that until it has a name.
bool is_garbage(const Store& store, const std::string& id) {
  return !exists(store, id) || !named_ids(store).contains(id);
}

}  // namespace

sys::Lock ContainerStore::create(const NewContainer& container) const {
  check(container);
  ContainerMaker maker(store_, container);
  maker.fill();
  maker.publish();
  if (container.durability == sys::Durability::synced) maker.sync_all();
  return maker.keep();
}

void ContainerStore::make_durable(const std::string& id) const {
  const sys::UniqueFd directory = sys::find_at(store_.fd(), relative_path(id), O_RDONLY | O_DIRECTORY);
  if (!directory) throw_unknown(id);
  sync_container(store_, directory.get());
}

std::optional<std::string> ContainerStore::find_id(std::string_view name_or_id) const {
  // Also keeps "../x" out: ids are names too.
  if (!is_object_name(name_or_id)) return std::nullopt;
  if (is_id(name_or_id) && exists(store_, name_or_id)) return std::string(name_or_id);
  const std::optional<std::string> named = read_name(store_, std::string(name_or_id));
  if (named && exists(store_, *named)) return named;
  const bool is_prefix = name_or_id.size() < id_digits &&
                         name_or_id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return is_prefix ? find_by_prefix(store_, name_or_id) : std::nullopt;
}

std::string ContainerStore::get_id(std::string_view name_or_id) const {
  std::optional<std::string> id = find_id(name_or_id);
  if (!id) throw_unknown(name_or_id);
  return *std::move(id);
}

std::vector<ContainerEntry> ContainerStore::list() const {
  const sys::UniqueFd containers = sys::open_directory(store_.fd(), "containers");
  std::vector<std::string> ids = list_ids(store_);
  std::vector<ContainerEntry> entries(ids.size());
  share_out(ids.size(), [&](std::size_t first, std::size_t last) {
    char buffer[2 * max_summary_bytes];
    for (std::size_t i = first; i < last; ++i) {
      entries[i].summary = read_summary(containers.get(), ids[i], buffer);
      entries[i].id = std::move(ids[i]);
    }
  });
  return entries;
}

std::string ContainerStore::read(const std::string& id, const std::string& file) const {
  std::optional<std::string> content = read_if_exists(id, file);
  if (content) return *std::move(content);
  if (!exists(store_, id)) throw_unknown(id);
  throw NotFound(concat("container ", id, " has no file ", file));
}

std::optional<std::string> ContainerStore::read_if_exists(const std::string& id,
                                                          const std::string& file) const {
  return sys::read_file_if_exists(store_.fd(), concat(relative_path(id), '/', file));
}

void ContainerStore::replace(const std::string& id, const std::string& file, std::string_view content,
                             sys::Durability durability) const {
  const sys::UniqueFd directory = sys::find_at(store_.fd(), relative_path(id), O_RDONLY | O_DIRECTORY);
  if (!directory) throw_unknown(id);
  sys::replace_file(directory.get(), file, content, 0600, durability);
}

void ContainerStore::rename(const std::string& id, const std::string& old_name, const std::string& new_name,
                            const std::function<void()>& record) const {
  require_object_name("container", new_name);
  if (!exists(store_, id)) throw_unknown(id);
  if (new_name == old_name) return;
  // Whoever finds it knows that one of the two names is too many.
  replace(id, renaming_file, concat(old_name, '\n', new_name, '\n'), sys::Durability::none);
  try {
    storage::give_name(store_, new_name, id);
    record();
  } catch (...) {
    end_rename(id, old_name);
    throw;
  }
  end_rename(id, new_name);
}

bool ContainerStore::has_cut_rename(const std::string& id) const {
  return sys::stat_at(store_.fd(), concat(relative_path(id), '/', renaming_file), AT_SYMLINK_NOFOLLOW)
      .has_value();
}

void ContainerStore::end_rename(const std::string& id, const std::string& name) const {
  if (!has_cut_rename(id)) return;
  const std::string names = read_if_exists(id, renaming_file).value_or("");
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = names.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string one = names.substr(begin, end - begin);
    if (one != name && is_object_name(one)) storage::take_name(store_, one, id);
  }
  sys::unlink_if_exists(store_.fd(), concat(relative_path(id), '/', renaming_file));
}

bool ContainerStore::remove(const std::string& id, const std::string& name) const {
  storage::take_name(store_, name, id);
  return store_.move_to_trash(relative_path(id));
}

sys::Lock ContainerStore::lock(const std::string& id) const {
  try {
    return sys::Lock::acquire(store_.fd(), relative_path(id), sys::Lock::Mode::exclusive);
  } catch (const NotFound&) {
    throw_unknown(id);
  }
}

std::vector<std::string> ContainerStore::find_garbage() const {
  const std::set<std::string> named = named_ids(store_);
  std::vector<std::string> garbage;
  for (const std::string& id : list_ids(store_)) {
    if (named.contains(id) && exists(store_, id)) continue;
    const auto lock = try_lock(store_, relative_path(id));
    if (lock && is_garbage(store_, id)) garbage.push_back(id);
  }
  return garbage;
}

bool ContainerStore::remove_garbage(const std::string& id) const {
  const auto lock = try_lock(store_, relative_path(id));
  return lock && is_garbage(store_, id) && store_.move_to_trash(relative_path(id));
}

std::map<std::string, std::string> ContainerStore::names() const {
  std::map<std::string, std::string> ids;
  for (const std::string& name : sys::list_directory(store_.fd(), "names"))
    ids[name] = read_name(store_, name).value_or("");
  return ids;
}

void ContainerStore::give_name(const std::string& id, const std::string& name) const {
  require_object_name("container", name);
  if (read_name(store_, name) != id) storage::give_name(store_, name, id);
}

void ContainerStore::take_name(const std::string& id, const std::string& name) const {
  const sys::Lock lock = lock_names(store_);
  if (read_name(store_, name).value_or("") == id) store_.move_to_trash(name_path(name));
}

std::size_t ContainerStore::remove_dangling_names() const {
  const sys::Lock lock = lock_names(store_);
  std::size_t removed = 0;
  for (const std::string& name : sys::list_directory(store_.fd(), "names")) {
    const std::optional<std::string> id = read_name(store_, name);
    if (id && !exists(store_, *id) && sys::unlink_if_exists(store_.fd(), name_path(name))) ++removed;
  }
  return removed;
}

}  // namespace knarr::storage
