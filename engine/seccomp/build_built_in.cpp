// SPDX-License-Identifier: Apache-2.0
// A tool of the build: writes the source of built_in to standard output.
#include <cinttypes>
#include <cstdio>
#include <exception>

#include "engine/seccomp/compile.h"
#include "engine/seccomp/hash.h"
#include "rootless/capability.h"

namespace {

using namespace knarr;
using namespace knarr::engine::seccomp;
using rootless::CapabilitySet;

Program compile_default(CapabilitySet capabilities) {
  return compile(default_profile(), {.capabilities = capabilities, .architecture = native_architecture()});
}

CapabilitySet relevant_capabilities() {
  CapabilitySet relevant = 0;
  for (const Rule& rule : default_profile().rules)
    relevant |= rule.includes.capabilities | rule.excludes.capabilities;
  return relevant;
}

// Every rule of the default profile depends on one capability at most.
std::uint64_t fingerprint() {
  Hash hash;
  for (int capability = 0; capability < 64; ++capability) {
    const Program program = compile_default(rootless::capability_bit(capability));
    hash.add(program.data(), program.size() * sizeof(sock_filter));
  }
  return hash.value64();
}

std::size_t print_program(const char* name, CapabilitySet capabilities) {
  const Program program = compile_default(capabilities);
  std::printf("constexpr sock_filter %s[] = {\n", name);
  for (const sock_filter& instruction : program) {
    std::printf("    {0x%02x, %u, %u, 0x%08" PRIx32 "},\n", unsigned{instruction.code},
                unsigned{instruction.jt}, unsigned{instruction.jf}, instruction.k);
  }
  std::printf("};\n\n");
  return program.size();
}

// The default, and that without SYS_CHROOT: what --cap-drop=all leaves.
void print_source() {
  std::printf(
      "// Made from engine/seccomp/profile.cpp; not to be edited.\n"
      "#include \"engine/seccomp/built_in.h\"\n\n"
      "namespace knarr::engine::seccomp {\n\nnamespace {\n\n");
  const CapabilitySet usual = rootless::default_capabilities();
  const std::size_t usual_length = print_program("usual", usual);
  const std::size_t none_length = print_program("none", 0);
  std::printf("constexpr BuiltInFilter filters[] = {{0x%016" PRIx64
              "u, usual, %zu}, {0, none, %zu}};\n\n"
              "}  // namespace\n\n",
              usual, usual_length, none_length);
  std::printf("constexpr BuiltIn built_in = {0x%016" PRIx64 "u, 0x%016" PRIx64
              "u, filters, 2};\n\n"
              "}  // namespace knarr::engine::seccomp\n",
              relevant_capabilities(), fingerprint());
}

}  // namespace

int main() {
  try {
    print_source();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
