# Completion of docker, docker-compose and hyperbox for fish. Made by compat/generate.py.
#
# The words come from `PROGRAM __complete`: one candidate a line, a tab before its description, and last ":" with a directive
# (1 error, 2 no space behind, 4 no files, 8 files with these endings, 16 folders only).

function __hyperbox_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -l answer (command $program __complete $words[2..-1] "$current" 2>/dev/null)
    test (count $answer) -gt 0; or return
    set -l directive 0
    if string match -q ':*' -- $answer[-1]
        set directive (string sub -s 2 -- $answer[-1])
        set -e answer[-1]
    end
    test (math "bitand($directive, 1)") -eq 0; or return

    # In --flag=value fish wants the whole word.
    set -l prefix ""
    set -l value $current
    if string match -qr -- '^-[^=]*=' "$current"
        set prefix (string replace -r -- '=.*' '=' "$current")
        set value (string replace -r -- '^[^=]*=' '' "$current")
    end

    if test (math "bitand($directive, 8)") -ne 0
        for ending in $answer
            for name in (__fish_complete_suffix "$value" ".$ending")
                echo $prefix$name
            end
        end
        return
    end
    if test (math "bitand($directive, 16)") -ne 0
        for name in (__fish_complete_directories "$value" "")
            echo $prefix$name
        end
        return
    end
    for line in $answer
        echo $prefix$line
    end
    if test (count $answer) -eq 0; and test (math "bitand($directive, 4)") -eq 0
        for name in (__fish_complete_path "$value")
            echo $prefix$name
        end
    end
end

complete -c docker -e
complete -c docker -f -k -a '(__hyperbox_complete)'
complete -c docker-compose -e
complete -c docker-compose -f -k -a '(__hyperbox_complete)'
complete -c hyperbox -e
complete -c hyperbox -f -k -a '(__hyperbox_complete)'
