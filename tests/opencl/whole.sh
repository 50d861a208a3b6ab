#!/bin/sh
# All that can be asked of an OpenCL device: every op, every explanation with a golden, the ONNX suite. Where programs are
# compiled on the processor the first time takes half an hour, later ones minutes.
#
#   whole.sh BUILD [DEVICE [SUITE]]     SUITE: a folder of the ONNX backend suite
set -u
build=$1
device=${2:-opencl:0.0}
suite=${3:-}
top=$(cd "$(dirname "$0")/../.." && pwd)
export LIMN_CACHE_DIR="${LIMN_CACHE_DIR:-$build/opencl}" POCL_CACHE_DIR="${POCL_CACHE_DIR:-$build/opencl/pocl}"
mkdir -p "$POCL_CACHE_DIR"
status=0
"$build/tests/checkop" check --device "$device" || status=1
"$build/tests/checkop" check --reduced --device "$device:family=tiles" || status=1
"$build/tests/golden/test_golden" "$top/tests/golden" "$device,cpu" || status=1
if [ -n "$suite" ]; then
    for tier in 1 2; do
        "$build/tests/onnx/onnx-suite" --tier $tier --backend "$device,cpu" --limit 300 --lists "$top/tests/onnx" \
            "$suite" || status=1
    done
fi
exit $status
