#!/bin/sh
# Checks and figures on a machine with a GPU that has no compiler and no network.
#
#   gpu.sh pack BUILD FOLDER [FILE...]   here: put programs, the OpenCL loader and models into a folder
#   gpu.sh run FOLDER [DEVICE]           there: checkop, products, and integrated gradients where there are models
#
# Build for it with everything optional off, so that the programs need the C library alone:
#   meson setup BUILD -Dbackends=cpu,opencl -Dhwloc=disabled -Dpng=disabled -Djpeg=disabled -Dzlib=disabled \
#     -Dcjson=disabled -Dutf8proc=disabled
#   ninja -C BUILD tools/limn/limn tests/checkop tests/opencl/opencl-products
set -eu

usage() {
    sed -n '2,6p' "$0"
    exit 2
}

pack() {
    build=$1 folder=$2
    shift 2
    mkdir -p "$folder"
    for program in tools/limn/limn tests/checkop tests/opencl/opencl-products; do
        cp "$build/$program" "$folder/"
        strip "$folder/$(basename $program)" 2>/dev/null || true
    done
    loader=$(ldconfig -p 2>/dev/null | awk '/libOpenCL.so.1/ {print $NF; exit}')
    [ -z "$loader" ] || cp -L "$loader" "$folder/libOpenCL.so.1"
    for file; do
        cp "$file" "$folder/"
    done
    cp "$0" "$folder/gpu.sh"
    du -sh "$folder"
}

# Where no .icd file names the driver, it is named here.
find_driver() {
    ls /etc/OpenCL/vendors/*.icd >/dev/null 2>&1 && return
    for name in libnvidia-opencl.so.1 libamdocl64.so libigdrcl.so; do
        path=$(ldconfig -p 2>/dev/null | awk -v n="$name" '$1 == n {print $NF; exit}')
        for at in "$path" "/usr/lib/x86_64-linux-gnu/$name" "/usr/lib64/$name" "/usr/local/nvidia/lib64/$name"; do
            if [ -n "$at" ] && [ -e "$at" ]; then
                mkdir -p "$folder/vendors"
                echo "$at" >"$folder/vendors/driver.icd"
                export OCL_ICD_VENDORS="$folder/vendors/"
                echo "driver: $at"
                return
            fi
        done
    done
    echo "no OpenCL driver found"
}

run() {
    folder=$(cd "$1" && pwd)
    device=${2:-opencl:0.0}
    export LIMN_CACHE_DIR="${LIMN_CACHE_DIR:-$folder/cache}"
    export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder"
    chmod +x "$folder/limn" "$folder/checkop" "$folder/opencl-products"
    find_driver
    "$folder/limn" devices
    echo "== products"
    timeout 150 "$folder/opencl-products" "$device" 20 32 1024 2048 4096 || true
    echo "== checkop"
    timeout 240 "$folder/checkop" check --device "$device" --reduced >"$folder/checkop.txt" 2>&1 || true
    grep -A1 '^checkop' "$folder/checkop.txt" | head -40 || true
    tail -n 2 "$folder/checkop.txt"
    for model in "$folder"/*.onnx; do
        [ -e "$model" ] || continue
        input="${model%.onnx}.input.npy"
        echo "== $(basename "$model")"
        for on in "$device" cpu; do
            "$folder/limn" bench --backend "$on" --repeat 20 "$model" "$input" | tail -n 1
            "$folder/limn" bench --backend "$on" --repeat 3 -m ig --set steps=50 "$model" "$input" | tail -n 1
            "$folder/limn" explain --backend "$on" -q -m ig --set steps=10 -o "$folder/ig-${on%%:*}.npy" \
                "$model" "$input" || true
        done
        cmp "$folder/ig-${device%%:*}.npy" "$folder/ig-cpu.npy" && echo "ig: same bits as cpu"
    done
}

[ $# -ge 2 ] || usage
verb=$1
shift
case $verb in
pack) [ $# -ge 2 ] || usage; pack "$@" ;;
run) run "$@" ;;
*) usage ;;
esac
