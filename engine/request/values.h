// SPDX-License-Identifier: Apache-2.0
// The small grammars flags are made of. All pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"

namespace knarr::engine {

// Throws InvalidArgument: invalid argument "VALUE" for "--FLAG" flag: REASON
[[noreturn]] void fail_flag(std::string_view flag, std::string_view value, std::string_view reason);

std::vector<std::string> split(std::string_view text, char separator);
// The parts before and after the first separator; nullopt without one.
std::optional<std::pair<std::string, std::string>> split_once(std::string_view text, char separator);

std::optional<std::uint64_t> parse_unsigned(std::string_view text, std::uint64_t max = UINT64_MAX);
std::optional<std::int64_t> parse_signed(std::string_view text);
std::optional<std::uint32_t> parse_octal(std::string_view text, std::uint32_t max = 07777);
// "1", "t", "true", "0", "f", "false" in the usual cases.
std::optional<bool> parse_bool(std::string_view text);
// A number of bytes: "64m", "1.5g", "10kb", "4MiB", "512"; units are powers of 1024.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

bool has_control_character(std::string_view text);
// [a-zA-Z0-9][a-zA-Z0-9_.-]*, as containers and volumes are named.
bool is_object_name(std::string_view text);

// Without "//", "." and ".." (which stops at "/"), as a string: no links are followed. "" stays "".
std::string clean_path(std::string_view path);
// A host path: relative ones are taken from the request's current directory.
std::string absolute_host_path(const CreateRequest& request, std::string_view path);

}  // namespace knarr::engine
