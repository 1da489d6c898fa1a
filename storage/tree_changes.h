// SPDX-License-Identifier: Apache-2.0
// What differs between two trees that are each a stack of layers, as overlay would show them. Layers that
// both stacks end with are only looked at where the ones above differ, so that the changes of a container
// cost no more than what it has written, however large its image is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace knarr::storage {

// One directory of a stack, and how to read it.
struct TreeLayer {
  std::string path;  // absolute
  // The owner in the tree of what this id owns on disk; absent: the same.
  std::function<std::uint32_t(std::uint32_t)> map_uid = {}, map_gid = {};
  // Files named ".wh.NAME" are whiteouts: fuse-overlayfs makes them where it may make no device.
  bool has_named_whiteouts = false;
};
using TreeStack = std::vector<TreeLayer>;  // topmost first

struct TreeChange {
  enum class Kind { added, changed, deleted };
  Kind kind = Kind::added;
  std::string path;       // "/etc/passwd"
  std::size_t layer = 0;  // of the first stack, the one that has it; not of what was deleted
  bool is_directory = false;
  bool operator==(const TreeChange&) const = default;
};

constexpr char letter_of(TreeChange::Kind kind) {
  return kind == TreeChange::Kind::added ? 'A' : kind == TreeChange::Kind::changed ? 'C' : 'D';
}

// Sorted: a directory comes before what is in it. A directory is changed when it has other attributes, or
// something in it is not as it was; what is in one that was deleted is not listed. `leave_out`: paths, with
// all that is below them.
//
// What a layer has over the very stack it was made for was written for a reason, so it counts as changed
// unseen. Only where the stacks end differently, files are compared: attributes and, where these are equal,
// contents. Layers may change meanwhile; nothing outside of them is reached by that. Run inside R. Throws
// SysError.
std::vector<TreeChange> find_changes(const TreeStack& now, const TreeStack& before,
                                     const std::set<std::string>& leave_out = {});

}  // namespace knarr::storage
