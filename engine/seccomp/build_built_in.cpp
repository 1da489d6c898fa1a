// SPDX-License-Identifier: Apache-2.0
// A tool of the build: writes the source of built_in to standard output.
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <exception>

#include "engine/seccomp/compile.h"
#include "engine/seccomp/hash.h"
#include "rootless/capability.h"

namespace {

using namespace knarr;
using namespace knarr::engine::seccomp;

Program compile_default(rootless::CapabilitySet capabilities) {
  return compile(default_profile(), {.capabilities = capabilities, .architecture = native_architecture()});
}

// Each rule depends on one capability at most, or on one of two.
std::uint64_t fingerprint() {
  Hash hash;
  for (int capability = 0; capability < 64; ++capability) {
    const Program program = compile_default(rootless::capability_bit(capability));
    hash.add(program.data(), program.size() * sizeof(sock_filter));
  }
  return hash.value64();
}

void print(const Program& program) {
  std::printf(
      "// Made from engine/seccomp/profile.cpp; not to be edited.\n"
      "#include \"engine/seccomp/built_in.h\"\n\n"
      "namespace knarr::engine::seccomp {\n\n"
      "static constexpr sock_filter instructions[] = {\n");
  for (const sock_filter& instruction : program) {
    std::printf("    {0x%02x, %u, %u, 0x%08" PRIx32 "},\n", unsigned{instruction.code},
                unsigned{instruction.jt}, unsigned{instruction.jf}, instruction.k);
  }
  std::printf("};\n\nconst BuiltIn built_in = {instructions, %zu, 0x%016" PRIx64
              "u};\n\n"
              "}  // namespace knarr::engine::seccomp\n",
              program.size(), fingerprint());
}

}  // namespace

int main() {
  try {
    print(compile_default(rootless::default_capabilities()));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
