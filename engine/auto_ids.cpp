// SPDX-License-Identifier: Apache-2.0
#include "engine/auto_ids.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>

#include "engine/in_r.h"
#include "engine/request/namespaces.h"
#include "engine/rootfs.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/tree_usage.h"

namespace knarr::engine {

namespace {

using rootless::IdExtent;
using rootless::IdMap;
using rootless::SubIdRange;

constexpr std::uint32_t smallest_size = 1024;  // as podman has it

void check_fixed(std::uint32_t size, const IdMap& fixed) {
  for (std::size_t i = 0; i < fixed.size(); ++i) {
    if (fixed[i].inside >= size || fixed[i].count > size - fixed[i].inside)
      throw InvalidArgument(concat("--userns=auto: a mapping leaves the ", size, " ids of the container"));
    const IdMap others(fixed.begin(), fixed.begin() + static_cast<std::ptrdiff_t>(i));
    const auto is_whole = [](const std::vector<SubIdRange>& left, std::uint32_t count) {
      return left.size() == 1 && left[0].count == count;
    };
    if (!is_whole(rootless::ids_not_in({fixed[i].inside, fixed[i].count}, rootless::swap_sides(others)),
                  fixed[i].count) ||
        !is_whole(rootless::ids_not_in({fixed[i].outside, fixed[i].count}, others), fixed[i].count))
      throw InvalidArgument("--userns=auto: two mappings name the same id");
  }
}

// What may be given out, one range for each extent of the outer map.
std::vector<SubIdRange> free_ids(const IdMap& outer, const IdMap& fixed, const IdMap& taken) {
  IdMap used = taken;
  used.insert(used.end(), fixed.begin(), fixed.end());
  used.push_back({0, 0, 1});
  std::vector<SubIdRange> free;
  for (const IdExtent& extent : outer) {
    const auto part = rootless::ids_not_in({extent.inside, extent.count}, used);
    free.insert(free.end(), part.begin(), part.end());
  }
  std::sort(free.begin(), free.end(), [](auto& a, auto& b) { return a.start < b.start; });
  return free;
}

// ---- for one container ----

struct HighestIds {
  std::uint32_t uid = 0, gid = 0;
};

// Who owns files in the image must exist in the container.
HighestIds highest_ids(const Engine& engine, const storage::Image& image) {
  const std::string text = read_in_r(engine, [&] {
    HighestIds highest;
    for (const std::string& tree : image_trees(engine, image.id, image.store)) {
      const sys::UniqueFd directory = sys::open_directory(AT_FDCWD, tree);
      const storage::TreeUsage usage = storage::measure_tree(directory.get());
      highest = {std::max(highest.uid, usage.highest_uid), std::max(highest.gid, usage.highest_gid)};
    }
    return concat(highest.uid, ' ', highest.gid);
  });
  HighestIds highest;
  const char* end = text.data() + text.size();
  const auto [next, error] = std::from_chars(text.data(), end, highest.uid);
  if (error != std::errc{} || next == end || std::from_chars(next + 1, end, highest.gid).ec != std::errc{})
    throw Error("the owners of the image's files could not be found out");
  return highest;
}

std::uint32_t fitting_size(const Engine& engine, const std::optional<storage::Image>& image,
                           const std::string& user) {
  std::uint32_t highest = smallest_size - 1;
  std::string_view rest = user;
  while (!rest.empty()) {  // "user:group", as far as they are numbers
    const std::string_view part = rest.substr(0, rest.find(':'));
    std::uint32_t id = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), id);
    if (error == std::errc{} && end == part.data() + part.size() && id < UINT32_MAX - 1)
      highest = std::max(highest, id);
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  }
  if (image) {
    const HighestIds owners = highest_ids(engine, *image);
    highest = std::max({highest, owners.uid, owners.gid});
  }
  return highest + 1;
}

// Rootful, ids belong to everybody on the machine: only those are given out that are granted for it, as
// podman and cri-o do.
IdMap granted_ids(const char* path) {
  IdMap map;
  const auto file = sys::read_file_if_exists(AT_FDCWD, path);
  for (const SubIdRange& range : rootless::parse_subid(file.value_or(""), "containers", UINT32_MAX))
    map.push_back({range.start, range.start, range.count});
  if (!map.empty()) return map;
  Error error(concat("--userns=auto: ", path, " grants no ids to the user \"containers\""));
  error.set_hint(concat("add a line like containers:2147483647:2147483648 to ", path));
  throw error;
}

rootless::IdMaps ids_to_give_out(const Engine& engine) {
  if (engine.host().rootful) return {granted_ids("/etc/subuid"), granted_ids("/etc/subgid")};
  if (rootless::count_ids(engine.host().r_maps.uids) < 2)
    throw Conflict("--userns=auto: there are no subordinate ids (/etc/subuid) to give out");
  return engine.host().r_maps;
}

rootless::IdMaps taken_ids(const Engine& engine) {
  rootless::IdMaps taken;
  for (const storage::ContainerEntry& container : engine.containers().list()) {
    try {
      const ContainerConfig config = engine.load_config(container.id);
      taken.uids.insert(taken.uids.end(), config.uid_map.begin(), config.uid_map.end());
      taken.gids.insert(taken.gids.end(), config.gid_map.begin(), config.gid_map.end());
    } catch (const Error&) {
      // Removed meanwhile, or it cannot start any more.
    }
  }
  return taken;
}

}  // namespace

IdMap plan_auto_map(std::uint32_t size, const IdMap& fixed, const IdMap& outer, const IdMap& taken) {
  check_fixed(size, fixed);
  std::vector<SubIdRange> free = free_ids(outer, fixed, taken);
  IdMap map = fixed;
  auto next = free.begin();
  for (SubIdRange gap : rootless::ids_not_in({0, size}, rootless::swap_sides(fixed))) {
    while (gap.count > 0) {
      if (next == free.end())
        throw Conflict(concat("--userns=auto: not enough subordinate ids are free for ", size, " ids"));
      const std::uint32_t count = std::min(gap.count, next->count);
      map.push_back({gap.start, next->start, count});
      gap = {gap.start + count, gap.count - count};
      *next = {next->start + count, next->count - count};
      if (next->count == 0) ++next;
    }
  }
  std::sort(map.begin(), map.end(), [](auto& a, auto& b) { return a.inside < b.inside; });
  return map;
}

std::optional<sys::Lock> assign_auto_ids(const Engine& engine, const std::optional<storage::Image>& image,
                                         ContainerConfig& config) {
  const UserNamespaceMode mode = parse_user_namespace_mode(config.namespaces.user);
  if (mode.kind != UserNamespaceMode::Kind::automatic) return std::nullopt;
  const rootless::IdMaps outer = ids_to_give_out(engine);
  const std::uint32_t size = mode.size ? *mode.size : fitting_size(engine, image, config.user);
  sys::Lock lock = sys::Lock::acquire(engine.store().fd(), "containers", sys::Lock::Mode::exclusive);
  const rootless::IdMaps taken = taken_ids(engine);
  config.uid_map = plan_auto_map(size, mode.uid_mapping, outer.uids, taken.uids);
  config.gid_map = plan_auto_map(size, mode.gid_mapping, outer.gids, taken.gids);
  return lock;
}

}  // namespace knarr::engine
