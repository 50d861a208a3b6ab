#!/bin/sh
# Kernels in a simulator that checks every access and every race: every op, in both families, on small cases, and the
# products also on some that take several tiles and chains.
#
#   oclgrind.sh BUILD                        all of it: hours
#   oclgrind.sh BUILD tiles Conv MatMul      a slice: families (tiles, panels) and ops; without one, all of them
#   oclgrind.sh BUILD quick                  a kernel of each kind, under a minute
#
# A line for each op says how many checks it passed and in how many seconds; LIMIT (3600) is how many a part of it may
# take. What the simulator finds it says on stderr, so any word there is a failure. With one unit to fill, kernels take
# large tiles and blocks; with 999, small ones.
#
# Needs Debian's oclgrind, whose driver is named instead of those of the machine: two compilers of one make do not get
# on in one process. Its own check for values that nobody wrote stays off: of global memory it knows only what the host
# wrote, not what one kernel leaves for the next, and it stops at instructions of its own compiler (freeze). checkop
# hands out scratch full of NaN instead. Operands lie in buffers of just their size (--tight).
set -eu
checkop=$1/tests/checkop
shift
families='' ops='' quick=''
for word; do
    case $word in
    tiles | panels) families="$families $word" ;;
    quick) quick=y ops='Gemm Where Softmax MaxPool Gather ScatterND Resize TopK Concat Adam' ;;
    *) ops="$ops $word" ;;
    esac
done
[ -n "$families" ] || families='panels tiles'
[ -n "$ops" ] || ops=$("$checkop" check --list --reduced | cut -d. -f1 | awk '!seen[$0]++')
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OCLGRIND_DATA_RACES=1
LIMIT=${LIMIT:-3600}
export OCL_ICD_VENDORS="${OCLGRIND_ICD:-/usr/lib/oclgrind/liboclgrind-rt-icd.so}"
unset OCLGRIND_LOG

# Of an op's small cases the first, the middle and the last of each row of the table: tiles are simulated whole, however
# little of them is used.
few() {
    "$checkop" check --list --reduced --op "$1" | awk -F. '
        { row = $1 "." $2; if (!n[row]++) rows[++k] = row; at[row, n[row]] = $0 }
        END { for (i = 1; i <= k; i++) { r = rows[i]; m = n[r]; print at[r, 1]
            if (m > 2) print at[r, int((m + 1) / 2)]
            if (m > 1) print at[r, m] } }'
}

# Products with several tiles each way, several chains, many taps; the last ones for the family that is fast here.
large() {
    case $1 in
    [Mm]at[Mm]ul) echo matmul.tall matmul.wide matmul.blocks.m97k520n131 ;;
    [Cc]onv) echo conv.straddling conv.large conv.few_outputs_long conv.7x7_stride2 ;;
    conv_t | ConvTranspose) echo conv_t.straddling conv_t.phase_without_pixels.m17 ;;
    conv_dw | ConvWeightGrad) echo conv_dw.1d ;;
    esac
    [ "$2" = tiles ] || case $1 in
    conv_t | ConvTranspose) echo conv_t.few_outputs_stride2 ;;
    conv_dw | ConvWeightGrad) echo conv_dw.folded conv_dw.folded.special conv_dw.long_rows ;;
    esac
}

passed=0 failed=0
# slice FAMILY UNITS WHAT...: one run of checkop, counted
slice() {
    family=$1 status=0
    export LIMN_CACHE_DIR="$folder/$2" OCLGRIND_COMPUTE_UNITS="$2"
    shift 2
    : >"$folder/found"
    timeout "$LIMIT" "$checkop" check --tight --device "opencl:0.0:family=$family" "$@" >"$folder/log" \
        2>"$folder/found" || status=$?
    p=$(sed -n 's/^\([0-9]*\) passed, .*/\1/p' "$folder/log")
    f=$(sed -n 's/.* passed, \([0-9]*\) failed$/\1/p' "$folder/log")
    [ -n "$p" ] || p=0 f=1
    [ "$f" -gt 0 ] || [ "$status" -eq 0 ] || f=1
    if [ -s "$folder/found" ]; then
        f=$((f + 1))
        head -n 30 "$folder/found"
    fi
    [ "$status" -ne 124 ] || echo "$family $*: not done in $LIMIT s"
    [ "$f" -eq 0 ] || tail -n 5 "$folder/log"
    passed=$((passed + p)) failed=$((failed + f))
}

for family in $families; do
    for op in $ops; do
        before=$passed good=$failed start=$(date +%s) more=$([ -n "$quick" ] || large "$op" "$family")
        if [ "$family" = tiles ] && [ -n "$more" ]; then
            for name in $(few "$op"); do
                slice "$family" 999 --case "$name"
            done
        else
            slice "$family" 1 --reduced --op "$op"
        fi
        for name in $more; do
            slice "$family" 1 --case "$name"
        done
        printf '%-7s %-20s %5d checks %4d s%s\n' "$family" "$op" $((passed - before)) $(($(date +%s) - start)) \
            "$([ "$failed" -eq "$good" ] || echo '  FAILED')"
    done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
