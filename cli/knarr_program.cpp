// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "cli/commands/manifest_verbs.h"
#include "cli/commands/registry_verbs.h"
#include "cli/commands/store_verbs.h"
#include "cli/commands/verbs.h"
#include "cli/errors.h"
#include "cli/global_flags.h"
#include "cli/helper_program.h"
#include "cli/program_groups.h"
#include "cli/program_table.h"
#include "engine/launch/launch_plan.h"

namespace knarr::cli {

namespace {

constexpr const Verb* verbs[] = {
    &adopt_description,
    &attach_verb,
    &commit_description,
    &complete_verb,
    &completion_verb,
    &container_diff_verb,
    &container_exists_verb,
    &container_inspect_verb,
    &container_prune_verb,
    &cp_verb,
    &create_verb,
    &diff_verb,
    &exec_verb,
    &export_description,
    &history_verb,
    &image_diff_verb,
    &image_exists_verb,
    &image_inspect_verb,
    &image_mount_verb,
    &image_prune_verb,
    &image_tree_verb,
    &image_unmount_verb,
    &images_verb,
    &import_description,
    &info_verb,
    &inspect_verb,
    &kill_verb,
    &load_description,
    &login_description,
    &logout_description,
    &logs_verb,
    &manifest_add_description,
    &manifest_annotate_description,
    &manifest_create_description,
    &manifest_exists_description,
    &manifest_inspect_description,
    &manifest_push_description,
    &manifest_remove_description,
    &manifest_rm_description,
    &migrate_verb,
    &mount_verb,
    &network_connect_verb,
    &network_create_verb,
    &network_disconnect_verb,
    &network_exists_verb,
    &network_inspect_verb,
    &network_ls_verb,
    &network_prune_verb,
    &network_reload_verb,
    &network_rm_verb,
    &network_update_verb,
    &port_verb,
    &ps_verb,
    &pull_description,
    &push_description,
    &rename_verb,
    &renumber_verb,
    &restart_verb,
    &rm_verb,
    &rmi_verb,
    &run_verb,
    &save_description,
    &search_description,
    &start_verb,
    &stop_verb,
    &system_check_description,
    &system_df_verb,
    &system_prune_verb,
    &system_reset_verb,
    &tag_verb,
    &top_verb,
    &unmount_verb,
    &unshare_verb,
    &untag_verb,
    &version_verb,
    &volume_create_verb,
    &volume_exists_verb,
    &volume_inspect_verb,
    &volume_ls_verb,
    &volume_prune_verb,
    &volume_rm_verb,
    &wait_verb,
};

int exit_status(const Error& error) {
  const auto* launch = dynamic_cast<const engine::LaunchError*>(&error);
  return launch != nullptr ? launch->exit_status() : engine_failure;
}

}  // namespace

constinit const Program knarr_program = {
    .verbs = verbs,
    .groups = verb_groups,
    .flags = global_flags,
    .root_flags = root_flags,
    .hand_over = run_helper,
    .exit_status = exit_status,
};

}  // namespace knarr::cli
