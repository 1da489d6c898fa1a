// SPDX-License-Identifier: Apache-2.0
// A blob that is made while it is sent, over connections that may break.
#pragma once

#include <cstdint>

#include "storage/digest.h"
#include "storage/registry/registry.h"
#include "storage/store.h"

namespace knarr::storage {

struct UploadedBlob {
  Digest digest;
  std::uint64_t size = 0;
};

// `open` gives the same bytes each time, so nothing is kept of them: after a broken connection they are made
// again and sent from where the registry says that it is, else from the start. For a registry that takes no
// bytes whose number it does not know they are made once, into a file of the store that has no name.
UploadedBlob upload_stream(const Store& store, Registry& registry, const OpenBytes& open,
                           const RetryPolicy& retry);

}  // namespace knarr::storage
