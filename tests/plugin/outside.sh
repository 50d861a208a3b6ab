#!/bin/sh
# The installed library as a stranger meets it: the example of its header, a device of one's own, the command.
#
#   outside.sh BUILD-FOLDER CC CXX
build=$1 cc=$2 cxx=$3
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
unset LIMN_BACKEND LIMN_CPU LIMN_THREADS LIMN_MEM LIMN_LOG LIMN_PLUGINS LIMN_PLAN
passed=0 failed=0

# try WHAT COMMAND...: one check
try() {
    what=$1
    shift
    if "$@" >"$dir/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        sed 's/^/  /' "$dir/log"
    fi
}

try "meson install" meson install -C "$build" --no-rebuild --destdir "$dir/root"
pc=$(find "$dir/root" -name limn.pc)
prefix=${pc%/lib*/pkgconfig/limn.pc}
case $prefix in */lib) prefix=${prefix%/lib} ;; esac
export PKG_CONFIG_PATH="${pc%/limn.pc}"
ask() { pkg-config --define-variable=prefix="$prefix" "$@" limn; }
libdir=$(dirname "$(dirname "$pc")")
export LD_LIBRARY_PATH="$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
flags=$(ask --cflags)
libs=$(ask --libs)
backend=$(ask --variable=backend_includedir)

# The example stands in the header's first comment, indented.
sed -n '/^ \*     #include/,/^ \*     }$/s/^ \*     \{0,1\}//p' "$prefix/include/limn/device.h" >"$dir/example.c"
cp "$dir/example.c" "$dir/example.cc"
# shellcheck disable=SC2086
try "the header's example compiles" "$cc" -std=c17 -Wall -Wextra -Wpedantic -Werror $flags "$dir/example.c" -o "$dir/example" $libs
try "the header's example runs" sh -c '"$1" | grep -q "^cpu: .* 2 units"' sh "$dir/example"
# shellcheck disable=SC2086
try "the header's example is C++" "$cxx" -Wall -Wextra -Wpedantic -Werror $flags "$dir/example.cc" -o "$dir/example++" $libs

# shellcheck disable=SC2086
try "a device compiles against the installed headers" "$cc" -shared -fPIC -Wall -Wextra -Werror $flags -I"$backend" \
    "$here/sample.c" -o "$dir/sample.so"
try "a device links nothing of Limn" sh -c '! nm -u "$1" | grep -E " (lm_|limn_)"' sh "$dir/sample.so"
export LIMN_PLUGINS="$dir/sample.so"
limn=$prefix/bin/limn
try "the command finds the device" sh -c '"$1" devices | grep -q "^sample "' sh "$limn"
try "the command opens the device" "$limn" env --backend sample
"$build/tests/checkop" check --reduced --device sample >"$dir/checkop" 2>&1
try "checkop passes on the device" test $? -eq 0
tail -n 1 "$dir/checkop"
unset LIMN_PLUGINS
try "the manual page is there" find "$prefix/share/man/man1/limn.1"
try "the completion is there" find "$prefix/share/bash-completion/completions/limn.bash"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
