// SPDX-License-Identifier: Apache-2.0
// Where the subordinate ids of users are written down: in /etc/subuid and /etc/subgid, or with whoever the
// line `subid:` of nsswitch.conf(5) names (a directory service).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rootless/id_map.h"

namespace knarr::rootless {

// The source that the text of an nsswitch.conf names for subordinate ids; "files" when it names none. As
// libsubid has it only the first source counts.
std::string parse_subid_source(std::string_view nsswitch);

// What getsubids(1) prints, a line for each range: "0: alice 100000 65536".
std::vector<SubIdRange> parse_getsubids(std::string_view text);

struct SubIdRanges {
  std::vector<SubIdRange> uids, gids;
};
// The ranges of a user: from the files, or from getsubids(1) where nsswitch.conf names another source. Empty
// when nothing is granted or the source cannot be asked.
SubIdRanges read_subid_ranges(const std::string& user_name, uid_t uid);

}  // namespace knarr::rootless
