// SPDX-License-Identifier: Apache-2.0
// /etc/subuid, /etc/passwd and uid_map are read as they are found; what is planned from them must be a map
// the kernel takes.
#include "rootless/id_map.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "rootless/user.h"
#include "tests/fuzz/check.h"

using namespace knarr::rootless;

namespace {

bool are_apart(std::uint64_t first, std::uint64_t first_count, std::uint64_t second,
               std::uint64_t second_count) {
  return first + first_count <= second || second + second_count <= first;
}

void check_map(const IdMap& map) {
  FUZZ_CHECK(!map.empty() && map.size() <= 340 && render_id_map(map).size() < 4096);
  for (std::size_t i = 0; i < map.size(); ++i) {
    FUZZ_CHECK(map[i].count > 0);
    FUZZ_CHECK(std::uint64_t{map[i].inside} + map[i].count <= 0xffffffff);
    FUZZ_CHECK(std::uint64_t{map[i].outside} + map[i].count <= 0xffffffff);
    for (std::size_t j = 0; j < i; ++j) {
      FUZZ_CHECK(are_apart(map[i].inside, map[i].count, map[j].inside, map[j].count));
      FUZZ_CHECK(are_apart(map[i].outside, map[i].count, map[j].outside, map[j].count));
    }
  }
  FUZZ_CHECK(parse_id_map(render_id_map(map)) == map);
}

// Each extent of a nested map within one extent of the outer map.
void check_nested(const IdMap& nested, const IdMap& outer) {
  FUZZ_CHECK(count_ids(nested) == count_ids(outer));
  for (const IdExtent& extent : nested) {
    const bool within = std::any_of(outer.begin(), outer.end(), [&](const IdExtent& one) {
      return extent.outside >= one.inside &&
             std::uint64_t{extent.outside} + extent.count <= std::uint64_t{one.inside} + one.count;
    });
    FUZZ_CHECK(within);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::uint32_t kept = 0;
  std::memcpy(&kept, data, std::min(size, sizeof kept));
  kept %= 4'000'000'000;

  const IdMap r = plan_r_map(1000, parse_subid(text, "me", 1000));
  check_map(r);
  check_nested(plan_nested_identity(r), r);
  // A map of all there is has no free number for a gap.
  if (count_ids(r) < 200'000'000) {
    check_nested(plan_keep_id(r, kept), r);
    FUZZ_CHECK(map_to_outside(plan_keep_id(r, kept), kept) == 0u);
  }

  parse_id_map(text);
  parse_passwd(text, 1000);
  return 0;
}
