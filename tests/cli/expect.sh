# shellcheck shell=sh disable=SC2086,SC2154,SC2181
# What tests of the command are written in. To be sourced with $limn set; leaves an empty folder in $dir.
passed=0 failed=0
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
with= # a variable for the command: NAME=value
unset LIMN_BACKEND LIMN_CPU LIMN_THREADS LIMN_MEM LIMN_LOG LIMN_PLUGINS LIMN_PLAN NO_COLOR

verdict() {
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        shift
        echo "FAILED: $*"
        sed 's/^/  stdout: /' "$dir/out"
        sed 's/^/  stderr: /' "$dir/err"
    fi
}

# ran COMMAND...: its exit status; $dir/out and $dir/err have what it said, without how far slow work has come
ran() {
    "$@" >"$dir/out" 2>"$dir/said" </dev/null
    set -- $?
    sed '/^limn: .* a second, .* left$/d' "$dir/said" >"$dir/err"
    return "$1"
}

# works PATTERN WORD...: exit 0, nothing on stderr, a line of stdout matches
works() {
    pattern=$1
    shift
    ran env $with "$limn" "$@"
    [ $? -eq 0 ] && [ ! -s "$dir/err" ] && grep -q -e "$pattern" "$dir/out"
    verdict $? "$with limn $* gives $pattern"
}

# warns PATTERN WARNING WORD...: exit 0, a line of stdout matches, stderr is warnings only and one matches
warns() {
    pattern=$1 warning=$2
    shift 2
    ran env $with "$limn" "$@"
    [ $? -eq 0 ] && grep -q -e "$pattern" "$dir/out" && grep -q -e "$warning" "$dir/err" && ! grep -q -v '^limn: warning: ' "$dir/err"
    verdict $? "$with limn $* gives $pattern and warns $warning"
}

# says PATTERN WORD...: exit 0, a line of stderr matches
says() {
    pattern=$1
    shift
    ran env $with "$limn" "$@"
    [ $? -eq 0 ] && grep -q -e "$pattern" "$dir/err"
    verdict $? "$with limn $* says $pattern"
}

# fails STATUS PATTERN WORD...: that exit, stdout empty, one line "limn: error: what: why; what to do" that matches
fails() {
    status=$1 pattern=$2
    shift 2
    ran env $with "$limn" "$@"
    [ $? -eq "$status" ] && [ ! -s "$dir/out" ] && [ "$(wc -l <"$dir/err")" -eq 1 ] &&
        grep -q -e '^limn: error: [^:]*: .*; .*' "$dir/err" && grep -q -e "$pattern" "$dir/err"
    verdict $? "$with limn $* fails with $status: $pattern"
}

# gives STATUS PATTERN WORD...: an answer on stdout that is not "done", nothing on stderr
gives() {
    status=$1 pattern=$2
    shift 2
    ran "$limn" "$@"
    [ $? -eq "$status" ] && [ ! -s "$dir/err" ] && grep -q -e "$pattern" "$dir/out"
    verdict $? "limn $* gives $pattern with $status"
}

# lines COUNT: of the last output
lines() {
    [ "$(wc -l <"$dir/out")" -eq "$1" ]
    verdict $? "it has $1 lines"
}
