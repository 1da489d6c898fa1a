// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/change_archive.h"

#include <fcntl.h>

#include <deque>
#include <map>
#include <string_view>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/layer/entry_path.h"
#include "storage/layer/tree_archive.h"
#include "storage/layer/tree_files.h"
#include "storage/layer/tree_item.h"

namespace knarr::storage {
namespace {

// One layer's part of the tar. Links are found within a layer: the same inode of another one is another file.
struct Source {
  Source(const TreeLayer& layer, const TreeArchiveOptions& chosen, TarWriter& writer)
      : root(sys::open_directory(AT_FDCWD, layer.path)),
        options(chosen),
        files(root.get()),
        archiver(writer, options) {
    options.map_uid = layer.map_uid;
    options.map_gid = layer.map_gid;
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  sys::UniqueFd root;
  TreeArchiveOptions options;
  TreeFiles files;
  TreeArchiver archiver;
};

TarEntry whiteout_of(std::string_view path) {
  TarEntry entry;
  const std::string_view parent = parent_of(path);
  entry.path = concat(parent, parent.empty() ? "" : "/", whiteout_prefix, leaf_of(path));
  return entry;
}

}  // namespace

std::vector<std::string> archive_changes(const TreeStack& now, const std::vector<TreeChange>& changes,
                                         std::optional<std::int64_t> newest, TarWriter& writer) {
  const TreeArchiveOptions options{.heed_owner_notes = policy_of_this_process().single_id, .newest = newest};
  std::deque<Source> sources;
  for (const TreeLayer& layer : now) sources.emplace_back(layer, options, writer);
  std::vector<std::string> notices;
  for (const TreeChange& change : changes) {
    const std::string path = change.path.substr(1);
    const std::string name(leaf_of(path));
    if (name.starts_with(whiteout_prefix)) {
      notices.push_back(concat(change.path, " was left out: in a layer its name means something else"));
    } else if (change.kind == TreeChange::Kind::deleted) {
      writer.add_file(whiteout_of(path), "");
    } else {
      Source& source = sources[change.layer];
      const int parent = source.files.open_parent(path);
      // It may have gone meanwhile.
      if (parent >= 0 && !is_whiteout(parent, name)) source.archiver.add_alone(parent, name, path);
    }
  }
  writer.finish();
  for (Source& source : sources) {
    for (std::string& line : source.archiver.notices()) notices.push_back(std::move(line));
  }
  return notices;
}

}  // namespace knarr::storage
