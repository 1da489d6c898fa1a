// SPDX-License-Identifier: Apache-2.0
// The store on disk: one directory, plain files, no daemon, no table of locks.
//
//   VERSION                         refuses a newer format by name
//   blobs/sha256/<hex>              manifests and configs, byte for byte
//   layers/<diffid-hex>/            diff/ (the tree), meta.json (LayerMeta), tar.zst (the rest of its tar),
//                                   blobs.json (as what it has been shipped)
//   images/<config-hex>.json        an image record: all that `run` needs, in one file
//   refs/<escaped name>             symlink to ../images/<config-hex>.json
//   lists/<id>/list.json            a manifest list; its name is a link in refs/ too
//   maps/<config-hex>@<hash>/       an image flattened, with the owners another id map needs: clone/ leads to
//                                   the content in layers/, diff/ is a copy
//   containers/<id>/                config.json, summary, status, upper/, work/, ctr.log
//   names/<container name>          symlink to ../containers/<id>
//   volumes/<name>/                 _data/, meta.json
//   additional/<escaped path>/      views of stores that images are only read from (AdditionalStore)
//   staging/<unique>/  trash/<unique>/   garbage unless somebody holds a flock on the directory
//   downloads/<blob-hex>            the beginning of a layer as it is shipped: a pull that was ended goes on
//                                   there; flocked while in use, garbage after a week
//   mnt/                            an empty directory every container mounts its root on, in its own
//   namespace
//
// Files appear by rename or linkat, so readers take no lock and tolerate that a name vanishes under them.
// Lock order: gc, refs and images, layers by ascending digest, container, volume.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rootless/sys/file.h"
#include "rootless/sys/lock.h"
#include "rootless/sys/unique_fd.h"

namespace knarr::storage {

class Store {
 public:
  // Opens the store below `root`, making what is missing. Throws Unsupported for a newer VERSION.
  static Store open(const std::string& root);

  const std::string& root() const { return root_; }
  int fd() const { return root_fd_.get(); }  // the root directory, for paths like "images/..."
  std::string path(const std::string& relative) const { return root_ + "/" + relative; }

  // gc: shared while a command creates references to layers or images, exclusive for the mark phase of a
  // prune.
  sys::Lock lock_gc(sys::Lock::Mode mode) const;

  // A new empty directory staging/<unique>, locked for the caller; garbage as soon as the lock is gone.
  struct Staging {
    std::string path;  // relative to the root: "staging/..."
    sys::Lock lock;
  };
  Staging make_staging(const std::string& purpose) const;

  // Takes `relative` out of the store in one step: rename into trash/ (a link is gone at once). False when it
  // was not there.
  bool move_to_trash(const std::string& relative) const;
  // Deletes what lies in trash/ and what in staging/ nobody holds. Must run where the files' owners are
  // mapped (inside R). Failures are skipped: the next call tries again.
  void empty_trash() const;
  bool has_trash() const;
  // Moves what in staging/ nobody holds to trash/: what a killed command left.
  void sweep_staging() const;

  // Those of the directories above that every store has and this one lacks.
  std::vector<std::string> missing_directories() const;
  // The beginnings of layers are garbage when they are old, or when somebody wants the space more than time.
  enum class Downloads : std::uint8_t { old, all };
  // What in staging/, trash/ and downloads/ nobody holds, by its path below the root.
  std::vector<std::string> find_garbage(Downloads downloads) const;
  // Moves what in staging/ and downloads/ nobody holds to trash/.
  void trash_garbage(Downloads downloads) const;

 private:
  Store(std::string root, sys::UniqueFd root_fd) : root_(std::move(root)), root_fd_(std::move(root_fd)) {}
  std::string root_;
  sys::UniqueFd root_fd_;
};

}  // namespace knarr::storage
