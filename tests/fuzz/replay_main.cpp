// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over committed inputs where there is no libFuzzer: each argument is a file or a
// directory of files. The empty input is always tried. A crash names the input it came from.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

char current_input[4096] = "the empty input";

// Only write(2) and the default action: the process is in an unknown state.
void name_input(int signal) {
  const auto say = [](const char* text) {
    if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) return;
  };
  say("crashed by ");
  say(current_input);
  say("\n");
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void replay(const std::string& path) {
  std::snprintf(current_input, sizeof current_input, "%s", path.c_str());
  const std::string input = knarr::sys::read_file(AT_FDCWD, path);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

int replay_all(const std::string& path) {
  const auto info = knarr::sys::stat_at(AT_FDCWD, path);
  if (!info || !S_ISDIR(info->st_mode)) {
    replay(path);
    return 1;
  }
  int count = 0;
  for (const std::string& name : knarr::sys::list_directory(AT_FDCWD, path)) {
    replay(knarr::concat(path, '/', name));
    ++count;
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) ::signal(signal, name_input);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(""), 0);
  int count = 0;
  for (int i = 1; i < argc; ++i) count += replay_all(argv[i]);
  std::printf("replayed %d inputs\n", count);
  // A target without its corpus tests nothing and must not look as if it did.
  return count > 0 ? 0 : 1;
}
