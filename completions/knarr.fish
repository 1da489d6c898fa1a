# fish completion for knarr; written by: knarr completion fish

function __knarr_complete
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

complete -c knarr -f -a '(__knarr_complete)'
