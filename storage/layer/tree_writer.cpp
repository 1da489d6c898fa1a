// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/tree_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/layer/entry_path.h"

namespace knarr::storage {
namespace {

// A file up to this size is handed to a creator whole; larger ones are written as they come in, so that what
// waits stays bounded.
constexpr std::uint64_t max_handed_over = 64u << 10;
constexpr int max_links = 40;         // as path_resolution(7)
constexpr std::size_t max_named = 8;  // names a notice gives

bool is_link_text_too_long(std::string_view text) {
  return text.size() >= 4096;
}

// Takes the first component off; doubled slashes and "." vanish.
std::string_view take_component(std::string_view& path) {
  for (;;) {
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    const std::string_view component = path.substr(0, path.find('/'));
    path.remove_prefix(component.size());
    if (component != ".") return component;
  }
}

std::string path_in(const Directory& parent, std::string_view name) {
  return parent.path.empty() ? std::string(name) : concat(parent.path, '/', name);
}

}  // namespace

TreeWriter::TreeWriter(int root_fd, const TreePolicy& policy, unsigned creators, SplitWriter& split)
    : policy_(policy),
      split_(split),
      directories_(root_fd),
      displaced_(root_fd),
      pool_(creators, policy, displaced_) {}

void TreeWriter::add(TarEntry& entry, ContentSource& content) {
  pool_.throw_failure();
  ++summary_.entries;
  try {
    place(entry, content);
  } catch (Error& error) {
    pool_.throw_failure();  // it came first, and may be the cause
    error.add_context(concat("tar entry ", quote_name(entry.path)));
    throw;
  }
}

void TreeWriter::place(TarEntry& entry, ContentSource& content) {
  const std::string path = clean_entry_path(entry.path);
  if (path.empty()) {
    if (entry.type != TarType::directory)
      throw InvalidArgument("the root of the tree can only be a directory");
    return update_directory(directories_.root(), entry);
  }
  const WhiteoutName whiteout = parse_whiteout(path);
  if (whiteout.kind == Whiteout::reserved) return note("bookkeeping of AUFS was left out", path);
  Directory& parent = *resolve(parent_of(path), Missing::make);
  if (entry.type != TarType::hard_link) note_place(path, parent);
  if (whiteout.kind == Whiteout::name) return place_whiteout(parent, std::string(whiteout.hidden));
  if (whiteout.kind == Whiteout::opaque) {
    // Overlay merges the roots of all layers whatever they say.
    if (parent.parent == nullptr) throw Unsupported("a layer that hides all of the layers below");
    return mark_opaque(directories_.open_for_attributes(parent).get());
  }
  const std::string_view name = leaf_of(path);
  if (entry.type == TarType::directory) return place_directory(entry, parent, name);

  clear_the_way(parent, name);
  TreeJob job;
  job.directory = directories_.open(parent);
  job.parent = &parent;
  job.name = name;
  job.entry = path;
  job.attributes = take_attributes(entry);
  switch (entry.type) {
    case TarType::file:
      return place_file(entry, parent, std::move(job), content);
    case TarType::symlink:
      if (is_link_text_too_long(entry.link)) throw InvalidArgument("the link target is too long");
      job.kind = TreeJob::Kind::symlink;
      job.link = std::move(entry.link);
      return pool_.submit(parent, std::move(job));
    case TarType::hard_link:
      return place_hard_link(entry, parent, std::move(job), path);
    default:
      return place_node(entry, parent, std::move(job));
  }
}

// ---- what is no directory ----

void TreeWriter::place_file(TarEntry& entry, Directory& parent, TreeJob job, ContentSource& content) {
  summary_.tree_bytes += entry.size;
  std::string path = path_in(parent, job.name);
  if (entry.is_sparse || entry.stored_size > max_handed_over) {
    settle(parent, job.name);
    return note_content(entry, std::move(path), write_large_file(entry, job, content));
  }
  job.kind = TreeJob::Kind::file;
  Checksum checksum;
  for (Piece piece = content.next_piece(); !piece.bytes.empty(); piece = content.next_piece()) {
    checksum.update(piece.bytes);
    job.content.push_back(std::move(piece));
  }
  note_content(entry, std::move(path), checksum);
  pool_.submit(parent, std::move(job));
}

Checksum TreeWriter::write_large_file(const TarEntry& entry, const TreeJob& job, ContentSource& content) {
  NewFile file({job.directory->get(), job.name, job.parent->path, displaced_}, job.attributes.mode);
  if (entry.is_sparse) file.set_extents(entry.extents, entry.size);
  Checksum checksum;
  for (Piece piece = content.next_piece(); !piece.bytes.empty(); piece = content.next_piece()) {
    checksum.update(piece.bytes);
    file.write(piece.bytes);
  }
  file.finish(job.attributes, policy_);
  return checksum;
}

void TreeWriter::note_content(const TarEntry& entry, std::string path, const Checksum& checksum) {
  if (entry.stored_size == 0) return;
  SplitContent content{std::move(path), {{0, entry.stored_size}}, checksum.value()};
  if (entry.is_sparse) {
    content.extents = entry.extents;
    std::erase_if(content.extents, [](const TarExtent& extent) { return extent.size == 0; });
  }
  split_.add(content);
}

// Where the entry went is only said when links on the way to it have made that another place.
void TreeWriter::note_place(std::string_view path, const Directory& parent, std::string_view target,
                            const Directory* target_parent) {
  const bool is_moved = parent.path != parent_of(path);
  const bool is_target_moved = target_parent != nullptr && target_parent->path != parent_of(target);
  if (!is_moved && !is_target_moved) return;
  split_.add_place(path_in(parent, leaf_of(path)),
                   target_parent == nullptr ? std::string() : path_in(*target_parent, leaf_of(target)));
}

void TreeWriter::place_hard_link(const TarEntry& entry, Directory& parent, TreeJob job,
                                 std::string_view path) {
  const std::string target = clean_entry_path(entry.link);
  if (target == path) throw InvalidArgument("a hard link to itself");
  Directory* const target_parent = target.empty() ? nullptr : resolve(parent_of(target), Missing::tell);
  if (target_parent == nullptr)
    throw NotFound(concat("its target ", quote_name(entry.link), " is not in this layer"));
  if (target_parent == &parent && leaf_of(target) == job.name) throw InvalidArgument("a hard link to itself");
  note_place(path, parent, target, target_parent);
  if (!pool_.is_same_thread(parent, *target_parent)) settle(*target_parent, leaf_of(target));
  job.kind = TreeJob::Kind::hard_link;
  job.target_directory = directories_.open(*target_parent);
  job.link = leaf_of(target);
  pool_.submit(parent, std::move(job));
}

void TreeWriter::place_node(const TarEntry& entry, Directory& parent, TreeJob job) {
  const bool is_fifo = entry.type == TarType::fifo;
  if (!is_fifo) {
    // 0:0 is overlay's whiteout, which images spell in names.
    const bool is_mark = entry.device_major == 0 && entry.device_minor == 0;
    if (is_mark || !policy_.in_initial_namespace) return note("device nodes were left out", job.entry);
  }
  job.kind = TreeJob::Kind::node;
  job.node_type = is_fifo ? S_IFIFO : entry.type == TarType::block_device ? S_IFBLK : S_IFCHR;
  job.device = is_fifo ? 0 : makedev(entry.device_major, entry.device_minor);
  pool_.submit(parent, std::move(job));
}

// A whiteout hides what the layers below have, not what this one has: a directory of its own stays, but shows
// nothing of the lower one.
void TreeWriter::place_whiteout(Directory& parent, const std::string& name) {
  if (Directory* const own = directories_.find_child(parent, name)) {
    return mark_opaque(directories_.open_for_attributes(*own).get());
  }
  TreeJob job;
  job.kind = TreeJob::Kind::whiteout;
  job.directory = directories_.open(parent);
  job.parent = &parent;
  job.name = name;
  job.entry = name;
  pool_.submit(parent, std::move(job));
}

// A later entry replaces an earlier one of its name, as unpacking one after the other would: also a directory
// with all that is in it.
void TreeWriter::clear_the_way(Directory& parent, std::string_view name) {
  Directory* const directory = directories_.find_child(parent, name);
  if (directory == nullptr) return;
  pool_.drain();
  directories_.forget(*directory);
  last_parent_ = nullptr;
  displaced_.clear(directories_.open(parent)->get(), std::string(name), parent.path);
}

void TreeWriter::settle(Directory& directory, std::string_view name) {
  if (pool_.is_pending(directory, name)) pool_.drain();
}

// ---- directories ----

void TreeWriter::place_directory(TarEntry& entry, Directory& parent, std::string_view name) {
  Directory* directory = directories_.find_child(parent, name);
  if (directory != nullptr) return update_directory(*directory, entry);
  directory = &make_directory(parent, name, entry.mode);
  const bool is_plain = entry.uid == 0 && entry.gid == 0 && entry.xattrs.empty();
  if (!is_plain) return update_directory(*directory, entry);
  directory->is_explicit = true;
  directory->mode = entry.mode;
  directory->mtime = entry.mtime;
}

void TreeWriter::update_directory(Directory& directory, TarEntry& entry) {
  const Attributes attributes = take_attributes(entry);
  set_directory_attributes(directories_.open_for_attributes(directory).get(), attributes, policy_);
  directory.is_explicit = true;
  directory.mode = attributes.mode;
  directory.mtime = attributes.mtime;
}

Directory& TreeWriter::make_directory(Directory& parent, std::string_view name, std::uint32_t mode) {
  settle(parent, name);
  const std::string leaf(name);
  const int dir_fd = directories_.open(parent)->get();
  bool is_opaque = false;
  if (::mkdirat(dir_fd, leaf.c_str(), mode & 01777) < 0) {
    if (errno != EEXIST) throw_errno("creating directory ", leaf);
    is_opaque = is_whiteout(dir_fd, leaf);
    displaced_.clear(dir_fd, leaf, parent.path);
    if (::mkdirat(dir_fd, leaf.c_str(), mode & 01777) < 0) throw_errno("creating directory ", leaf);
  }
  Directory& directory = directories_.add(parent, name);
  if (is_opaque) mark_opaque(directories_.open_for_attributes(directory).get());
  return directory;
}

Directory* TreeWriter::resolve(std::string_view path, Missing missing) {
  if (last_parent_ != nullptr && last_parent_->path == path) return last_parent_;
  Directory* directory = directories_.find(path);
  if (directory == nullptr) {
    directory = &directories_.root();
    std::string rest(path);
    int links = 0;
    for (;;) {
      std::string_view left = rest;
      const std::string name(take_component(left));
      if (name.empty()) break;
      rest = std::string(left);
      directory = step(*directory, name, rest, links, missing);
      if (directory == nullptr) return nullptr;
    }
  }
  if (missing == Missing::make) last_parent_ = directory;
  return directory;
}

// One component further. A link is replaced by its text in front of the `rest` of the way.
Directory* TreeWriter::step(Directory& from, std::string_view name, std::string& rest, int& links,
                            Missing missing) {
  if (name == "..") return from.parent != nullptr ? from.parent : &from;
  if (Directory* const known = directories_.find_child(from, name)) return known;
  settle(from, name);
  const int dir_fd = directories_.open(from)->get();
  const std::string leaf(name);
  if (const auto text = sys::read_link(dir_fd, leaf)) {
    if (++links > max_links) throw InvalidArgument("too many links on the way to it");
    rest = concat(*text, '/', rest);
    return text->starts_with('/') ? &directories_.root() : &from;
  }
  const auto there = sys::stat_at(dir_fd, leaf, AT_SYMLINK_NOFOLLOW);
  if (missing == Missing::tell) return nullptr;
  if (there && !is_whiteout(dir_fd, leaf)) {
    throw InvalidArgument(concat(quote_name(leaf), " on the way to it is not a directory"));
  }
  note("directories without an entry of their own were made as root's, mode 0755",
       from.path.empty() ? leaf : concat(from.path, '/', leaf));
  return &make_directory(from, name, 0755);
}

// ---- the end ----

void TreeWriter::note(const std::string& what, std::string_view path) {
  Notice& notice = notices_[what];
  if (++notice.count > max_named) return;
  notice.names += concat(notice.names.empty() ? "" : ", ", path);
}

std::vector<std::string> TreeWriter::render_notices() const {
  std::vector<std::string> lines;
  for (const auto& [what, notice] : notices_) {
    std::string line = concat(what, ": ", notice.names);
    if (notice.count > max_named) line += concat(" and ", notice.count - max_named, " more");
    lines.push_back(std::move(line));
  }
  return lines;
}

TreeSummary TreeWriter::finish() {
  pool_.drain();
  pool_.throw_failure();
  for (Directory& directory : directories_.in_order_of_creation()) {
    if (directory.is_removed || !directory.is_explicit) continue;
    with_context(concat("tar entry ", quote_name(directory.path)), [&] { finish_directory(directory); });
  }
  summary_.notices = render_notices();
  summary_.displaced = displaced_.take();
  return std::move(summary_);
}

void TreeWriter::finish_directory(Directory& directory) {
  const std::timespec times[2] = {directory.mtime, directory.mtime};
  if ((directory.mode & 06000) != 0 || directory.parent == nullptr) {
    const sys::UniqueFd fd = directories_.open_for_attributes(directory);
    if (::fchmod(fd.get(), directory.mode) < 0) throw_errno("setting its mode");
    if (::futimens(fd.get(), times) < 0) throw_errno("setting its time");
    return;
  }
  const DirectoryHandle parent = directories_.open(*directory.parent);
  const std::string name(leaf_of(directory.path));
  if (::utimensat(parent->get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) < 0)
    throw_errno("setting its time");
}

}  // namespace knarr::storage
