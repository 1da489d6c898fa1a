// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/pull.h"

#include <unistd.h>

#include "cli/commands/answer.h"
#include "cli/commands/copy_progress.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/image_source_flags.h"
#include "cli/commands/policy_path.h"
#include "cli/commands/pull_transport.h"
#include "cli/commands/registry_access.h"
#include "cli/commands/registry_verbs.h"
#include "cli/errors.h"
#include "storage/registry/policy.h"
#include "storage/registry/remote_manifest.h"

namespace knarr::cli {

namespace {

// On standard error: what is printed is the image's ID.
std::size_t ask_which(Output& messages, const std::vector<storage::Reference>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) messages.line("  ", i + 1, ") ", render(names[i]));
  for (;;) {
    messages.print("Which image is meant? [1-", names.size(), "] ");
    messages.flush();
    const std::string answer = read_line();
    if (answer.empty()) throw Error("no image was chosen");
    const auto number = parse_integer(answer);
    if (number && *number >= 1 && static_cast<std::size_t>(*number) <= names.size())
      return static_cast<std::size_t>(*number) - 1;
  }
}

class Pull {
 public:
  Pull(const Invocation& invocation, const Arguments& arguments, const engine::Engine& engine,
       const storage::RegistriesConfig& config, storage::PullRequest request)
      : out_(invocation.out),
        engine_(engine),
        config_(config),
        request_(std::move(request)),
        messages_(STDERR_FILENO),
        progress_(messages_) {
    if (::isatty(STDIN_FILENO) != 0 && ::isatty(STDERR_FILENO) != 0) {
      request_.choose = [this](const std::vector<storage::Reference>& names) {
        return ask_which(messages_, names);
      };
    }
    if (arguments.boolean("quiet")) return;
    request_.say = [this](const std::string& line) {
      progress_.finish();
      messages_.line(line);
      messages_.flush();
    };
    request_.progress = [this](const storage::LayerProgress& layer) { progress_.update(layer); };
  }

  std::vector<std::string> all_tags_of(const std::string& name) {
    request_.name = name;
    return storage::list_all_tags(config_, request_);
  }

  void pull(const std::string& name) {
    const auto transport = storage::parse_transport_name(name);
    if (transport && transport->transport != storage::Transport::docker) return pull_from(*transport);
    request_.name = name;
    const storage::PulledImage pulled = storage::pull_image(engine_.store(), config_, request_);
    progress_.finish();
    out_.line(pulled.image.id);
    out_.flush();
  }

 private:
  void pull_from(storage::TransportName name) {
    if (name.transport != storage::Transport::containers_storage) name.path = policy_path(name.path);
    check_transport_policy(storage::load_policy(request_.access.places, request_.signature_policy), name);
    const storage::Platform platform = storage::complete_platform(request_.platform);
    for (const storage::Image& image : pull_by_transport(engine_, name, platform, request_.settling))
      out_.line(image.id);
    out_.flush();
  }

  Output& out_;
  const engine::Engine& engine_;
  const storage::RegistriesConfig& config_;
  storage::PullRequest request_;
  Output messages_;
  CopyProgress progress_;
};

storage::PullRequest make_request(const Arguments& arguments) {
  storage::PullRequest request;
  request.platform = read_platform(arguments);
  request.policy = read_pull_policy(arguments, "policy");
  request.access = read_registry_access(arguments);
  request.signature_policy = arguments.text("signature-policy");
  request.settling = read_settling(arguments);
  return request;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  storage::PullRequest request = make_request(arguments);
  const storage::RegistriesConfig config = storage::load_registries_config(request.access.places);
  request.access.auth.helpers = config.credential_helpers;
  const engine::Engine engine = open_engine(invocation);
  engine.enter_r();
  Pull pull(invocation, arguments, engine, config, std::move(request));
  int status = 0;
  for (const std::string& name : arguments.positional()) {
    try {
      const bool all = arguments.boolean("all-tags");
      for (const std::string& one : all ? pull.all_tags_of(name) : std::vector{name}) pull.pull(one);
    } catch (const Error& error) {
      // The others may well be had.
      print_error(error);
      status = engine_failure;
    }
  }
  return status;
}

}  // namespace

constinit const Verb pull_verb = implement(pull_description, run);

}  // namespace knarr::cli
