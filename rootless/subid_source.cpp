// SPDX-License-Identifier: Apache-2.0
#include "rootless/subid_source.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "rootless/name_service.h"
#include "rootless/sys/file.h"

namespace knarr::rootless {
namespace {

std::vector<std::string_view> split_words(std::string_view line) {
  constexpr std::string_view blanks = " \t";
  std::vector<std::string_view> words;
  for (;;) {
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    if (line.empty()) return words;
    words.push_back(line.substr(0, line.find_first_of(blanks)));
    line.remove_prefix(words.back().size());
  }
}

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

std::optional<std::uint32_t> parse_number(std::string_view word) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return number;
}

std::vector<SubIdRange> read_from_file(const char* path, const std::string& user_name, uid_t uid) {
  const auto file = sys::read_file_if_exists(AT_FDCWD, path);
  return file ? parse_subid(*file, user_name, uid) : std::vector<SubIdRange>{};
}

}  // namespace

std::string parse_subid_source(std::string_view nsswitch) {
  constexpr std::string_view key = "subid:";
  while (!nsswitch.empty()) {
    std::string_view line = take_line(nsswitch);
    line = line.substr(0, line.find('#'));
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (!line.starts_with(key)) continue;
    const std::vector<std::string_view> words = split_words(line.substr(key.size()));
    return words.empty() ? "files" : std::string(words.front());
  }
  return "files";
}

std::vector<SubIdRange> parse_getsubids(std::string_view text) {
  std::vector<SubIdRange> ranges;
  while (!text.empty()) {
    const std::vector<std::string_view> words = split_words(take_line(text));
    if (words.size() != 4) continue;
    const auto start = parse_number(words[2]), count = parse_number(words[3]);
    if (start && count && *count > 0 && *count <= UINT32_MAX - *start) ranges.push_back({*start, *count});
  }
  return ranges;
}

SubIdRanges read_subid_ranges(const std::string& user_name, uid_t uid) {
  const auto nsswitch = sys::read_file_if_exists(AT_FDCWD, "/etc/nsswitch.conf");
  if (parse_subid_source(nsswitch.value_or("")) == "files")
    return {read_from_file("/etc/subuid", user_name, uid), read_from_file("/etc/subgid", user_name, uid)};
  constexpr const char* program = "/usr/bin/getsubids";  // of the package that newuidmap is of
  return {parse_getsubids(ask_name_service({program, user_name})),
          parse_getsubids(ask_name_service({program, "-g", user_name}))};
}

}  // namespace knarr::rootless
