#!/bin/sh
# Every header of the public interface and of the device interface compiles alone, in C and in C++:
#   headers.sh TOP CC CXX PUBLIC... -- BACKEND...      CXX may be empty; paths are from TOP
top=$1 cc=$2 cxx=$3
shift 3
flags="-fsyntax-only -Wall -Wextra -Wpedantic -Werror -I$top/include"
passed=0 failed=0

# try COMPILER LANGUAGE NAME
try() {
    # $1 may be several words: a compiler with its options
    # shellcheck disable=SC2086
    if printf '#include <%s>\n#include <%s>\n' "$3" "$3" | $1 -x $2 $flags -; then
        passed=$((passed + 1))
    else
        echo "$3 does not stand alone in $2"
        failed=$((failed + 1))
    fi
}

for path; do
    if [ "$path" = -- ]; then
        flags="$flags -I$top"
        continue
    fi
    try "$cc" "c -std=c17" "${path#include/}"
    [ -z "$cxx" ] || try "$cxx" "c++ -std=c++11" "${path#include/}"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
