# bash completion for knarr; written by: knarr completion bash

_knarr() {
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

complete -F _knarr knarr
