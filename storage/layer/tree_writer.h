// SPDX-License-Identifier: Apache-2.0
// Turns the entries of a layer tar into a tree (image-spec layer.md), for overlay to use as a lower layer.
//
// Names are taken as they would be inside a container with this tree as its root: a parent that is a link
// made by the same layer is followed, and never leads out. No path is ever given to the kernel; every step is
// one component below an open directory, without following links.
//
// The umask must be 0. The tree must be nobody else's while it is written.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "storage/content/checksum.h"
#include "storage/layer/creator_pool.h"
#include "storage/layer/directories.h"
#include "storage/layer/displaced.h"
#include "storage/layer/tar_reader.h"
#include "storage/layer/tar_split.h"
#include "storage/layer/tree_item.h"

namespace knarr::storage {

// The content of the entry at hand.
class ContentSource {
 public:
  virtual ~ContentSource() = default;
  virtual Piece next_piece() = 0;  // no bytes: the end
};

struct TreeSummary {
  std::uint64_t tree_bytes = 0;
  std::uint64_t entries = 0;
  // What could not be done as the image has it, a line for each kind with the first few names.
  std::vector<std::string> notices;
  DisplacedFiles displaced;  // no part of the tree: the caller takes their directory away
};

class TreeWriter {
 public:
  // root_fd is borrowed: an open directory, empty. creators: threads beside the caller's, may be 0. `split`
  // hears which content has become which file.
  TreeWriter(int root_fd, const TreePolicy& policy, unsigned creators, SplitWriter& split);

  // May leave the entry's strings moved from. Throws an Error that names the entry, or an earlier one that
  // failed meanwhile.
  void add(TarEntry& entry, ContentSource& content);

  // Waits for everything and sets the times of the directories.
  TreeSummary finish();

 private:
  void place(TarEntry& entry, ContentSource& content);
  void place_directory(TarEntry& entry, Directory& parent, std::string_view name);
  void place_file(TarEntry& entry, Directory& parent, TreeJob job, ContentSource& content);
  void place_hard_link(const TarEntry& entry, Directory& parent, TreeJob job, std::string_view path);
  void place_node(const TarEntry& entry, Directory& parent, TreeJob job);
  void place_whiteout(Directory& parent, const std::string& name);
  void update_directory(Directory& directory, TarEntry& entry);
  Checksum write_large_file(const TarEntry& entry, const TreeJob& job, ContentSource& content);
  void note_place(std::string_view path, const Directory& parent, std::string_view target = {},
                  const Directory* target_parent = nullptr);
  void note_content(const TarEntry& entry, std::string path, const Checksum& checksum);

  // The directory of that name as the container would see it. What is missing is made, or nullptr returned.
  enum class Missing { make, tell };
  Directory* resolve(std::string_view path, Missing missing);
  Directory* step(Directory& from, std::string_view name, std::string& rest, int& links, Missing missing);
  Directory& make_directory(Directory& parent, std::string_view name, std::uint32_t mode);
  void clear_the_way(Directory& parent, std::string_view name);
  void settle(Directory& directory, std::string_view name);
  void note(const std::string& what, std::string_view path);
  std::vector<std::string> render_notices() const;
  void finish_directory(Directory& directory);

  struct Notice {
    std::uint64_t count = 0;
    std::string names;  // of the first few
  };

  TreePolicy policy_;
  SplitWriter& split_;
  Directories directories_;
  Displaced displaced_;
  CreatorPool pool_;
  Directory* last_parent_ = nullptr;
  TreeSummary summary_;
  std::map<std::string, Notice> notices_;
};

}  // namespace knarr::storage
