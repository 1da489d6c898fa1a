// SPDX-License-Identifier: Apache-2.0
// A tool of the build: writes the manual pages into a directory.
#include "cli/manual.h"
#include "cli/program_table.h"
#include "rootless/sys/file.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const knarr::sys::UniqueFd directory = knarr::sys::open_directory(AT_FDCWD, argv[1]);
  for (const knarr::cli::ManualPage& page :
       knarr::cli::render_manual(knarr::cli::knarr_program, KNARR_VERSION)) {
    knarr::sys::replace_file(directory.get(), page.name + ".1", page.text, 0644,
                             knarr::sys::Durability::none);
  }
  return 0;
}
