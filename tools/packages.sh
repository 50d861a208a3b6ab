# Sourced by tools/demo and tools/check: find out which tools are missing and install only those.
# shellcheck shell=bash

# What a command comes from, on Debian and its relatives; a name that begins with "pc:" is a pkg-config module, "lib:" a
# runtime library of clang, '/' a file.
packages='
cc gcc
gcc gcc
clang clang
lib:asan libclang-rt-14-dev
lib:fuzzer libclang-rt-14-dev
lib:tsan libclang-rt-14-dev
meson meson
ninja ninja-build
pkg-config pkg-config
nm binutils
g++ g++
pc:hwloc libhwloc-dev
pc:zlib zlib1g-dev
pc:libpng libpng-dev
pc:libjpeg libjpeg62-turbo-dev
pc:libcjson libcjson-dev
pc:libutf8proc libutf8proc-dev
/usr/include/CL/cl.h opencl-c-headers
pc:OpenCL ocl-icd-opencl-dev
/etc/OpenCL/vendors/pocl.icd pocl-opencl-icd
/usr/lib/oclgrind/liboclgrind-rt-icd.so oclgrind
xz xz-utils
chromium chromium
qemu-aarch64 qemu-user
qemu-arm qemu-user
qemu-riscv64 qemu-user
aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
arm-linux-gnueabihf-gcc gcc-arm-linux-gnueabihf
riscv64-linux-gnu-gcc gcc-riscv64-linux-gnu
/usr/aarch64-linux-gnu/include/stdio.h libc6-dev-arm64-cross
/usr/arm-linux-gnueabihf/include/stdio.h libc6-dev-armhf-cross
/usr/riscv64-linux-gnu/include/stdio.h libc6-dev-riscv64-cross
'

have() {
    case $1 in
    pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
    lib:*) ls "$(clang -print-resource-dir 2>/dev/null)"/lib/linux/libclang_rt."${1#lib:}"-*.a >/dev/null 2>&1 ;;
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

# The names among "$@" that are not there.
missing() {
    local name
    for name; do have "$name" || echo "$name"; done
}

package_of() {
    awk -v name="$1" '$1 == name { print $2 }' <<<"$packages"
}

# Install what is missing of "$@", or say what to install. Succeeds when everything is there afterwards.
provide() {
    local names name wanted=() as_root=()
    mapfile -t names < <(missing "$@")
    [ ${#names[@]} -eq 0 ] && return 0
    for name in "${names[@]}"; do wanted+=("$(package_of "$name")"); done
    mapfile -t wanted < <(printf '%s\n' "${wanted[@]}" | sort -u)
    if [ "$(id -u)" -ne 0 ]; then
        if sudo -n true 2>/dev/null; then as_root=(sudo -n); else as_root=(false); fi
    fi
    if ! command -v apt-get >/dev/null || [ "${as_root[0]-}" = false ]; then
        echo "missing: ${names[*]}; install: ${wanted[*]}" >&2
        return 1
    fi
    echo "installing: ${wanted[*]}" >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update >/dev/null
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install -y --no-install-recommends "${wanted[@]}" >/dev/null || return 1
    mapfile -t names < <(missing "$@")
    [ ${#names[@]} -eq 0 ] || { echo "still missing: ${names[*]}" >&2; return 1; }
}

# configure FOLDER OPTION...: a build folder for the sources as they are now, from scratch where the old one does not fit.
configure() {
    local dir=$1
    shift
    if [ -d "$dir/meson-private" ]; then
        meson setup --reconfigure "$dir" "$top" "$@" >"$dir.log" 2>&1 && return
        meson setup --wipe "$dir" "$top" "$@" >"$dir.log" 2>&1 && return
    else
        mkdir -p "$(dirname "$dir")"
        meson setup "$dir" "$top" "$@" >"$dir.log" 2>&1 && return
    fi
    cat "$dir.log" >&2
    return 1
}
