// SPDX-License-Identifier: Apache-2.0
// Does an overlay work here? Asked of the kernel by mounting one, never by its version.
#pragma once

#include <string>

#include "storage/store.h"

namespace knarr::storage {

struct KernelProbe {
  std::string failure;        // in words; empty: it works
  bool append_layers = true;  // see OverlayFacts
  bool data_layers = false;   // see OverlayFacts
};

// Mounts the kernel's overlay with userxattr on directories below staging/, in a child with namespaces of its
// own, and uses it: whiteouts and opaque directories of layers, copy-up, removal; files that a
// metadata-only layer leads to in a data-only one.
KernelProbe probe_kernel_overlay(const Store& store);

struct FuseProbe {
  std::string failure;  // in words; empty: it works
  std::string program;  // absolute path
};

// The same with fuse-overlayfs from one of the system's directories, not from PATH.
FuseProbe probe_fuse_overlay(const Store& store);

}  // namespace knarr::storage
