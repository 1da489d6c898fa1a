// SPDX-License-Identifier: Apache-2.0
// What `knarr run` has no digests for: layers the machine may have stopped in the middle of.
#include "cli/commands/archive_verbs.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/store_verbs.h"
#include "storage/layer/suspect.h"

namespace knarr::cli {

namespace {

// A line for each layer that is useless now: its digest and what is wrong.
int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  engine.enter_r();
  std::string damaged;
  for (const std::string& word : arguments.positional()) {
    const auto diff_id = storage::parse_digest(word);
    if (!diff_id) throw UsageError(concat("\"", word, "\" is no digest"));
    std::string damage;
    if (!storage::settle_suspect_layer(engine.store(), *diff_id, &damage))
      damaged += concat(damaged.empty() ? "" : "; ", "layer ", word, ": ", damage);
  }
  if (!damaged.empty()) throw Error(damaged);
  return 0;
}

}  // namespace

constinit const Verb verify_layers_verb = implement(verify_layers_description, run);

}  // namespace knarr::cli
