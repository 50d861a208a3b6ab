#!/bin/sh
# shellcheck disable=SC2086,SC2181
# The command's contract: results, exit statuses, error lines. cli.sh LIMN [plugins]
limn=$1
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

# works PATTERN WORD...: exit 0, nothing on stderr, a line of stdout matches
works() {
    pattern=$1
    shift
    env $with "$limn" "$@" >"$dir/out" 2>"$dir/err" </dev/null
    [ $? -eq 0 ] && [ ! -s "$dir/err" ] && grep -q -e "$pattern" "$dir/out"
    verdict $? "limn $* gives $pattern"
}

# fails STATUS PATTERN WORD...: that exit, stdout empty, one line "limn: error: what: why; what to do" that matches
fails() {
    status=$1 pattern=$2
    shift 2
    env $with "$limn" "$@" >"$dir/out" 2>"$dir/err" </dev/null
    [ $? -eq "$status" ] && [ ! -s "$dir/out" ] && [ "$(wc -l <"$dir/err")" -eq 1 ] &&
        grep -q -e '^limn: error: [^:]*: .*; .*' "$dir/err" && grep -q -e "$pattern" "$dir/err"
    verdict $? "limn $* fails with $status: $pattern"
}

works '^limn [0-9]' --version
works '^  devices ' --help
for verb in devices env info bench; do
    works "^  limn $verb\|limn $verb" "$verb" --help
    works '^example:' "$verb" -h
    fails 2 "nearest: --help" "$verb" --hlep
done
works '^cpu  *cpu, .*picked by auto' devices
works '^ref  *reference' devices
works '^\[{"name":"cpu","kind":"cpu","vendor":.*"levels":\["scalar".*"class":"exact",.*"auto":true}.*\]$' devices --json
works '^LIMN_BACKEND  *(unset) -> cpu ' env
works '^LIMN_BACKEND  *ref  ' --backend ref env
works '"LIMN_THREADS":{"value":"3","effective":"3"' env --json --threads=3
works '^version: ' info
works '^Conv  *LINEAR  *2-3 .* smooth' info --ops
works '"id":"CONV","name":"Conv","class":"LINEAR"' info --ops --json
works '^elementwise .*Relu' bench --only elementwise --repeat 1 --threads 1
works '^{"peak":{.*},"rows":\[{"name":"gemv",.*"yardstick":.*}\]}$' bench --only gemv --repeat 1 --threads 1 --json
works '"rows":\[{"name":"conv_dx"' bench --only conv_dx --repeat 1 --threads 1 --json

fails 2 'no verb'
fails 2 'devics.*nearest: devices' devics
fails 2 'unknown verb' explain
fails 2 'unknown option' devices --ops
fails 2 'value is missing' devices --backend
fails 2 'takes no value' devices --json=1
fails 2 "leave it out" devices now
fails 2 'LIMN_THREADS=0' devices --threads 0
fails 2 'LIMN_MEM=much' devices --mem much
fails 2 'nearest: cpu' env --backend cpi
fails 2 'device list' env --backend cpu,
fails 2 'whole number' bench --repeat none
fails 2 "unknown kernel 'gem'" bench --only gem
fails 4 'one run cannot be split' env --backend cpu+ref
fails 5 'cpu:9' env --backend cpu:9
fails 6 'memory' bench --only gemm --mem 1M --threads 1

with=LIMN_CPU=scalar
works '"LIMN_CPU":{"value":"scalar","effective":"scalar"' env --json
with=LIMN_CPU=sse9
fails 2 'LIMN_CPU=sse9' env
with=LIMN_PLUGINS=$dir/none.so
if [ "${2-}" = plugins ]; then fails 5 'none.so' devices; else fails 4 'cannot load any' devices; fi
case $(uname -m) in
x86_64) with=LIMN_CPU=neon ;;
*) with=LIMN_CPU=avx2 ;;
esac
fails 2 'another architecture' env
with=

"$limn" env --backend nothing --json >"$dir/out" 2>"$dir/err"
grep -q '^{"error":{"status":2,"message":".*nothing.*","node":null}}$' "$dir/out"
verdict $? "errors as JSON"
if [ -c /dev/full ]; then
    "$limn" devices >/dev/full 2>"$dir/err"
    [ $? -eq 7 ] && grep -q '^limn: error: standard output: ' "$dir/err"
    verdict $? "a full disk is exit 7"
fi
{ "$limn" info --ops 2>"$dir/err"; echo $? >"$dir/status"; } | : 2>/dev/null
sleep 0.1
[ "$(cat "$dir/status")" -eq 7 ] || [ "$(cat "$dir/status")" -eq 0 ]
verdict $? "a reader that leaves is exit 7"
"$limn" _completion >"$dir/out" 2>"$dir/err" && grep -q '^complete -F' "$dir/out"
verdict $? "completion"
"$limn" _man >"$dir/out" 2>"$dir/err" && grep -q '^\.TH LIMN 1' "$dir/out" && grep -q 'backend' "$dir/out"
verdict $? "manual page"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
