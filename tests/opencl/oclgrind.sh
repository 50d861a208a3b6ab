#!/bin/sh
# Kernels in a simulator that checks every access and every race: each kernel file at least once, in both families.
#
#   oclgrind.sh BUILD [OP...]     all, or the cases of these ops
#
# Needs Debian's oclgrind, whose driver is named instead of those of the machine: two compilers of one make do not get on
# in one process. Its check for values that nobody wrote does not know all instructions and stays off, and Abs of integers
# is left out for the same reason. Products take a quarter of an hour, the rest minutes.
set -eu
checkop=$1/tests/checkop
shift
[ $# -gt 0 ] || set -- Relu Gelu ActGrad Add Where Cast FusedElementwise MatMul Conv ConvTranspose ConvWeightGrad MaxPool \
    MaxPoolGrad AveragePoolGrad LpPool Softmax SoftmaxGrad LayerNormalization ReduceSum ReduceLogSumExp Gather GatherND \
    GatherGrad ScatterElements ScatterND Concat Pad Tile SliceGrad Resize ResizeGrad Trilu OneHot ArgMax CumSum TopK \
    NonZero Range GradientDescent Momentum Adam
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export LIMN_CACHE_DIR="$folder" OCLGRIND_DATA_RACES=1 OCLGRIND_LOG="$folder/found"
export OCL_ICD_VENDORS="${OCLGRIND_ICD:-/usr/lib/oclgrind/liboclgrind-rt-icd.so}"
passed=0 failed=0
for family in tiles panels; do
    for op; do
        log="$folder/$family.$op.log"
        if "$checkop" check --reduced --device "opencl:0.0:family=$family" --op "$op" >"$log" 2>&1 &&
            [ ! -s "$folder/found" ]; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "$family $op"
            tail -n 5 "$log"
            head -n 30 "$folder/found" 2>/dev/null || true
            rm -f "$folder/found"
        fi
    done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
