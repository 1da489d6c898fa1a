// SPDX-License-Identifier: Apache-2.0
// The two formats of a container's log, one record a line.
//
//   k8s-file   2026-11-23T12:12:10.500000000Z stdout F text      (P instead of F: the line goes on)
//   json-file  {"log":"text\n","stream":"stdout","time":"2026-11-23T12:12:10.5Z"}   (no \n: it goes on)
#pragma once

#include <cstdint>
#include <string_view>

namespace knarr::engine {

enum class Stream : std::uint8_t { output, error };

constexpr std::string_view stream_name(Stream stream) {
  return stream == Stream::output ? "stdout" : "stderr";
}

}  // namespace knarr::engine
