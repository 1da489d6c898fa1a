// SPDX-License-Identifier: Apache-2.0
// Completion, decided here for all shells: their scripts only ask and insert.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/verb.h"

namespace knarr::cli {

struct Candidate {
  std::string text;         // replaces the word
  std::string description;  // may be empty
};

struct CompletionAnswer {
  std::vector<Candidate> candidates;
  Completion more = Completion::none;  // objects and files, for the caller to list
  std::string lead;                    // of the word, in front of what is completed: "--env-file="
  std::string prefix;                  // what is typed of it
  Settings settings;                   // what --root and its like on the line say
};

// `words` follow the program's name; the last one is being typed and may be empty. Pure.
CompletionAnswer plan_completion(const Program& program, std::span<const std::string> words);

// The script for "bash", "zsh" or "fish"; empty for any other shell. Pure.
std::string render_completion_script(std::string_view shell, std::string_view program_name);

}  // namespace knarr::cli
