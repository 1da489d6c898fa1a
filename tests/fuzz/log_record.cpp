// SPDX-License-Identifier: Apache-2.0
// Container logs: what a container has written comes back as it was, through either format and however it was
// cut into reads; and a log that somebody damaged is read without harm.
#include "engine/log_record.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/monitor/json_escape.h"
#include "tests/fuzz/check.h"

using namespace knarr::engine;
using knarr::engine::monitor::JsonEscaper;

namespace {

// As the inside of a JSON string; escaped in pieces of at most `piece` bytes.
std::string escape(std::string_view bytes, std::size_t piece) {
  JsonEscaper escaper;
  std::string out;
  const auto append = [&](auto act) {
    char buffer[JsonEscaper::room(64)];
    out.append(buffer, static_cast<std::size_t>(act(buffer) - buffer));
  };
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    append([&](char* buffer) { return escaper.escape(buffer, bytes.substr(0, piece)); });
  }
  append([&](char* buffer) { return escaper.finish(buffer); });
  return out;
}

std::string unescape(const std::string& escaped) {
  std::string scratch;
  const std::string record =
      "{\"log\":\"" + escaped + "\",\"stream\":\"stderr\",\"time\":\"2026-11-23T12:12:10Z\"}";
  const auto entry = parse_log_record(record, scratch);
  FUZZ_CHECK(entry && entry->stream == Stream::error);
  return std::string(entry->text) + (entry->partial ? "" : "\n");
}

void check_json(std::string_view bytes) {
  const std::string escaped = escape(bytes, 64);
  FUZZ_CHECK(escaped == escape(bytes, 1));
  FUZZ_CHECK(escaped.find('\n') == std::string::npos);
  // What is not UTF-8 is replaced once; from then on nothing changes any more.
  const std::string text = unescape(escaped);
  FUZZ_CHECK(unescape(escape(text, 3)) == text);
}

void check_k8s(std::string_view bytes) {
  const std::string line(bytes.substr(0, bytes.find('\n')));
  std::string scratch;
  const std::string record = "2026-11-23T12:12:10Z stdout P " + line;
  const auto entry = parse_log_record(record, scratch);
  FUZZ_CHECK(entry && entry->partial && entry->text == line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string scratch;
  if (const auto entry = parse_log_record(text, scratch)) FUZZ_CHECK(entry->text.size() <= text.size());
  check_json(text);
  check_k8s(text);
  return 0;
}
