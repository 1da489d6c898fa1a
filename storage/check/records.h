// SPDX-License-Identifier: Apache-2.0
// The store's image records and names as a check sees them: also the broken ones.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/image/image.h"
#include "storage/store.h"

namespace knarr::storage {

struct CheckedRecord {
  std::string id;
  std::string path;            // below the store's root
  std::string label;           // for people: its names, or the beginning of its id
  std::optional<Image> image;  // nullopt: `problem` says why
  std::string problem;
};

struct CheckedName {
  std::string path;
  std::string name;
  std::optional<std::string> id;  // nullopt: it is no link to an image
};

// The images that need a layer or a blob.
struct Needers {
  std::vector<std::string> ids, labels;
  void add(const CheckedRecord& record);
};

// Without those of manifest lists.
std::vector<CheckedName> read_names(const Store& store);
std::vector<CheckedRecord> read_records(const Store& store);

// Which of these images has to be fetched again to bring something back: "knarr pull NAME"; for images that
// come from no registry, how else.
std::string fetch_again(const std::vector<std::string>& image_labels);

// What is wrong with a blob; empty when it is there and hashes to its name.
std::string find_blob_problem(const Store& store, const Digest& digest);
std::string blob_path(const Digest& digest);

// Writes the record of an image anew from its blobs, when these are all there; false when they are not.
bool rebuild_record(const Store& store, const std::string& id);

}  // namespace knarr::storage
