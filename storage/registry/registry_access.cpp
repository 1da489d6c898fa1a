// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/registry_access.h"

namespace knarr::storage {

RegistryOptions registry_options(const RegistryAccess& access, const PullSource& source) {
  RegistryOptions options;
  options.host = source.reference.domain;
  options.insecure = access.verify_tls ? !*access.verify_tls : source.insecure;
  // What was given on the command line is for the registry that was named there.
  const bool is_given = access.credentials && !source.is_mirror;
  options.credentials =
      is_given ? access.credentials
               : find_credentials(access.places, access.auth, options.host, source.reference.path);
  options.certificates = find_certificates(access.places, access.certificate_directory, options.host);
  options.retry = access.retry;
  return options;
}

}  // namespace knarr::storage
