// SPDX-License-Identifier: Apache-2.0
// The verbs of knarr-store, with their code.
#pragma once

#include "cli/verb.h"

namespace knarr::cli {

extern const Verb adopt_verb;
extern const Verb commit_verb;
extern const Verb export_verb;
extern const Verb import_verb;
extern const Verb load_verb;
extern const Verb save_verb;
extern const Verb verify_layers_verb;
extern const Verb system_check_verb;
extern const Verb view_image_store_verb;

}  // namespace knarr::cli
