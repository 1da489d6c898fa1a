// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/registry_access.h"
#include "cli/commands/registry_verbs.h"
#include "rootless/sys/file.h"
#include "storage/registry/http.h"

namespace knarr::cli {

namespace {

int run(const Invocation&, const Arguments& arguments) {
  const std::string& url = arguments.at(0);
  const std::string& path = arguments.at(1);
  with_context("fetching " + url, [&] {
    const sys::UniqueFd file = sys::open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    storage::HttpClient client({});
    storage::HttpStream stream = open_with_retries(client, {.url = storage::parse_url(url)}, {});
    if (stream.status() != 200) throw Error(storage::describe_status(stream.status(), {}));
    std::string buffer(256u << 10, '\0');
    while (const std::size_t got = stream.read(buffer.data(), buffer.size()))
      sys::write_all(file.get(), std::string_view(buffer).substr(0, got), path);
  });
  return 0;
}

}  // namespace

constinit const Verb fetch_verb = implement(fetch_description, run);

}  // namespace knarr::cli
