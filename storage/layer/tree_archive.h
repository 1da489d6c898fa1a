// SPDX-License-Identifier: Apache-2.0
// A tree that is in use as a tar.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/layer/tar_writer.h"

namespace knarr::storage {

struct TreeArchiveOptions {
  std::set<std::string> leave_out = {};  // names at the top
  // The id to write for an owner; absent: the same.
  std::function<std::uint32_t(std::uint32_t)> map_uid = {}, map_gid = {};
  // Where one id is mapped only, the owner of an image's file is noted at it (tree_item.h).
  bool heed_owner_notes = false;
  std::optional<std::int64_t> newest;  // seconds: later times become this one
};

class TreeArchiver {
 public:
  TreeArchiver(TarWriter& writer, const TreeArchiveOptions& options) : writer_(writer), options_(options) {}

  // What is in the directory, sorted by names, each below `prefix` ("" or "name/").
  void add_content(int directory_fd, const std::string& prefix);
  // One thing of a directory, whatever it is, as `path`; a directory with all that is in it. Links are never
  // followed. Sockets are left out: a tar has none. A file that shrinks meanwhile is filled up with zeros.
  void add(int directory_fd, const std::string& name, const std::string& path);
  // The same, but a directory without what is in it.
  void add_alone(int directory_fd, const std::string& name, const std::string& path);

  // Lines about what is not in the archive as it was.
  std::vector<std::string> notices() const { return notices_; }

 private:
  enum class Depth { alone, all };
  void add(int directory_fd, const std::string& name, const std::string& path, Depth depth);
  void add_directory(int parent_fd, const std::string& name, TarEntry entry, Depth depth);
  void add_file(int parent_fd, const std::string& name, TarEntry entry);
  void copy_content(int fd, const std::string& path);
  void read_attributes(int fd, TarEntry& entry) const;

  TarWriter& writer_;
  const TreeArchiveOptions& options_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> known_;  // files with several names
  std::vector<std::string> notices_;
  int depth_ = 0;
};

}  // namespace knarr::storage
