#!/bin/sh
# The library without symbols stays below a limit. Arguments: strip, the library, bytes.
set -e
bare=$(mktemp)
trap 'rm -f "$bare"' EXIT
"$1" -s -o "$bare" "$2"
size=$(($(wc -c <"$bare")))
echo "$size bytes of at most $3"
if [ "$size" -lt "$3" ]; then
    echo "1 passed, 0 failed"
else
    echo "0 passed, 1 failed"
    exit 1
fi
