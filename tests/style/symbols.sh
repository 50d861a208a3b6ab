#!/bin/sh
# Only the public interface leaves the shared library: symbols.sh NM LIBRARY
nm=$1 library=$2
[ -e "$library" ] || { echo "skipped: no shared library in this build"; echo "0 passed, 0 failed"; exit 77; }
names=$("$nm" -D --defined-only "$library" | awk '{ sub(/@.*/, "", $NF); print $NF }')
passed=0 failed=0
for name in $names; do
    case $name in
    limn_*) passed=$((passed + 1)) ;;
    *) echo "$library exports $name; give it hidden visibility"; failed=$((failed + 1)) ;;
    esac
done
[ "$passed" -gt 5 ] || { echo "$library exports only $passed functions"; failed=$((failed + 1)); }
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
