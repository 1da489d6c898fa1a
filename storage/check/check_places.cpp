// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/error.h"
#include "storage/check/check.h"
#include "storage/volume/volume_store.h"

namespace knarr::storage {
namespace {

void check_directories(const Store& store, std::vector<Finding>& findings) {
  for (const std::string& directory : store.missing_directories()) {
    findings.push_back({.object = concat("directory ", directory),
                        .problem = "it is missing, with all that was in it",
                        .repair =
                            [&store, directory] {
                              store.move_to_trash(directory);  // what is in its place, if anything is
                              sys::make_directories(store.fd(), directory, 0700);
                            },
                        .repaired = "made again, empty"});
  }
}

void check_leftovers(const Store& store, std::vector<Finding>& findings) {
  for (const std::string& path : store.find_garbage(Store::Downloads::old)) {
    const bool in_trash = path.starts_with("trash/");
    findings.push_back(
        {.kind = Finding::Kind::garbage,
         .object = path,
         .problem = in_trash ? "it waits to be deleted" : "a command that was ended has left it",
         .cure = "knarr system prune",
         .repair =
             [&store, path, in_trash] {
               if (!in_trash) store.move_to_trash(path);
             },
         .repaired = "deleted"});
  }
}

}  // namespace

std::vector<Finding> check_places(const Store& store) {
  std::vector<Finding> findings;
  check_directories(store, findings);
  check_leftovers(store, findings);
  return findings;
}

}  // namespace knarr::storage
