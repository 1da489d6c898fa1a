// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/error.h"
#include "storage/check/check.h"
#include "storage/image/manifest_list.h"
#include "storage/image/ref_links.h"

namespace knarr::storage {
namespace {

constexpr const char* cure = "make the list again: knarr manifest create";

void remove_list(const Store& store, const std::string& id) {
  for (const std::string& file : sys::list_directory(store.fd(), "refs")) {
    if (read_list_ref(store, "refs/" + file) == id) store.move_to_trash("refs/" + file);
  }
  store.move_to_trash("lists/" + id);
}

void check_records(const Store& store, std::vector<Finding>& findings) {
  const ManifestListStore lists(store);
  for (const std::string& id : sys::list_directory(store.fd(), "lists")) {
    std::string problem;
    try {
      if (!lists.find_list(id)) problem = "its record is missing";
    } catch (const Error& error) {
      problem = error.message();
    }
    if (problem.empty()) continue;
    findings.push_back({.object = concat("manifest list ", id),
                        .problem = problem,
                        .cure = cure,
                        .repair = [&store, id] { remove_list(store, id); },
                        .repaired = "moved to trash/, and its names removed"});
  }
}

void check_names(const Store& store, std::vector<Finding>& findings) {
  for (const std::string& file : sys::list_directory(store.fd(), "refs")) {
    const std::string path = "refs/" + file;
    const auto id = read_list_ref(store, path);
    if (!id || file.starts_with('.') || sys::stat_at(store.fd(), "lists/" + *id)) continue;
    findings.push_back({.object = concat("list name ", unescape_name(file)),
                        .problem = concat("its manifest list ", *id, " is gone"),
                        .cure = cure,
                        .repair = [&store, path] { store.move_to_trash(path); },
                        .repaired = "the name is removed"});
  }
}

}  // namespace

std::vector<Finding> check_lists(const Store& store) {
  std::vector<Finding> findings;
  check_records(store, findings);
  check_names(store, findings);
  return findings;
}

}  // namespace knarr::storage
