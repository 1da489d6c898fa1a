// SPDX-License-Identifier: Apache-2.0
#include "engine/seccomp/filter.h"

#include "engine/seccomp/built_in.h"

namespace knarr::engine {

namespace {

SeccompFilter built_in_filter() {
  return {seccomp::built_in.program, static_cast<unsigned short>(seccomp::built_in.length)};
}

}  // namespace

SeccompFilter load_filter(const Engine&, const Spec& spec, Arena&) {
  if (spec.seccomp == "unconfined") return {};
  return built_in_filter();
}

}  // namespace knarr::engine
