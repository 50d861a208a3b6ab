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
    verdict $? "$with limn $* gives $pattern"
}

# warns PATTERN WARNING WORD...: exit 0, a line of stdout matches, stderr is warnings only and one matches
warns() {
    pattern=$1 warning=$2
    shift 2
    env $with "$limn" "$@" >"$dir/out" 2>"$dir/err" </dev/null
    [ $? -eq 0 ] && grep -q -e "$pattern" "$dir/out" && grep -q -e "$warning" "$dir/err" && ! grep -q -v '^limn: warning: ' "$dir/err"
    verdict $? "$with limn $* gives $pattern and warns $warning"
}

# fails STATUS PATTERN WORD...: that exit, stdout empty, one line "limn: error: what: why; what to do" that matches
fails() {
    status=$1 pattern=$2
    shift 2
    env $with "$limn" "$@" >"$dir/out" 2>"$dir/err" </dev/null
    [ $? -eq "$status" ] && [ ! -s "$dir/out" ] && [ "$(wc -l <"$dir/err")" -eq 1 ] &&
        grep -q -e '^limn: error: [^:]*: .*; .*' "$dir/err" && grep -q -e "$pattern" "$dir/err"
    verdict $? "$with limn $* fails with $status: $pattern"
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
works '^LIMN_LOG  *(unset) -> warn ' env
works '^ref .*picked by --backend$' devices --backend ref
works '^cpu .*picked by auto$' devices --backend ref
works '"name":"ref",.*"picked":true,"auto":false}' devices --backend ref --json
works '"name":"cpu",.*"picked":true,"auto":true}' devices --json
works '^device: ref$' info --backend ref
works '"device":"ref"' info --backend ref --json
works 'name+name' devices --help
works '--mem SIZE .* 0 for no limit' --help
works '^version: ' info
works '^Conv  *LINEAR  *2-3 .* smooth' info --ops
works '"id":"CONV","name":"Conv","class":"LINEAR"' info --ops --json

# A row of bench that beats its yardstick is warned of, so on a busy machine there may be any number of warnings.
bench() {
    pattern=$1
    shift
    "$limn" bench "$@" >"$dir/out" 2>"$dir/err" </dev/null
    [ $? -eq 0 ] && grep -q -e "$pattern" "$dir/out" && ! grep -q -v '^limn: warning: .* of a yardstick measured twice; ' "$dir/err"
    verdict $? "limn bench $* gives $pattern"
}
bench '^elementwise .*Relu' --only elementwise --repeat 1 --threads 1
bench '^{"peak":{.*},"rows":\[{"name":"gemv",.*"yardstick":.*}\]}$' --only gemv --repeat 1 --threads 1 --json
bench '"rows":\[{"name":"conv_dx"' --only conv_dx --repeat 1 --threads 1 --json
bench '"rows":\[{"name":"depthwise"' --only depthwise,softmax,elementwise,gemv --repeat 1 --json
above=$(tr ',' '\n' <"$dir/out" | sed -n 's/^"peak_fraction"://p' | awk '$1 > 1 { n++ } END { print n + 0 }')
[ "$above" -eq "$(wc -l <"$dir/err")" ]
verdict $? "bench warns of each of $above rows that beat their yardstick"

fails 2 'no verb'
fails 2 'devics.*nearest: devices' devics
fails 2 "error: '': unknown verb" ''
long=$(head -c 5000 /dev/zero | tr '\0' a)
fails 2 'unknown verb' "$long"
fails 2 'unknown option' devices "--$long"
fails 2 'leave it out' devices "$long"
fails 2 'is no device name; ' devices --backend "$long"
fails 2 "cpu has no option 'a*'; it takes isa" devices --backend "cpu:$long=1"
fails 2 'give a number of bytes' devices --mem "$long"
fails 2 'unknown verb' explain
fails 2 'unknown option' devices --ops
fails 2 'value is missing' devices --backend
fails 2 'takes no value' devices --json=1
fails 2 "leave it out" devices now
fails 2 'error: --threads=0: ' devices --threads 0
fails 2 'error: --threads=4097: ' env --threads 4097
fails 2 'error: --mem=much: ' devices --mem much
for verb in devices env info bench; do
    fails 2 'nearest: cpu' $verb --backend cpi
    fails 2 "cpu has no option 'nope'; it takes isa|threads" $verb --backend ref,cpu:nope=1
done
fails 2 "'isa=' is missing" devices --backend cpu:isa=
fails 2 'error: devices: ref: type=f16: ' devices --backend ref:type=f16
fails 2 "with 'a.nb.x1b.x7fé'" devices "$(printf 'a\nb\033\177\303\251')"
fails 2 'device list' env --backend cpu,
fails 2 'whole number' bench --repeat none
fails 2 "unknown kernel 'gem'" bench --only gem
fails 4 'one run cannot be split' env --backend cpu+ref
fails 5 'cpu:9' env --backend cpu:9
fails 6 'memory' bench --only gemm --mem 1M --threads 1

with=LIMN_CPU=scalar
works '"LIMN_CPU":{"value":"scalar","effective":"scalar"' env --json
works '^LIMN_THREADS  *(unset) -> 1 ' env --backend cpu:threads=1
with=LIMN_THREADS=2
works '^LIMN_THREADS  *2 -> 1 ' env --backend cpu:threads=1
warns '^LIMN_THREADS  *4096 -> ' 'cpu: 4096 threads for [0-9]* processor' env --threads 4096
warns '"threads":' '4096 threads for' bench --only pool --repeat 1 --json --threads 4096
with=
case $(uname -m) in
x86_64)
    works '^LIMN_CPU  *(unset) -> scalar (by the device list) ' env --backend cpu:isa=scalar
    with=LIMN_CPU=avx2
    works '^LIMN_CPU  *avx2 -> scalar (by the device list) ' env --backend cpu:isa=scalar ;;
esac

# Those who want to know what is wrong are told by env and info, which get past it; the others refuse.
with=LIMN_CPU=sse9
fails 2 'LIMN_CPU=sse9' devices
warns '^LIMN_CPU  *sse9 -> refused' 'LIMN_CPU=sse9' env
warns '"LIMN_CPU":{"value":"sse9","effective":"refused: LIMN_CPU=sse9: ' 'LIMN_CPU=sse9' env --json
warns '^version: ' 'LIMN_CPU=sse9' info
with=LIMN_BACKEND=nothing
fails 2 'nothing: unknown device' devices
warns '^LIMN_BACKEND  *nothing -> refused, instead cpu ' 'LIMN_BACKEND: nothing: unknown device' env
warns '^device: cpu$' 'LIMN_BACKEND: nothing: unknown device' info
works '^LIMN_BACKEND  *ref  ' env --backend ref
with=LIMN_BACKEND=cpu:9
warns '^LIMN_BACKEND  *cpu:9 -> refused' 'this machine has none' env
warns '^cpu .*picked by auto$' 'LIMN_BACKEND: no device can be used: cpu:9' devices
for bad in LIMN_MEM=3x LIMN_LOG=loud LIMN_THREADS=two; do
    with=$bad
    fails 2 "$bad: give" devices
    warns "^${bad%=*}  *${bad#*=} -> refused" "$bad: give" env
done
with=LIMN_MEM=1
works '^LIMN_MEM  *1  ' env
with=LIMN_PLUGINS=$dir/none.so
if [ "${2-}" = plugins ]; then fails 5 'none.so' devices; else fails 4 'cannot load any' devices; fi
warns '^LIMN_PLUGINS  .*none.so -> refused' 'LIMN_PLUGINS: plug-in .*none.so' env
warns '^devices: cpu' 'LIMN_PLUGINS: plug-in .*none.so' info
if [ "${2-}" = plugins ]; then
    head -c 5000 "$limn" >"$dir/cut.so"
    with=LIMN_PLUGINS=$dir/cut.so
    fails 5 'it ends inside a segment' devices
fi
case $(uname -m) in
x86_64) with=LIMN_CPU=neon ;;
*) with=LIMN_CPU=avx2 ;;
esac
fails 2 'LIMN_CPU: .*another architecture' devices
warns '^LIMN_CPU .* -> refused' 'another architecture' env
with=

"$limn" env --backend nothing --json >"$dir/out" 2>"$dir/err"
grep -q '^{"error":{"status":2,"message":".*nothing.*","node":null}}$' "$dir/out"
verdict $? "errors as JSON"
for words in "devices --no-such --json" "devices --json --no-such" "--json" "nothing --json" "devices --json --backend" \
    "bench --repeat none --json"; do
    "$limn" $words >"$dir/out" 2>"$dir/err"
    [ $? -eq 2 ] && [ "$(wc -l <"$dir/out")" -eq 1 ] && [ "$(wc -l <"$dir/err")" -eq 1 ] &&
        grep -q '^{"error":{"status":2,"message":".*","node":null}}$' "$dir/out"
    verdict $? "limn $words fails in JSON"
done
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
"$limn" _man >"$dir/out" 2>"$dir/err" && grep -q '^\.TH LIMN 1' "$dir/out" && grep -q 'backend' "$dir/out" &&
    grep -q 'name+name' "$dir/out" && grep -q 'LIMN_PLUGINS' "$dir/out"
verdict $? "manual page"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
