// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"

#include <algorithm>

#include "cli/text.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

class Planner {
 public:
  Planner(const Program& program, std::span<const std::string> words)
      : program_(program), before_(words.first(words.size() - 1)) {
    answer_.prefix = words.back();
  }

  CompletionAnswer plan() {
    for (const std::string& word : before_) advance(word);
    if (pending_ != nullptr) {
      complete_value(*pending_);
    } else if (answer_.prefix.starts_with('-') && !flags_ended_) {
      complete_flag();
    } else if (verb_ == nullptr) {
      complete_verb();
    } else {
      complete_argument();
    }
    return std::move(answer_);
  }

 private:
  FlagSet flag_set() const {
    if (verb_ != nullptr) return {verb_->flags, program_.flags, verb_->interspersed};
    return {group_.empty() ? program_.root_flags : std::span<const Flag>{}, program_.flags, false};
  }

  // A word that stands before the one being typed.
  void advance(const std::string& word) {
    if (pending_ != nullptr) {
      note_setting(pending_->name, word);
      pending_ = nullptr;
    } else if (!flags_ended_ && word == "--") {
      flags_ended_ = true;
    } else if (!flags_ended_ && word.size() > 1 && word[0] == '-') {
      pending_ = flag_that_waits(word);
      const KeyValue flag = split_key_value(word);
      if (flag.has_value && word.starts_with("--"))
        note_setting(std::string_view(flag.key).substr(2), flag.value);
    } else {
      advance_argument(word);
    }
  }

  void note_setting(std::string_view name, const std::string& value) {
    if (name == "root") answer_.settings.root = value;
    if (name == "runroot") answer_.settings.runroot = value;
    if (name == "network-config-dir") answer_.settings.network_config_dir = value;
    if (name == "storage-driver") answer_.settings.storage_driver = value;
  }

  // The flag whose value is the next word, if there is one.
  const Flag* flag_that_waits(const std::string& word) const {
    if (word.find('=') != std::string::npos) return nullptr;
    if (word.starts_with("--")) {
      const Flag* flag = find_flag(flag_set(), std::string_view(word).substr(2));
      return flag != nullptr && flag->kind != FlagKind::boolean ? flag : nullptr;
    }
    for (std::size_t i = 1; i < word.size(); ++i) {
      const Flag* flag = find_shorthand(flag_set(), word[i]);
      if (flag != nullptr && flag->kind != FlagKind::boolean) return i + 1 == word.size() ? flag : nullptr;
    }
    return nullptr;
  }

  void advance_argument(const std::string& word) {
    if (verb_ != nullptr) {
      ++arguments_;
      if (!verb_->interspersed) flags_ended_ = true;
    } else if (group_.empty() && !helping_ && word == "help") {
      helping_ = true;
    } else if (group_.empty() && find_group(program_, word) != nullptr) {
      group_ = word;
    } else if (!helping_) {
      verb_ = find_verb(program_, group_.empty() ? word : concat(group_, ' ', word));
      if (verb_ == nullptr) lost_ = true;
    }
  }

  void add(std::string text, std::string_view description) {
    if (text.starts_with(answer_.prefix))
      answer_.candidates.push_back({std::move(text), std::string(description)});
  }

  void complete_verb() {
    if (lost_) return;
    for (const Verb* verb : program_.verbs) {
      const std::string_view name = name_within(*verb, group_);
      if (!name.empty() && !verb->hidden) add(std::string(name), verb->summary);
    }
    if (group_.empty()) {
      for (const VerbGroup& group : program_.groups) add(std::string(group.name), group.summary);
      if (!helping_) add("help", "Show the help of a command");
    }
    sort_candidates();
  }

  void complete_flag() {
    const std::size_t equals = answer_.prefix.find('=');
    const FlagSet flags = flag_set();
    if (answer_.prefix.starts_with("--") && equals != std::string::npos) {
      const Flag* flag = find_flag(flags, std::string_view(answer_.prefix).substr(2, equals - 2));
      if (flag == nullptr) return;
      answer_.lead = answer_.prefix.substr(0, equals + 1);
      answer_.prefix.erase(0, equals + 1);
      return complete_value(*flag);
    }
    add_flags(flags.own);
    if (verb_ == nullptr) add_flags(flags.inherited);
    add("--help", "Show the help");
    sort_candidates();
  }

  void add_flags(std::span<const Flag> flags) {
    for (const Flag& flag : flags) {
      if (!flag.hidden && !flag.unsupported && flag.name != "help") add(concat("--", flag.name), flag.help);
    }
  }

  void complete_value(const Flag& flag) {
    if (flag.kind == FlagKind::boolean) {
      add("true", "");
      add("false", "");
      return;
    }
    if (flag.completion != Completion::words) {
      answer_.more = flag.completion;
      return;
    }
    for (std::string& word : split(flag.words, " ")) {
      // Of a flag that is not supported yet only the harmless values are.
      if (!flag.unsupported || contains(split(flag.harmless, " "), word)) add(std::move(word), "");
    }
  }

  void complete_argument() {
    const bool full = verb_->max_arguments >= 0 && arguments_ >= verb_->max_arguments;
    if (full) return;
    switch (verb_->completion) {
      case Completion::image_then_files:
        answer_.more = arguments_ == 0 ? Completion::images : Completion::files;
        break;
      case Completion::container_then_files:
        answer_.more = arguments_ == 0 ? Completion::running_containers : Completion::files;
        break;
      default:
        answer_.more = verb_->completion;
    }
  }

  void sort_candidates() {
    std::sort(answer_.candidates.begin(), answer_.candidates.end(),
              [](const Candidate& a, const Candidate& b) { return a.text < b.text; });
  }

  const Program& program_;
  std::span<const std::string> before_;
  CompletionAnswer answer_;
  std::string group_;
  const Verb* verb_ = nullptr;
  const Flag* pending_ = nullptr;  // waits for its value
  int arguments_ = 0;
  bool flags_ended_ = false;
  bool helping_ = false;  // after `help`
  bool lost_ = false;     // after a word that is no verb
};

constexpr std::string_view bash_script =
    R"script(# bash completion for @PROGRAM@; written by: @PROGRAM@ completion bash

_@FUNCTION@() {
    local current words position line directive=none cut="" candidates=()
    COMPREPLY=()
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n =: -c current -w words -i position
    else
        words=("${COMP_WORDS[@]}") position=$COMP_CWORD current=${COMP_WORDS[COMP_CWORD]}
    fi
    while IFS= read -r line; do
        case $line in
            :*) directive=${line#:} ;;
            *) candidates+=("${line%%$'\t'*}") ;;
        esac
    done < <("${words[0]}" __complete -- "${words[@]:1:position}" 2>/dev/null)

    # bash replaces only what stands behind the last = or : of a word.
    if [[ $current == *[=:]* && $COMP_WORDBREAKS == *[=:]* ]]; then
        cut=${current%"${current##*[=:]}"}
    fi
    case $directive in
        files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "${current#"$cut"}") ;;
        directories) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "${current#"$cut"}") ;;
    esac
    for line in "${candidates[@]}"; do
        COMPREPLY+=("${line#"$cut"}")
    done
}

complete -F _@FUNCTION@ @PROGRAM@
)script";

constexpr std::string_view zsh_script = R"script(#compdef @PROGRAM@
# zsh completion for @PROGRAM@; written by: @PROGRAM@ completion zsh

_@FUNCTION@() {
    local line directive=none
    local -a candidates lines
    lines=("${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in "${lines[@]}"; do
        case $line in
            "") ;;
            :*) directive=${line#:} ;;
            *$'\t'*) candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
            *) candidates+=("${line//:/\\:}") ;;
        esac
    done
    (( $#candidates )) && _describe -V '@PROGRAM@' candidates
    case $directive in
        files) compset -P '*='; _files ;;
        directories) compset -P '*='; _files -/ ;;
    esac
}

if [ "$funcstack[1]" = "_@FUNCTION@" ]; then
    _@FUNCTION@ "$@"
else
    compdef _@FUNCTION@ @PROGRAM@
fi
)script";

constexpr std::string_view fish_script =
    R"script(# fish completion for @PROGRAM@; written by: @PROGRAM@ completion fish

function __@FUNCTION@_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines ($words[1] __complete -- $words[2..-1] "$current" 2>/dev/null)
    for line in $lines
        switch $line
            case ':files'
                set -l value (string replace -r '^--[^=]*=' '' -- $current)
                set -l lead (string replace -r '^(--[^=]*=)?.*' '$1' -- $current)
                for path in (__fish_complete_path "$value")
                    echo $lead$path
                end
            case ':directories'
                set -l value (string replace -r '^--[^=]*=' '' -- $current)
                set -l lead (string replace -r '^(--[^=]*=)?.*' '$1' -- $current)
                for path in (__fish_complete_directories "$value")
                    echo $lead$path
                end
            case ':*'
            case '*'
                echo $line
        end
    end
end

complete -c @PROGRAM@ -f -a '(__@FUNCTION@_complete)'
)script";

// A name a shell function may have.
std::string function_name(std::string_view program_name) {
  std::string name(program_name);
  for (char& c : name) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!fine) c = '_';
  }
  return name;
}

}  // namespace

CompletionAnswer plan_completion(const Program& program, std::span<const std::string> words) {
  if (words.empty()) return {};
  return Planner(program, words).plan();
}

std::string render_completion_script(std::string_view shell, std::string_view program_name) {
  const std::string_view script = shell == "bash"   ? bash_script
                                  : shell == "zsh"  ? zsh_script
                                  : shell == "fish" ? fish_script
                                                    : "";
  return replace_all(replace_all(script, "@FUNCTION@", function_name(program_name)), "@PROGRAM@",
                     program_name);
}

}  // namespace knarr::cli
