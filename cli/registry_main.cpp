// SPDX-License-Identifier: Apache-2.0
#include "cli/program_table.h"

int main(int argc, char** argv) {
  return knarr::cli::run_program(knarr::cli::registry_program, argc, argv);
}
