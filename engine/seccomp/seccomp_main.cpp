// SPDX-License-Identifier: Apache-2.0
// knarr-seccomp: compiles a seccomp profile for a container. A program of its own, because knarr itself shall
// not carry libseccomp and a JSON parser into every command.
#include <getopt.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <optional>
#include <string>

#include "engine/seccomp/cached_filter.h"
#include "engine/seccomp/compile.h"
#include "engine/seccomp/profile_json.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace {

using namespace knarr;
using namespace knarr::engine::seccomp;

constexpr const char* usage =
    "usage: knarr-seccomp [--capabilities SET] [--cache DIRECTORY] default|FILE\n"
    "\n"
    "Compiles the default seccomp profile or that in FILE (OCI runtime spec, Docker, podman).\n"
    "  --capabilities SET  the container's bounding set as a hexadecimal number (default: knarr's default)\n"
    "  --cache DIRECTORY   write a file that knarr finds there; else the bare instructions to standard "
    "output\n";

struct Options {
  rootless::CapabilitySet capabilities = rootless::default_capabilities();
  std::optional<std::string> cache;
  std::string profile;
};

rootless::CapabilitySet parse_set(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with("0x")) digits.remove_prefix(2);
  rootless::CapabilitySet set = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), set, 16);
  if (code != std::errc() || end != digits.data() + digits.size())
    throw InvalidArgument(concat("--capabilities ", text, ": expected a hexadecimal number"));
  return set;
}

std::optional<Options> parse_options(int argc, char** argv) {
  static const option known[] = {{"capabilities", required_argument, nullptr, 'c'},
                                 {"cache", required_argument, nullptr, 'd'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {}};
  Options options;
  for (int name; (name = ::getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    if (name == 'c') {
      options.capabilities = parse_set(optarg);
    } else if (name == 'd') {
      options.cache = optarg;
    } else {
      return std::nullopt;
    }
  }
  if (optind + 1 != argc) return std::nullopt;
  options.profile = argv[optind];
  return options;
}

Target this_machine(rootless::CapabilitySet capabilities) {
  utsname machine{};
  ::uname(&machine);
  return {.capabilities = capabilities,
          .architecture = native_architecture(),
          .kernel = parse_kernel_version(machine.release).value_or(KernelVersion{})};
}

// The name and the content come from the same bytes: a profile that changes meanwhile gets no wrong name.
void run(const Options& options) {
  std::optional<std::string> text;
  if (options.profile != "default") text = sys::read_file(AT_FDCWD, options.profile);
  const Program program = with_context(options.profile, [&] {
    return compile(text ? parse_profile(*text) : default_profile(), this_machine(options.capabilities));
  });
  if (options.cache) {
    const std::string key = filter_key(text, options.capabilities);
    const sys::UniqueFd directory = sys::open_directory(AT_FDCWD, *options.cache);
    sys::replace_file(directory.get(), key, render_filter(key, program), 0600, sys::Durability::none);
  } else {
    const std::string_view bytes(reinterpret_cast<const char*>(program.data()),
                                 program.size() * sizeof(sock_filter));
    sys::write_all(STDOUT_FILENO, bytes, "standard output");
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto options = parse_options(argc, argv);
    if (!options) {
      std::fputs(usage, stderr);
      return 2;
    }
    run(*options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
