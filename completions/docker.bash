# Completion of docker, docker-compose and hyperbox for bash. Made by compat/generate.py.
#
# The words come from `PROGRAM __complete`: one candidate a line, a tab before its description, and last ":" with a directive
# (1 error, 2 no space behind, 4 no files, 8 files with these endings, 16 folders only).

__hyperbox_complete() {
    local program=$1 current word directive=0 colon_prefix="" line
    local -a words candidates
    COMPREPLY=()

    # Undo the splitting at ":" and "=", which bash treats as word breaks but docker does not.
    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        local cur words_ref cword
        local -a cwords
        _get_comp_words_by_ref -n "=:" -c cur -w cwords -i cword
        words=("${cwords[@]:1:cword}")
        current=$cur
    else
        local typed=${COMP_LINE:0:COMP_POINT}
        read -r -a words <<<"$typed"
        [[ $typed == *[[:space:]] ]] && words+=("")
        words=("${words[@]:1}")
        current=${words[${#words[@]} - 1]-}
    fi

    while IFS= read -r line; do
        candidates+=("$line")
    done < <("$program" __completeNoDesc "${words[@]}" 2>/dev/null)
    ((${#candidates[@]})) || return 0
    line=${candidates[${#candidates[@]} - 1]}
    [[ $line == :* ]] && directive=${line#:} && unset "candidates[${#candidates[@]}-1]"
    ((directive & 1)) && return 0

    # In --flag=value only the value is completed.
    word=$current
    [[ $word == -*=* ]] && word=${word#*=}

    if ((directive & 8)); then
        local ending
        for ending in "${candidates[@]}"; do
            while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -X "!*.$ending" -- "$word")
        done
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "$word")
        compopt -o filenames 2>/dev/null
        return 0
    fi
    if ((directive & 16)); then
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "$word")
        compopt -o filenames 2>/dev/null
        return 0
    fi

    # A word with ":" was split by readline: what stands before its last ":" must not be repeated.
    [[ $word == *:* && ${COMP_WORDBREAKS-} == *:* ]] && colon_prefix=${word%"${word##*:}"}
    for line in "${candidates[@]}"; do
        [[ $line == "$word"* ]] && COMPREPLY+=("${line#"$colon_prefix"}")
    done
    ((directive & 2)) && compopt -o nospace 2>/dev/null
    if ((${#COMPREPLY[@]} == 0)) && ! ((directive & 4)); then
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
    fi
    return 0
}

__hyperbox_complete_docker() { __hyperbox_complete docker; }
complete -F __hyperbox_complete_docker docker
__hyperbox_complete_docker_compose() { __hyperbox_complete docker-compose; }
complete -F __hyperbox_complete_docker_compose docker-compose
__hyperbox_complete_hyperbox() { __hyperbox_complete hyperbox; }
complete -F __hyperbox_complete_hyperbox hyperbox
