// SPDX-License-Identifier: Apache-2.0
// The verbs of knarr itself; one source file each.
#pragma once

#include "cli/verb.h"

namespace knarr::cli {

extern const Verb attach_verb;
extern const Verb complete_verb;
extern const Verb completion_verb;
extern const Verb container_diff_verb;
extern const Verb container_exists_verb;
extern const Verb container_inspect_verb;
extern const Verb container_prune_verb;
extern const Verb cp_verb;
extern const Verb create_verb;
extern const Verb diff_verb;
extern const Verb exec_verb;
extern const Verb history_verb;
extern const Verb image_diff_verb;
extern const Verb image_exists_verb;
extern const Verb image_inspect_verb;
extern const Verb image_mount_verb;
extern const Verb image_prune_verb;
extern const Verb image_tree_verb;
extern const Verb image_unmount_verb;
extern const Verb images_verb;
extern const Verb info_verb;
extern const Verb inspect_verb;
extern const Verb kill_verb;
extern const Verb logs_verb;
extern const Verb migrate_verb;
extern const Verb mount_verb;
extern const Verb network_connect_verb;
extern const Verb network_create_verb;
extern const Verb network_disconnect_verb;
extern const Verb network_exists_verb;
extern const Verb network_inspect_verb;
extern const Verb network_ls_verb;
extern const Verb network_prune_verb;
extern const Verb network_reload_verb;
extern const Verb network_rm_verb;
extern const Verb network_update_verb;
extern const Verb port_verb;
extern const Verb ps_verb;
extern const Verb rename_verb;
extern const Verb renumber_verb;
extern const Verb restart_verb;
extern const Verb rm_verb;
extern const Verb rmi_verb;
extern const Verb run_verb;
extern const Verb start_verb;
extern const Verb stop_verb;
extern const Verb system_df_verb;
extern const Verb system_prune_verb;
extern const Verb system_reset_verb;
extern const Verb tag_verb;
extern const Verb top_verb;
extern const Verb unmount_verb;
extern const Verb unshare_verb;
extern const Verb untag_verb;
extern const Verb version_verb;
extern const Verb volume_create_verb;
extern const Verb volume_exists_verb;
extern const Verb volume_inspect_verb;
extern const Verb volume_ls_verb;
extern const Verb volume_prune_verb;
extern const Verb volume_rm_verb;
extern const Verb wait_verb;

}  // namespace knarr::cli
