// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/signatures.h"

namespace knarr::storage {
namespace {

constexpr std::string_view payload_type = "application/vnd.dev.cosign.simplesigning.v1+json";
constexpr std::string_view signature_type = "application/vnd.dev.cosign.artifact.sig.v1+json";
constexpr const char* signature_annotation = "dev.cosignproject.cosign/signature";
// A payload names one digest and one image.
constexpr std::uint64_t max_payload_bytes = 64u << 10;
// Each is a request and a verification.
constexpr std::size_t max_signatures = 100;

std::optional<Manifest> find_manifest(Registry& registry, const std::string& reference) {
  try {
    return parse_manifest(registry.get_manifest(reference).bytes);
  } catch (const NotFound&) {
    return std::nullopt;
  }
}

// Where cosign puts them: under a tag made of the image's digest, or since OCI 1.1 as what refers to it.
std::vector<Manifest> find_signature_manifests(Registry& registry, const Digest& manifest) {
  std::vector<Manifest> found;
  if (auto tagged = find_manifest(registry, concat(manifest.algorithm, '-', manifest.hex, ".sig")))
    found.push_back(*std::move(tagged));
  for (const Descriptor& referrer : registry.list_referrers(manifest)) {
    if (referrer.artifact_type != signature_type) continue;
    if (found.size() > max_signatures) break;
    if (auto referring = find_manifest(registry, render(referrer.digest)))
      found.push_back(*std::move(referring));
  }
  return found;
}

void add_signatures(Registry& registry, const Manifest& manifest,
                    std::vector<SigstoreSignature>& signatures) {
  for (const Descriptor& layer : manifest.layers) {
    const auto signature = layer.annotations.find(signature_annotation);
    // Attestations are kept in the same way.
    if (layer.media_type != payload_type || signature == layer.annotations.end()) continue;
    if (layer.size > max_payload_bytes) throw InvalidArgument("the payload of a signature is too long");
    if (signatures.size() == max_signatures)
      throw InvalidArgument(concat("image has more than ", max_signatures, " signatures"));
    signatures.push_back({registry.get_blob(layer.digest, layer.size), signature->second});
  }
}

}  // namespace

std::vector<SigstoreSignature> fetch_sigstore_signatures(Registry& registry, const Digest& manifest) {
  std::vector<SigstoreSignature> signatures;
  for (const Manifest& found : find_signature_manifests(registry, manifest))
    add_signatures(registry, found, signatures);
  return signatures;
}

}  // namespace knarr::storage
