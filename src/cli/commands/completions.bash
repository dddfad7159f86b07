
_ckptfs() {
    local line=${COMP_LINE:0:COMP_POINT} words=() word i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i == 0)) || [[ $line == [[:space:]]* ]]; then
            words+=("")
            line=${line#"${line%%[![:space:]]*}"}
        fi
        ((i == COMP_CWORD)) && word=$line
        words[${#words[@]}-1]+=$word
        line=${line#"$word"}
    done
    i=$((${#words[@]} - 1))
    words[i]=${words[i]#[\'\"]}
    local before=${words[i]%"$2"}
    local COMP_WORDS=("${words[@]}") COMP_CWORD=$i
    _clap_complete_ckptfs "$1" "${words[i]}" "$3"
    COMPREPLY=("${COMPREPLY[@]#"$before"}")
}
complete -o nospace -o bashdefault -F _ckptfs ckptfs
