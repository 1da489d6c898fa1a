// SPDX-License-Identifier: Apache-2.0
// A file of a web server on the disk: what `load` and `import` take by its URL.
#pragma once

#include <memory>
#include <string>

#include "engine/engine.h"

namespace knarr::cli {

bool is_url(const std::string& text);

class RemoteFile {
 public:
  // Fetched by knarr-registry, which links what it takes. nullptr: that failed, and it has said why.
  static std::unique_ptr<RemoteFile> fetch(const engine::Engine& engine, const std::string& url);
  explicit RemoteFile(const storage::Store& store);
  RemoteFile(const RemoteFile&) = delete;
  RemoteFile& operator=(const RemoteFile&) = delete;
  ~RemoteFile();  // what cannot be removed is garbage as soon as the lock is gone

  const std::string& path() const { return path_; }

 private:
  storage::Store::Staging staging_;
  std::string directory_, path_;
};

}  // namespace knarr::cli
