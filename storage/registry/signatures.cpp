// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/signatures.h"

namespace knarr::storage {
namespace {

constexpr std::string_view payload_type = "application/vnd.dev.cosign.simplesigning.v1+json";
constexpr const char* signature_annotation = "dev.cosignproject.cosign/signature";
// A payload names one digest and one image.
constexpr std::uint64_t max_payload_bytes = 64u << 10;
// Each is a request and a verification.
constexpr std::size_t max_signatures = 100;

std::optional<Manifest> find_signature_manifest(Registry& registry, const Digest& manifest) {
  try {
    return parse_manifest(registry.get_manifest(concat(manifest.algorithm, '-', manifest.hex, ".sig")).bytes);
  } catch (const NotFound&) {
    return std::nullopt;
  }
}

}  // namespace

std::vector<SigstoreSignature> fetch_sigstore_signatures(Registry& registry, const Digest& manifest) {
  std::vector<SigstoreSignature> signatures;
  const std::optional<Manifest> found = find_signature_manifest(registry, manifest);
  if (!found) return signatures;
  if (found->layers.size() > max_signatures) {
    throw InvalidArgument(concat("image has more than ", max_signatures, " signatures"));
  }
  for (const Descriptor& layer : found->layers) {
    const auto signature = layer.annotations.find(signature_annotation);
    // Attestations are kept in the same way.
    if (layer.media_type != payload_type || signature == layer.annotations.end()) continue;
    if (layer.size > max_payload_bytes) throw InvalidArgument("the payload of a signature is too long");
    signatures.push_back({registry.get_blob(layer.digest, layer.size), signature->second});
  }
  return signatures;
}

}  // namespace knarr::storage
