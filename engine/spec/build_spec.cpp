// SPDX-License-Identifier: Apache-2.0
#include "engine/etc_files.h"
#include "engine/spec/parts.h"

namespace knarr::engine {

namespace {

void build_process(const SpecInput& input, const std::string& hostname, Spec& spec) {
  const ContainerConfig& config = input.config;
  Spec::Process& process = spec.process;
  process.terminal = config.terminal;
  process.user = config.user;
  process.additional_groups = config.groups;
  process.umask = config.umask;
  process.args = config.entrypoint;
  process.args.insert(process.args.end(), config.command.begin(), config.command.end());
  process.env = build_environment(config, hostname);
  process.cwd = config.working_dir;
  process.make_cwd = config.make_working_dir;
  process.reaper = config.init;
  process.preserve_fds = config.preserve_fds;
}

}  // namespace

Spec build_spec(const SpecInput& input) {
  const ContainerConfig& config = input.config;
  const SecurityOptions security = parse_security_options(config.security_options);
  NamespacePlanning namespaces = plan_spec_namespaces(input);
  const std::string hostname = hostname_of(config, input.facts.hostname);

  Spec spec;
  build_process(input, hostname, spec);
  spec.root = input.root;
  spec.root_read_only = config.read_only;
  spec.root_no_devices = !config.privileged;
  if (namespaces.uts.kind == NamespaceMode::Kind::own) spec.hostname = hostname;
  build_mounts(input, namespaces, security, spec);
  build_accounts(input, spec);
  build_devices(input, spec);
  build_security(input, namespaces, security, spec);
  build_limits(input, spec);
  build_sysctls(input, namespaces, spec);
  spec.namespaces = std::move(namespaces.namespaces);
  spec.uid_mappings = std::move(namespaces.uid_mappings);
  spec.gid_mappings = std::move(namespaces.gid_mappings);
  spec.annotations = config.annotations;
  return spec;
}

}  // namespace knarr::engine
