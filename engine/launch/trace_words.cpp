// SPDX-License-Identifier: Apache-2.0
#include "engine/launch/trace_words.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <string_view>
#include <vector>

namespace knarr::engine {

namespace {

using Mark = init::Trace::Mark;

std::string milliseconds(std::int64_t ns, const char* format) {
  char text[32];
  std::snprintf(text, sizeof text, format, static_cast<double>(ns) / 1e6);
  return text;
}

std::string describe(const Mark& mark, const InitPlanWords& words) {
  const auto operation = static_cast<std::size_t>(mark.operation);
  if (mark.operation >= 0 && operation < words.operations.size()) return words.operations[operation];
  return mark.what;
}

// A process that was killed between taking its place and filling it has left a mark without a name.
std::vector<Mark> complete_marks(const init::Trace& trace) {
  std::vector<Mark> marks(trace.marks, trace.marks + std::min(trace.count, init::Trace::capacity));
  std::erase_if(marks, [](const Mark& mark) { return mark.what == nullptr; });
  std::stable_sort(marks.begin(), marks.end(), [](const Mark& a, const Mark& b) { return a.ns < b.ns; });
  return marks;
}

}  // namespace

void tell_trace(const init::Trace& trace, const InitPlanWords& words,
                const std::function<void(const std::string&)>& tell) {
  const std::vector<Mark> marks = complete_marks(trace);
  std::map<std::string_view, std::int64_t> previous;
  for (const Mark& mark : marks) {
    const std::int64_t since_begin = mark.ns - marks.front().ns;
    const auto before = previous.emplace(mark.who, since_begin).first;
    tell(concat(milliseconds(since_begin, "%9.3f ms"),
                milliseconds(since_begin - before->second, "  +%.3f  "), mark.who, ": ",
                describe(mark, words)));
    before->second = since_begin;
  }
  if (trace.count > init::Trace::capacity)
    tell(concat(trace.count - init::Trace::capacity, " more steps had no room in the trace"));
}

}  // namespace knarr::engine
