// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/archive_insert.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/in_root.h"
#include "storage/content/decompress.h"
#include "storage/layer/confine.h"
#include "storage/layer/entry_path.h"
#include "storage/layer/tar_header.h"
#include "storage/layer/tar_reader.h"
#include "storage/layer/tree_item.h"

namespace knarr::storage {
namespace {

class PlainBytes : public ChunkSource {
 public:
  explicit PlainBytes(ByteSource source) : decompressor_(std::move(source)) {}
  std::string_view next_chunk() override {
    return {buffer_.data(), decompressor_.read(buffer_.data(), buffer_.size())};
  }

 private:
  Decompressor decompressor_;
  std::vector<char> buffer_ = std::vector<char>(256u << 10);
};

class Inserter {
 public:
  Inserter(TarReader& reader, int root_fd, const std::string& directory, const ArchiveInsertOptions& options,
           bool may_make_devices)
      : reader_(reader),
        root_fd_(root_fd),
        top_(directory),
        options_(options),
        policy_{.in_initial_namespace = may_make_devices} {}

  void add(TarEntry& entry) {
    if (options_.map_uid) entry.uid = options_.map_uid(entry.uid);
    if (options_.map_gid) entry.gid = options_.map_gid(entry.gid);
    const std::string path = clean_entry_path(entry.path);
    if (entry.type == TarType::directory) return place_directory(entry, path);
    if (path.empty()) throw InvalidArgument("the top of the archive can only be a directory");
    const sys::UniqueFd parent = make_directories(std::string(parent_of(path)));
    const std::string name(leaf_of(path));
    clear_the_way(parent.get(), name);
    place(entry, parent.get(), name);
  }

  // What was made in a directory has changed its time, and would have inherited its set-group-ID bit.
  void finish() {
    for (const auto& [path, attributes] : directories_) {
      const sys::UniqueFd fd = find(path, O_RDONLY | O_DIRECTORY);
      if (!fd) continue;  // somebody was quicker to remove it
      const std::timespec times[2] = {attributes.mtime, attributes.mtime};
      if (::fchmod(fd.get(), attributes.mode) < 0 || ::futimens(fd.get(), times) < 0)
        throw_errno("setting mode and time of ", quote_name(path));
    }
  }

  std::vector<std::string> notices() const {
    if (left_out_ == 0) return {};
    return {concat(left_out_, left_out_ == 1 ? " device node was" : " device nodes were",
                   " left out, the first is ", quote_name(first_left_out_))};
  }

 private:
  sys::UniqueFd find(const std::string& path, int flags) const {
    return sys::find_in_root(root_fd_, path.empty() ? top_ : concat(top_, "/", path), flags);
  }

  // Missing ones on the way are made, root's as tar(1) run by root would.
  sys::UniqueFd make_directories(const std::string& path) {
    if (sys::UniqueFd found = find(path, O_RDONLY | O_DIRECTORY)) return found;
    if (path.empty()) throw NotFound("the destination directory is gone");
    const sys::UniqueFd parent = make_directories(std::string(parent_of(path)));
    const std::string name(leaf_of(path));
    if (::mkdirat(parent.get(), name.c_str(), 0755) < 0) throw_errno("creating directory ", quote_name(path));
    const Attributes made{.mode = 0755,
                          .uid = options_.map_uid ? options_.map_uid(0) : 0,
                          .gid = options_.map_gid ? options_.map_gid(0) : 0};
    sys::UniqueFd directory = sys::open_at(parent.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    set_directory_attributes(directory.get(), made, policy_);
    return directory;
  }

  void place_directory(TarEntry& entry, const std::string& path) {
    const Attributes attributes = take_attributes(entry);
    sys::UniqueFd directory;
    if (path.empty()) {
      directory = make_directories(path);
    } else {
      const sys::UniqueFd parent = make_directories(std::string(parent_of(path)));
      directory = make_directory(parent.get(), std::string(leaf_of(path)));
    }
    set_directory_attributes(directory.get(), attributes, policy_);
    directories_.emplace_back(path, attributes);
  }

  sys::UniqueFd make_directory(int parent_fd, const std::string& name) const {
    if (::mkdirat(parent_fd, name.c_str(), 0700) < 0) {
      if (errno != EEXIST) throw_errno("creating it");
      const auto existing = sys::stat_at(parent_fd, name, AT_SYMLINK_NOFOLLOW);
      if (existing && !S_ISDIR(existing->st_mode)) {
        if (!options_.replace_other_kinds) throw Conflict("there is something that is no directory");
        sys::remove_tree(parent_fd, name);
        if (::mkdirat(parent_fd, name.c_str(), 0700) < 0) throw_errno("creating it");
      }
    }
    return sys::open_at(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  }

  // Other things give way when the new one is made (tree_item.h).
  void clear_the_way(int parent_fd, const std::string& name) const {
    const auto existing = sys::stat_at(parent_fd, name, AT_SYMLINK_NOFOLLOW);
    if (!existing || !S_ISDIR(existing->st_mode)) return;
    if (!options_.replace_other_kinds) throw Conflict("there is a directory");
    sys::remove_tree(parent_fd, name);
  }

  void place(TarEntry& entry, int parent_fd, const std::string& name) {
    const Attributes attributes = take_attributes(entry);
    switch (entry.type) {
      case TarType::file:
        return write_file(entry, parent_fd, name, attributes);
      case TarType::symlink:
        return make_symlink(spot(parent_fd, name), entry.link, attributes, policy_);
      case TarType::hard_link:
        return place_hard_link(entry, parent_fd, name);
      default:
        return place_node(entry, parent_fd, name, attributes);
    }
  }

  void write_file(const TarEntry& entry, int parent_fd, const std::string& name,
                  const Attributes& attributes) {
    NewFile file(spot(parent_fd, name), attributes.mode);
    if (entry.is_sparse) file.set_extents(entry.extents, entry.size);
    for (std::string_view piece = reader_.read_content(); !piece.empty(); piece = reader_.read_content()) {
      file.write(piece);
    }
    file.finish(attributes, policy_);
  }

  void place_hard_link(const TarEntry& entry, int parent_fd, const std::string& name) {
    const std::string target = clean_entry_path(entry.link);
    const sys::UniqueFd target_parent = find(std::string(parent_of(target)), O_RDONLY | O_DIRECTORY);
    const std::string target_name(leaf_of(target));
    const auto linked = target_parent && !target.empty()
                            ? sys::stat_at(target_parent.get(), target_name, AT_SYMLINK_NOFOLLOW)
                            : std::nullopt;
    if (!linked || S_ISDIR(linked->st_mode))
      throw NotFound(concat("the target of the hard link, ", quote_name(entry.link), ", is not there"));
    const auto present = sys::stat_at(parent_fd, name, AT_SYMLINK_NOFOLLOW);
    if (present && present->st_dev == linked->st_dev && present->st_ino == linked->st_ino) return;
    make_hard_link(target_parent.get(), target_name, spot(parent_fd, name));
  }

  void place_node(const TarEntry& entry, int parent_fd, const std::string& name,
                  const Attributes& attributes) {
    const bool is_fifo = entry.type == TarType::fifo;
    // 0:0 is overlay's whiteout.
    const bool is_mark = entry.device_major == 0 && entry.device_minor == 0;
    if (!is_fifo && (is_mark || !policy_.in_initial_namespace)) {
      if (left_out_++ == 0) first_left_out_ = entry.path;
      return;
    }
    const std::uint32_t type = is_fifo ? S_IFIFO : entry.type == TarType::block_device ? S_IFBLK : S_IFCHR;
    make_node(spot(parent_fd, name), type, is_fifo ? 0 : makedev(entry.device_major, entry.device_minor),
              attributes, policy_);
  }

  // What is in the way of a file goes for good: nobody will want this archive again.
  Spot spot(int parent_fd, const std::string& name) { return {parent_fd, name, top_, displaced_}; }

  TarReader& reader_;
  int root_fd_;
  const std::string& top_;
  const ArchiveInsertOptions& options_;
  // The owner of a file in use is changed or the copy fails: nobody would look at a note (TreePolicy).
  TreePolicy policy_;
  std::vector<std::pair<std::string, Attributes>> directories_;
  Displaced displaced_;
  std::uint64_t left_out_ = 0;
  std::string first_left_out_;
};

// The first entry: whatever is wrong with it, the input is no tar.
bool begin(TarReader& reader, TarEntry& entry) {
  try {
    if (reader.next(entry) || reader.position() > 0) return !entry.path.empty();
  } catch (const InvalidArgument&) {
  }
  throw InvalidArgument("standard input is no tar archive, compressed or not");
}

}  // namespace

std::vector<std::string> insert_archive(ByteSource source, int root_fd, const std::string& directory,
                                        const ArchiveInsertOptions& options) {
  const bool may_make_devices =
      policy_of_this_process().in_initial_namespace;  // asked while there is a /proc
  confine_thread(root_fd);
  PlainBytes bytes(std::move(source));
  TarReader reader(bytes);
  Inserter inserter(reader, root_fd, directory, options, may_make_devices);
  TarEntry entry;
  for (bool more = begin(reader, entry); more; more = reader.next(entry)) {
    with_context(concat("tar entry ", quote_name(entry.path)), [&] { inserter.add(entry); });
  }
  reader.drain();
  inserter.finish();
  return inserter.notices();
}

}  // namespace knarr::storage
