// SPDX-License-Identifier: Apache-2.0
// Signatures that a registry keeps beside an image.
#pragma once

#include <vector>

#include "storage/registry/policy.h"
#include "storage/registry/registry.h"

namespace knarr::storage {

// What cosign has put into the same repository, under the tag sha256-HEX.sig or as what refers to the image;
// none is no error. Only its form
// is looked at: whether one is good is for check_policy() to say.
std::vector<SigstoreSignature> fetch_sigstore_signatures(Registry& registry, const Digest& manifest);

}  // namespace knarr::storage
