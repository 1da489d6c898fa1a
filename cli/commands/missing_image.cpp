// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/missing_image.h"

#include "cli/commands/image_source_flags.h"
#include "cli/errors.h"
#include "engine/helpers.h"
#include "engine/images.h"
#include "storage/transport.h"

namespace knarr::cli {

namespace {

using storage::PullPolicy;

bool agrees(const std::string& wanted, const std::string& has) {
  return wanted.empty() || wanted == has;
}

bool is_present(const engine::Engine& engine, const std::string& name, const storage::Platform& wanted) {
  const auto image = engine::find_image_record(engine, name);
  return image && agrees(wanted.os, image->os) && agrees(wanted.architecture, image->architecture) &&
         agrees(wanted.variant, image->variant);
}

void append_setting(std::vector<std::string>& argv, std::string_view flag, const std::string& value) {
  if (!value.empty()) argv.push_back(concat("--", flag, '=', value));
}

std::vector<std::string> pull_command(const Invocation& invocation, const Arguments& arguments,
                                      const std::string& name) {
  std::vector<std::string> argv{invocation.program};
  append_setting(argv, "root", invocation.settings.root);
  append_setting(argv, "runroot", invocation.settings.runroot);
  append_setting(argv, "storage-driver", invocation.settings.storage_driver);
  argv.push_back("pull");
  append_setting(argv, "policy", arguments.text("pull"));
  for (const char* flag : {"arch", "authfile", "cert-dir", "creds", "os", "platform", "retry", "retry-delay",
                           "signature-policy", "tls-verify", "variant", "quiet"}) {
    if (arguments.given(flag)) append_setting(argv, flag, *arguments.find_text(flag));
  }
  argv.push_back("--");
  argv.push_back(name);
  return argv;
}

// Returns what it printed; nullopt when it failed, and has said why.
std::optional<std::string> pull(const Invocation& invocation, const Arguments& arguments,
                                const std::string& name) {
  std::string output;
  const sys::ExitStatus status = engine::run_helper(
      "knarr-registry", pull_command(invocation, arguments, name), &output, engine::HelperInput::terminal);
  if (status.code != 0) return std::nullopt;
  return output;
}

// A manifest list of this store is known here only, so what is pulled is an image of it.
std::optional<std::string> obtain_of_list(const engine::Engine& engine, const Invocation& invocation,
                                          const Arguments& arguments, const storage::ListEntry& entry,
                                          const std::string& name) {
  if (const auto image = engine::find_image_of(engine, entry))
    return read_platform(arguments) == storage::Platform{} ? name : image->id;
  if (entry.source.empty() || read_pull_policy(arguments, "pull") == PullPolicy::never) return name;
  return pull(invocation, arguments, entry.source) ? std::optional(entry.source) : std::nullopt;
}

}  // namespace

std::optional<std::string> obtain_image(const engine::Engine& engine, const Invocation& invocation,
                                        const Arguments& arguments) {
  const std::string& typed = arguments.at(0);
  if (arguments.boolean("rootfs")) return typed;
  const auto transport = storage::parse_transport_name(typed);
  const bool is_in_files = transport && transport->transport != storage::Transport::docker;
  const std::string& name = transport ? transport->path : typed;
  const PullPolicy policy = read_pull_policy(arguments, "pull");
  if (!is_in_files && (policy == PullPolicy::missing || policy == PullPolicy::never)) {
    const storage::Platform wanted = read_platform(arguments);
    // The name alone is cheaper to find than the record.
    if (wanted == storage::Platform{} && engine.images().resolve_name(name)) return name;
    if (const auto entry = engine::find_list_entry(engine, name, wanted))
      return obtain_of_list(engine, invocation, arguments, *entry, name);
    if (policy == PullPolicy::never || is_present(engine, name, wanted)) return name;
  }
  const auto output = pull(invocation, arguments, typed);
  if (!output) return std::nullopt;
  // What is in a file need not have a name; one ID a line is what `pull` prints.
  return is_in_files ? output->substr(0, output->find('\n')) : name;
}

}  // namespace knarr::cli
