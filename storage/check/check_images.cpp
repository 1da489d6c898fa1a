// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "rootless/sys/error.h"
#include "storage/check/check.h"
#include "storage/check/records.h"
#include "storage/image/image_store.h"

namespace knarr::storage {
namespace {

void check_unfinished(const Store& store, std::vector<Finding>& findings) {
  for (const char* directory : {"images", "refs"}) {
    for (const std::string& file : sys::list_directory(store.fd(), directory)) {
      if (!file.starts_with('.')) continue;
      const std::string path = concat(directory, '/', file);
      findings.push_back({.kind = Finding::Kind::garbage,
                          .object = path,
                          .problem = "a command that was ended has left it",
                          .repair = [&store, path] { store.move_to_trash(path); },
                          .repaired = "removed"});
    }
  }
}

void check_names(const Store& store, const std::vector<CheckedRecord>& records,
                 std::vector<Finding>& findings) {
  for (const CheckedName& name : read_names(store)) {
    const bool leads_somewhere =
        name.id && std::any_of(records.begin(), records.end(),
                               [&](const CheckedRecord& record) { return record.id == *name.id; });
    if (leads_somewhere) continue;
    findings.push_back(
        {.object = concat("image name ", name.name),
         .problem = name.id ? concat("its image ", *name.id, " is gone") : "it is no link to an image",
         .cure = fetch_again({name.name}),
         .repair = [&store, path = name.path] { store.move_to_trash(path); },
         .repaired = "the name is removed"});
  }
}

void repair_record(const Store& store, const CheckedRecord& record) {
  if (rebuild_record(store, record.id)) return;
  store.move_to_trash(record.path);
  for (const CheckedName& name : read_names(store)) {
    if (name.id == record.id) store.move_to_trash(name.path);
  }
}

void check_records(const Store& store, const std::vector<CheckedRecord>& records,
                   std::vector<Finding>& findings) {
  for (const CheckedRecord& record : records) {
    if (record.image) continue;
    findings.push_back({.object = concat("image ", record.label),
                        .problem = record.problem,
                        .cure = concat("if it is not listed any more: ", fetch_again({record.label})),
                        .repair = [&store, record] { repair_record(store, record); },
                        .repaired = "its record is made again from its config, or removed"});
  }
}

using Users = std::map<Digest, Needers>;

Users blob_users(const std::vector<CheckedRecord>& records) {
  Users users;
  for (const CheckedRecord& record : records) {
    if (!record.image) continue;
    users[record.image->manifest].add(record);
    users[{record.id.size() == 128 ? "sha512" : "sha256", record.id}].add(record);
  }
  return users;
}

void check_needed_blobs(const Store& store, const Users& users, std::vector<Finding>& findings) {
  for (const auto& [digest, needers] : users) {
    const std::string problem = find_blob_problem(store, digest);
    if (problem.empty()) continue;
    const std::string path = blob_path(digest);
    Finding finding{.object = concat("blob ", render(digest)),
                    .problem = problem,
                    .cure = fetch_again(needers.labels),
                    .path = path,
                    .image_ids = needers.ids};
    if (sys::stat_at(store.fd(), path, AT_SYMLINK_NOFOLLOW)) {
      finding.repair = [&store, path] { store.move_to_trash(path); };
      finding.repaired = "moved to trash/";
    }
    findings.push_back(std::move(finding));
  }
}

void check_unreferenced_blobs(const Store& store, std::vector<Finding>& findings) {
  for (const std::string& path : ImageStore(store).find_unreferenced()) {
    if (!path.starts_with("blobs/")) continue;
    findings.push_back({.kind = Finding::Kind::garbage,
                        .object = path,
                        .problem = "no image needs it",
                        .repair = [&store, path] { store.move_to_trash(path); },
                        .repaired = "moved to trash/"});
  }
}

}  // namespace

std::vector<Finding> check_images(const Store& store) {
  std::vector<Finding> findings;
  const std::vector<CheckedRecord> records = read_records(store);
  check_unfinished(store, findings);
  check_names(store, records, findings);
  check_records(store, records, findings);
  check_needed_blobs(store, blob_users(records), findings);
  check_unreferenced_blobs(store, findings);
  return findings;
}

}  // namespace knarr::storage
