// SPDX-License-Identifier: Apache-2.0
#include "engine/seccomp/filter.h"

#include <cstdio>
#include <optional>
#include <vector>

#include "engine/helpers.h"
#include "engine/seccomp/built_in.h"
#include "engine/seccomp/cached_filter.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/process.h"

namespace knarr::engine {

namespace {

using rootless::CapabilitySet;
using Program = std::vector<sock_filter>;

std::string hexadecimal(CapabilitySet set) {
  char text[2 + 16 + 1];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(set));
  return text;
}

// Whatever is there instead of a filter counts as none, and is replaced by one.
std::optional<Program> find_cached(int store_fd, const std::string& key) {
  const std::string path = concat(seccomp::cache_directory, '/', key);
  try {
    const sys::UniqueFd file = sys::find_at(store_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (file.get() < 0) return std::nullopt;
    return seccomp::parse_filter(key, sys::read_all(file.get(), path, seccomp::max_filter_file));
  } catch (const InvalidArgument&) {  // longer than any filter
    return std::nullopt;
  } catch (const SysError& error) {
    if (error.code() == ELOOP) return std::nullopt;  // a link
    throw;
  }
}

// Leaves the filter in the cache. `profile`: a path, or "default".
void compile(const Engine& engine, const std::string& profile, CapabilitySet capabilities) {
  sys::make_directories(engine.store().fd(), seccomp::cache_directory, 0700);
  const sys::CommandResult result =
      sys::run_command({helper_path("knarr-seccomp"), "--capabilities", hexadecimal(capabilities), "--cache",
                        engine.store().path(seccomp::cache_directory), profile},
                       {});
  if (result.status.code != 0) {
    throw InvalidArgument(
        concat("opening seccomp profile failed: ",
               result.errors.empty() ? concat("knarr-seccomp: status ", result.status.code) : result.errors));
  }
}

Program load_cached(const Engine& engine, const Spec& spec, CapabilitySet capabilities) {
  std::optional<std::string> text;
  if (spec.seccomp != "default") {
    text = with_context("opening seccomp profile failed",
                        [&spec] { return sys::read_file(AT_FDCWD, spec.seccomp); });
  }
  const std::string key = seccomp::filter_key(text, capabilities);
  if (auto program = find_cached(engine.store().fd(), key)) return std::move(*program);
  compile(engine, spec.seccomp, capabilities);
  if (auto program = find_cached(engine.store().fd(), key)) return std::move(*program);
  throw Conflict(concat("opening seccomp profile failed: ", spec.seccomp, " changed while it was read"));
}

}  // namespace

SeccompFilter load_filter(const Engine& engine, const Spec& spec, Arena& arena) {
  if (spec.seccomp == "unconfined") return {};
  CapabilitySet capabilities = spec.process.capabilities_root.bounding;
  if (spec.seccomp == "default") {
    capabilities &= seccomp::built_in.relevant;
    if (const seccomp::BuiltInFilter* filter = seccomp::find_built_in(capabilities))
      return {filter->program, static_cast<unsigned short>(filter->length)};
  }
  const init::Span<sock_filter> program = arena.span(load_cached(engine, spec, capabilities));
  return {program.data, static_cast<unsigned short>(program.size)};
}

}  // namespace knarr::engine
