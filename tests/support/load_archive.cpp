// SPDX-License-Identifier: Apache-2.0
// load_archive STORE ARCHIVE: loads an image archive the way `knarr load` does, without the rest of the
// program. For measuring and for trying archives of other programs. Rootless: run it inside `unshare -r` or
// R.
#include <cstdio>

#include "rootless/sys/error.h"
#include "storage/archive.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: load_archive STORE ARCHIVE\n");
    return 2;
  }
  try {
    const knarr::storage::Store store = knarr::storage::Store::open(argv[1]);
    for (const knarr::storage::LoadedImage& loaded : knarr::storage::load_archive(store, argv[2])) {
      std::printf("%s", loaded.image.id.c_str());
      for (const std::string& name : loaded.names) std::printf(" %s", name.c_str());
      std::printf("\n");
    }
  } catch (const knarr::Error& error) {
    std::fprintf(stderr, "Error: %s\n", error.what());
    return 1;
  }
  return 0;
}
