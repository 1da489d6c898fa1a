// SPDX-License-Identifier: Apache-2.0
#include "rootless/id_map.h"

#include <algorithm>
#include <charconv>

#include "rootless/sys/error.h"

namespace knarr::rootless {
namespace {

// One past the last usable id: (uid_t)-1 means "no change" to the kernel and maps to nothing.
constexpr std::uint64_t id_end = 0xffffffff;
// The kernel takes a map in one write of less than a page, and no more extents than this.
constexpr std::size_t max_map_bytes = 4095;
constexpr std::size_t max_extents = 340;

// Takes the text up to the next separator off `rest`.
std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view taken = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
  return taken;
}

// An unsigned number as newuidmap reads it: by strtoul(3) with base 0, so 0x10 and 010 count too.
std::optional<std::uint32_t> parse_id(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text[0] == '0') {
    base = 8;
  }
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return id;
}

std::optional<SubIdRange> parse_range(std::string_view start, std::string_view count) {
  const std::optional<std::uint32_t> first = parse_id(start);
  const std::optional<std::uint32_t> length = parse_id(count);
  if (!first || !length || *length == 0) return std::nullopt;
  if (std::uint64_t{*first} + *length > id_end) return std::nullopt;
  return SubIdRange{*first, *length};
}

std::string render_extent(const IdExtent& extent) {
  return concat(extent.inside, ' ', extent.outside, ' ', extent.count, '\n');
}

IdMap sorted_by_inside(IdMap map) {
  std::sort(map.begin(), map.end(), [](auto& a, auto& b) { return a.inside < b.inside; });
  return map;
}

}  // namespace

std::vector<SubIdLine> parse_subid_lines(std::string_view file, std::string_view user_name, uid_t uid) {
  const std::string number = std::to_string(uid);
  std::vector<SubIdLine> lines;
  for (int line_number = 1; !file.empty(); ++line_number) {
    const std::string_view line = take_until(file, '\n');
    std::string_view rest = line;
    const std::string_view owner = take_until(rest, ':');
    if (owner.empty() || (owner != user_name && owner != number)) continue;
    const std::string_view start = take_until(rest, ':');
    // A fourth field would be part of `rest` and so no number.
    if (const auto range = parse_range(start, rest))
      lines.push_back({line_number, std::string(line), *range});
  }
  return lines;
}

std::vector<SubIdRange> parse_subid(std::string_view file, std::string_view user_name, uid_t uid) {
  std::vector<SubIdRange> ranges;
  for (const SubIdLine& line : parse_subid_lines(file, user_name, uid)) ranges.push_back(line.range);
  return ranges;
}

std::vector<SubIdRange> ids_not_in(SubIdRange range, const IdMap& map) {
  std::vector<SubIdRange> used;
  for (const IdExtent& extent : map) used.push_back({extent.outside, extent.count});
  std::sort(used.begin(), used.end(), [](auto& a, auto& b) { return a.start < b.start; });

  std::vector<SubIdRange> free;
  std::uint64_t at = range.start;
  const std::uint64_t end = std::uint64_t{range.start} + range.count;
  for (const SubIdRange& taken : used) {
    const std::uint64_t taken_end = std::uint64_t{taken.start} + taken.count;
    if (taken_end <= at || taken.start >= end) continue;
    if (taken.start > at)
      free.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(taken.start - at)});
    at = taken_end;
  }
  if (at < end) free.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end - at)});
  return free;
}

IdMap plan_r_map(std::uint32_t own_id, const std::vector<SubIdRange>& ranges) {
  IdMap map{{0, own_id, 1}};
  std::size_t bytes = render_id_map(map).size();
  std::uint64_t next = 1;
  for (const SubIdRange& range : ranges) {
    for (const SubIdRange& part : ids_not_in(range, map)) {
      const std::uint64_t count = std::min<std::uint64_t>(part.count, id_end - next);
      const IdExtent extent{static_cast<std::uint32_t>(next), part.start, static_cast<std::uint32_t>(count)};
      bytes += render_extent(extent).size();
      if (count == 0 || bytes > max_map_bytes || map.size() == max_extents) return map;
      map.push_back(extent);
      next += count;
    }
  }
  return map;
}

IdMap plan_nested_identity(const IdMap& outer) {
  IdMap nested;
  for (const IdExtent& extent : outer) nested.push_back({extent.inside, extent.inside, extent.count});
  return nested;
}

IdMap plan_keep_id(const IdMap& outer, std::uint32_t inside_id) {
  IdMap nested;
  std::uint64_t next = 0;
  for (IdExtent extent : sorted_by_inside(outer)) {
    if (extent.inside == 0) {
      nested.push_back({inside_id, 0, 1});
      extent = {1, extent.outside + 1, extent.count - 1};
    }
    while (extent.count > 0) {
      if (next == inside_id) ++next;
      const std::uint64_t room = next < inside_id ? inside_id - next : id_end - next;
      const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(room, extent.count));
      if (count == 0) break;
      nested.push_back({static_cast<std::uint32_t>(next), extent.inside, count});
      next += count;
      extent = {extent.inside + count, extent.outside + count, extent.count - count};
    }
  }
  return sorted_by_inside(std::move(nested));
}

std::uint64_t count_ids(const IdMap& map) {
  std::uint64_t count = 0;
  for (const IdExtent& extent : map) count += extent.count;
  return count;
}

std::optional<std::uint32_t> map_to_outside(const IdMap& map, std::uint32_t inside) {
  for (const IdExtent& extent : map) {
    if (inside >= extent.inside && inside - extent.inside < extent.count) {
      return extent.outside + (inside - extent.inside);
    }
  }
  return std::nullopt;
}

IdMap swap_sides(const IdMap& map) {
  IdMap swapped;
  for (const IdExtent& extent : map) swapped.push_back({extent.outside, extent.inside, extent.count});
  return swapped;
}

std::string render_id_map(const IdMap& map) {
  std::string text;
  for (const IdExtent& extent : map) text += render_extent(extent);
  return text;
}

std::optional<IdMap> parse_id_map(std::string_view text) {
  IdMap map;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    std::uint32_t numbers[3];
    for (std::uint32_t& number : numbers) {
      line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
      const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
      if (error != std::errc{}) return std::nullopt;
      line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    }
    if (line.find_first_not_of(' ') != std::string_view::npos) return std::nullopt;
    map.push_back({numbers[0], numbers[1], numbers[2]});
  }
  return map;
}

}  // namespace knarr::rootless
