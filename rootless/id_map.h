// SPDX-License-Identifier: Apache-2.0
// Id maps of user namespaces (user_namespaces(7)), and what /etc/subuid and /etc/subgid grant (subuid(5)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::rootless {

// `count` ids: inside..inside+count-1 in the namespace are outside..outside+count-1 in its parent.
struct IdExtent {
  std::uint32_t inside = 0;
  std::uint32_t outside = 0;
  std::uint32_t count = 0;
  bool operator==(const IdExtent&) const = default;
};
using IdMap = std::vector<IdExtent>;

struct IdMaps {
  IdMap uids;
  IdMap gids;
  bool operator==(const IdMaps&) const = default;
};

struct SubIdRange {
  std::uint32_t start = 0;
  std::uint32_t count = 0;
  bool operator==(const SubIdRange&) const = default;
};

// The ranges of one user, in file order: lines whose first field is the name or the number.
// Malformed lines are skipped as newuidmap does; overflowing ranges too.
std::vector<SubIdRange> parse_subid(std::string_view file, std::string_view user_name, uid_t uid);

// The same with the lines they stand on, for messages.
struct SubIdLine {
  int number = 0;  // from 1
  std::string text;
  SubIdRange range;
};
std::vector<SubIdLine> parse_subid_lines(std::string_view file, std::string_view user_name, uid_t uid);

// What of the range no extent of the map has as an outside id, as disjoint ascending ranges.
std::vector<SubIdRange> ids_not_in(SubIdRange range, const IdMap& map);

// The map of R: 0 is the user, 1.. are the ranges one after another. Without ranges a map of the one id.
// The kernel refuses a map with an outside id in it twice, so what an earlier range or the user's own id
// covers is left out; so is what exceeds the size of a map (340 extents in less than a page of text).
IdMap plan_r_map(std::uint32_t own_id, const std::vector<SubIdRange>& ranges);

// The identity map over all ids that `outer` maps, cut so that each extent lies within one extent of
// `outer`, as the kernel demands of a nested namespace.
IdMap plan_nested_identity(const IdMap& outer);

// --userns=keep-id[:uid=,gid=]: own_id of R (0) appears as `inside_id`; the others close up around it.
IdMap plan_keep_id(const IdMap& outer, std::uint32_t inside_id);

// How many ids are mapped; the ids are not necessarily contiguous.
std::uint64_t count_ids(const IdMap& map);
std::optional<std::uint32_t> map_to_outside(const IdMap& map, std::uint32_t inside);
IdMap swap_sides(const IdMap& map);  // outside → inside
// The form of /proc/PID/uid_map: "0 1000 1\n1 100000 65536\n".
std::string render_id_map(const IdMap& map);
// The reverse; fields may be padded as the kernel does. nullopt for anything else.
std::optional<IdMap> parse_id_map(std::string_view text);

}  // namespace knarr::rootless
