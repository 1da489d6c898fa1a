// SPDX-License-Identifier: Apache-2.0
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "engine/launch/launch_plan.h"
#include "engine/launch/mount_words.h"
#include "engine/request/environment.h"
#include "engine/request/security.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

using init::Operation;

// Collects the operations and, side by side, what each is called in words.
class OperationList {
 public:
  OperationList(Arena& arena, InitPlanWords& words) : arena_(arena), words_(words) {}

  Operation& add(Operation::Kind kind, const std::string& target, std::string words) {
    Operation& operation = operations_.emplace_back();
    operation.kind = kind;
    operation.target = arena_.text(target);
    words_.operations.push_back(std::move(words));
    return operation;
  }
  init::Span<Operation> finish() { return arena_.span(operations_); }

 private:
  Arena& arena_;
  InitPlanWords& words_;
  std::vector<Operation> operations_;
};

const char* text_or_null(Arena& arena, const std::string& text) {
  return text.empty() ? nullptr : arena.text(text);
}

std::string describe(const SpecMount& mount) {
  if (mount.type == "bind") {
    const std::string source =
        mount.subpath.empty() ? mount.source : concat(mount.source, "/", mount.subpath);
    return concat("mounting ", mount.destination, " from ", source);
  }
  return concat("mounting ", mount.type, " at ", mount.destination);
}

init::Span<init::MountOption> lay_out_options(const std::vector<FilesystemOption>& options, Arena& arena) {
  std::vector<init::MountOption> laid_out;
  laid_out.reserve(options.size());
  for (const FilesystemOption& option : options) {
    laid_out.push_back({arena.text(option.key), option.value ? arena.text(*option.value) : nullptr});
  }
  return arena.span(laid_out);
}

// --- the root ---

void add_overlay_options(const storage::RootfsPlan& root, Arena& arena,
                         std::vector<init::MountOption>& options) {
  for (const std::string& lower : root.lowers) options.push_back({"lowerdir+", arena.text(lower)});
  for (const std::string& lower : root.data_lowers) options.push_back({"datadir+", arena.text(lower)});
  if (!root.upper.empty()) {
    options.push_back({"upperdir", arena.text(root.upper)});
    options.push_back({"workdir", arena.text(root.work)});
  }
  // A kernel may be built with other defaults. An index outlives its mount and ties the upper to it.
  options.push_back({"index", "off"});
  if (root.userxattr) {
    options.push_back({"userxattr", nullptr});  // implies the two below
  } else {
    options.push_back({"metacopy", "off"});
    options.push_back({"redirect_dir", "nofollow"});
  }
  if (root.is_volatile && !root.upper.empty()) options.push_back({"volatile", nullptr});
}

// A path within fuse-overlayfs' option string.
std::string escape_option(std::string_view path) {
  std::string escaped;
  for (const char c : path) {
    if (c == ':' || c == ',' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

const char* const* fuse_arguments(const storage::RootfsPlan& root, const std::string& mount_point,
                                  Arena& arena) {
  std::string options = "lowerdir=";
  for (const std::string& lower : root.lowers) {
    if (options.back() != '=') options += ':';
    options += escape_option(lower);
  }
  if (!root.upper.empty()) {
    options += concat(",upperdir=", escape_option(root.upper), ",workdir=", escape_option(root.work));
  }
  if (root.is_volatile) options += ",volatile";
  return arena.text_array({root.fuse_program, "-o", options, mount_point});
}

std::uint64_t root_propagation(const std::string& word) {
  return word.empty() ? 0 : parse_propagation(word).value_or(0);
}

init::Root plan_root(const Spec& spec, const std::string& mount_point, Arena& arena, InitPlanWords& words) {
  const storage::RootfsPlan& plan = spec.root;
  init::Root root;
  root.mount_point = arena.text(mount_point);
  root.read_only = spec.root_read_only;
  root.no_devices = spec.root_no_devices;
  root.propagation = root_propagation(spec.rootfs_propagation);
  // The kernel has no overlay of one read-only layer: that is the layer itself.
  const bool single_layer = plan.upper.empty() && plan.lowers.size() + plan.data_lowers.size() == 1;
  if (!plan.directory.empty() || single_layer) {
    const std::string& tree = plan.directory.empty() ? plan.lowers.front() : plan.directory;
    root.kind = init::Root::Kind::bind;
    root.source = arena.text(tree);
    root.read_only = root.read_only || plan.directory.empty();
    words.root = concat("mounting ", tree, " at /");
  } else if (plan.driver == storage::OverlayDriver::fuse) {
    root.kind = init::Root::Kind::fuse;
    root.fuse_argv = fuse_arguments(plan, mount_point, arena);
    words.root = "mounting fuse-overlayfs at /";
  } else {
    std::vector<init::MountOption> options;
    add_overlay_options(plan, arena, options);
    root.kind = init::Root::Kind::overlay;
    root.options = arena.span(options);
    words.root = "mounting overlay at /";
  }
  return root;
}

// --- the steps below it ---

void add_sysctls(const Spec& spec, Arena& arena, OperationList& list) {
  const auto add = [&](const std::map<std::string, std::string>& values, bool optional) {
    for (const auto& [path, value] : values) {
      Operation& operation =
          list.add(Operation::Kind::sysctl, path, concat("setting sysctl ", path, " to \"", value, "\""));
      operation.content = arena.text(value);
      operation.content_size = static_cast<std::uint32_t>(value.size());
      operation.optional = optional;
    }
  };
  add(spec.default_sysctl, true);
  add(spec.sysctl, false);
}

void add_bind(const SpecMount& mount, const MountWords& words, Arena& arena, OperationList& list) {
  Operation& operation = list.add(Operation::Kind::bind, mount.destination, describe(mount));
  operation.source =
      arena.text(mount.subpath.empty() ? mount.source : concat(mount.source, "/", mount.subpath));
  operation.recursive = words.recursive;
  operation.attributes = words.attributes;
  operation.clear_attributes = words.clear_attributes;
  operation.propagation = words.propagation;
  operation.source_device = mount.source_device;
  operation.source_inode = mount.source_inode;
  operation.optional = words.optional;
}

void add_filesystem(const SpecMount& mount, const MountWords& words, Arena& arena, OperationList& list) {
  Operation& operation = list.add(Operation::Kind::filesystem, mount.destination, describe(mount));
  operation.fstype = arena.text(mount.type);
  operation.copy_up = words.copy_up;
  operation.source = text_or_null(arena, mount.source);
  operation.options = lay_out_options(words.filesystem_options, arena);
  operation.attributes = words.attributes;
  operation.propagation = words.propagation;
  operation.optional = words.optional;
}

void add_mounts(const Spec& spec, Arena& arena, OperationList& list) {
  for (const SpecMount& mount : spec.mounts) {
    MountWords words = parse_mount_words(mount.options);
    if (mount.type == "bind") {
      // Copies of slave or shared mounts are such too, unless they are told otherwise.
      if (words.propagation == 0 && !spec.rootfs_propagation.empty()) words.propagation = MS_PRIVATE | MS_REC;
      add_bind(mount, words, arena, list);
    } else {
      add_filesystem(mount, words, arena, list);
    }
  }
}

void add_devices(const Spec& spec, bool may_make_nodes, Arena& arena, OperationList& list) {
  for (const SpecDevice& device : spec.devices) {
    Operation& operation =
        list.add(Operation::Kind::device, device.path, concat("adding device ", device.path));
    operation.source = text_or_null(arena, device.host_path);
    operation.rdev = makedev(device.major, device.minor);
    operation.device_is_block = device.type == 'b';
    operation.mode = device.mode;
    operation.mknod = may_make_nodes;
    operation.recursive = false;
    operation.attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  }
}

void add_device_links(Arena& arena, OperationList& list) {
  constexpr std::pair<const char*, const char*> links[] = {
      {"/dev/fd", "/proc/self/fd"},       {"/dev/stdin", "/proc/self/fd/0"},
      {"/dev/stdout", "/proc/self/fd/1"}, {"/dev/stderr", "/proc/self/fd/2"},
      {"/dev/core", "/proc/kcore"},       {"/dev/ptmx", "pts/ptmx"}};
  for (const auto& [path, target] : links) {
    list.add(Operation::Kind::symlink, path, concat("linking ", path, " to ", target)).source =
        arena.text(target);
  }
}

void add_files(const Spec& spec, Arena& arena, OperationList& list) {
  for (const SpecFile& file : spec.files) {
    Operation& operation = list.add(Operation::Kind::file, file.path, concat("writing ", file.path));
    operation.content = arena.text(file.content);
    operation.content_size = static_cast<std::uint32_t>(file.content.size());
    operation.mode = file.mode;
    // A mark, no more: a root file system that cannot be written works without it.
    operation.optional = true;
  }
}

void add_accounts(const Spec& spec, Arena& arena, OperationList& list) {
  for (const SpecAccount& account : spec.accounts) {
    const auto kind = account.is_group ? Operation::Kind::group_entry : Operation::Kind::user_entry;
    Operation& operation = list.add(kind, account.path, concat("adding the user's entry to ", account.path));
    operation.content = arena.text(account.line);
    operation.content_size = static_cast<std::uint32_t>(account.line.size());
    operation.uid = operation.gid = account.id;
    operation.optional =
        true;  // a name is a comfort: a file that cannot be written is no reason not to start
  }
}

void add_restrictions(const Spec& spec, OperationList& list) {
  for (const std::string& path : spec.masked_paths) {
    list.add(Operation::Kind::mask, path, concat("masking ", path));
  }
  for (const std::string& path : spec.readonly_paths) {
    list.add(Operation::Kind::read_only, path, concat("making ", path, " read-only"));
  }
}

// --- the process ---

init::CapabilitySets capability_sets(const SpecCapabilities& capabilities) {
  return {.bounding = capabilities.bounding,
          .permitted = capabilities.permitted,
          .effective = capabilities.effective,
          .inheritable = capabilities.inheritable,
          .ambient = capabilities.ambient};
}

// "RLIMIT_NOFILE" → "nofile"
std::string limit_name(std::string_view type) {
  constexpr std::string_view prefix = "RLIMIT_";
  if (type.starts_with(prefix)) type.remove_prefix(prefix.size());
  std::string name(type);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

std::string limit_text(std::uint64_t value) {
  return value == RLIM_INFINITY ? "-1" : std::to_string(value);
}

init::Span<init::Limit> lay_out_limits(const std::vector<SpecRlimit>& limits, Arena& arena,
                                       InitPlanWords& words) {
  std::vector<init::Limit> laid_out;
  words.limits.clear();
  for (const SpecRlimit& limit : limits) {
    const std::string name = limit_name(limit.type);
    const auto number = limit_number(name);
    if (!number) throw InvalidArgument(concat("unknown resource limit ", limit.type));
    laid_out.push_back({*number, {.rlim_cur = limit.soft, .rlim_max = limit.hard}});
    words.limits.push_back(concat(name, "=", limit_text(limit.soft), ":", limit_text(limit.hard)));
  }
  return arena.span(laid_out);
}

void lay_out_groups(const std::vector<std::string>& groups, Arena& arena, init::Process& process,
                    InitPlanWords& words) {
  std::vector<const char*> names;
  words.groups.clear();
  for (const std::string& group : groups) {
    if (group == "keep-groups") {
      process.keep_groups = true;
    } else {
      names.push_back(arena.text(group));
      words.groups.push_back(group);
    }
  }
  process.extra_groups = arena.span(names);
}

// Where the program is looked for. Of an empty PATH execvp(3) makes the working directory; nobody means that.
std::string search_path(const std::vector<std::string>& env) {
  constexpr std::string_view name = "PATH=";
  for (const std::string& entry : env) {
    if (entry.starts_with(name) && entry.size() > name.size()) return entry.substr(name.size());
  }
  return std::string(default_path);
}

bool setgroups_allowed(const Spec& spec, const rootless::HostFacts& host) {
  // With one id R was made without privilege, and such namespaces have it denied (user_namespaces(7)).
  if (!host.rootful && rootless::count_ids(host.r_maps.gids) <= 1) return false;
  return spec.gid_mappings.empty() || rootless::count_ids(spec.gid_mappings) > 1;
}

init::Process plan_process(const Spec& spec, const rootless::HostFacts& host, SeccompFilter seccomp,
                           Arena& arena, InitPlanWords& words) {
  const Spec::Process& from = spec.process;
  constexpr std::size_t room_for_home = 2;
  init::Process process;
  process.argv = arena.text_array(from.args);
  process.env = arena.text_array(from.env, room_for_home);
  process.env_size = static_cast<std::uint32_t>(from.env.size());
  process.path = arena.text(search_path(from.env));
  process.cwd = arena.text(from.cwd);
  process.make_cwd = from.make_cwd;
  process.user = text_or_null(arena, from.user);
  lay_out_groups(from.additional_groups, arena, process, words);
  process.setgroups_allowed = setgroups_allowed(spec, host);
  process.umask = from.umask;
  process.limits = lay_out_limits(from.rlimits, arena, words);
  process.capabilities_root = capability_sets(from.capabilities_root);
  process.capabilities_user = capability_sets(from.capabilities_user);
  process.no_new_privileges = from.no_new_privileges;
  process.seccomp = {.len = seccomp.length, .filter = const_cast<sock_filter*>(seccomp.program)};
  process.set_oom_score = from.oom_score_adj.has_value();
  process.oom_score = from.oom_score_adj.value_or(0);
  process.terminal = from.terminal;
  process.reaper = from.reaper;
  process.preserve_fds = from.preserve_fds;
  return process;
}

// The store's owner is 0 in R.
bool maps_store_owner(const Spec& spec) {
  if (spec.uid_mappings.empty()) return true;
  return std::any_of(spec.uid_mappings.begin(), spec.uid_mappings.end(),
                     [](const rootless::IdExtent& extent) { return extent.outside == 0; });
}

bool is_new(const Spec& spec, std::string_view type) {
  return std::any_of(spec.namespaces.begin(), spec.namespaces.end(), [type](const SpecNamespace& entry) {
    return entry.type == type && entry.path.empty() && entry.process.pid == 0;
  });
}

}  // namespace

init::Plan* plan_init(const Spec& spec, const rootless::HostFacts& host, const std::string& mount_point,
                      SeccompFilter seccomp, Arena& arena, InitPlanWords& words) {
  if (spec.process.args.empty()) throw InvalidArgument("no command to run");
  words.operations.clear();
  words.executable = spec.process.args.front();
  words.user = spec.process.user;
  words.cwd = spec.process.cwd;

  init::Plan* plan = arena.make<init::Plan>();
  plan->bring_up_loopback = is_new(spec, "network");
  plan->hostname = text_or_null(arena, spec.hostname);
  plan->domainname = text_or_null(arena, spec.domainname);
  plan->owner_unmapped = !maps_store_owner(spec);
  plan->root = plan_root(spec, mount_point, arena, words);

  OperationList list(arena, words);
  add_sysctls(spec, arena, list);  // while nothing of the container is mounted yet
  add_mounts(spec, arena, list);
  add_devices(spec, host.rootful && !is_new(spec, "user"), arena, list);
  if (spec.device_links) add_device_links(arena, list);
  add_files(spec, arena, list);
  add_accounts(spec, arena, list);
  add_restrictions(spec, list);
  plan->operations = list.finish();
  plan->process = plan_process(spec, host, seccomp, arena, words);
  return plan;
}

}  // namespace knarr::engine
