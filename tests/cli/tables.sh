#!/bin/sh
# shellcheck disable=SC2086,SC2154,SC2181
# Long tables, which are read, run and written part by part: what comes out is what comes of all rows at once, in memory that
# does not grow with them. tables.sh LIMN MAKE_MODELS
limn=$1
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"
m=$dir/models
mkdir "$m" && "$2" "$m" || exit 1

# Two files are stacked and run at once; one file of the same rows comes in parts.
rows() { # FIRST LAST
    seq "$1" "$2" | awk '{ printf "%d,%.3f,\"%.2f\",%d\n", $1 % 7, $1 / 1000, 1 - $1 / 3000, $1 % 3 }'
}
{ echo a,b,c,d && rows 1 9001; } >"$dir/all.csv"
{ echo a,b,c,d && rows 1 4500; } >"$dir/one.csv"
{ echo a,b,c,d && rows 4501 9001; } >"$dir/two.csv"

same() { # VERB FILE WORD...
    verb=$1 file=$2
    shift 2
    "$limn" $verb "$m/mlp.onnx" "$dir/all.csv" -q "$@" -o "$dir/parts.$file" >"$dir/parts.out" 2>"$dir/err" &&
        "$limn" $verb "$m/mlp.onnx" "$dir/one.csv" "$dir/two.csv" -q "$@" -o "$dir/whole.$file" >"$dir/out" 2>>"$dir/err"
    [ $? -eq 0 ] && [ ! -s "$dir/err" ] && cmp -s "$dir/parts.$file" "$dir/whole.$file"
    verdict $? "$verb $* gives the same $file in parts"
}
same predict npy
same predict npz --capture fc1
same predict csv
same explain npy --method input_x_gradient
same explain npz --method input_x_gradient,saliency --target top,all
same explain npz --method gradient_shap --set samples=2 --set stdev=0.1
same explain npz --method saliency --noise smoothgrad:samples=2
same explain npz --method ig --set steps=2 --baseline noise

ran "$limn" explain "$m/mlp.onnx" "$dir/all.csv" --method input_x_gradient --backend cpu+cpu
[ $? -eq 0 ] && [ "$(grep -c '^on cpu (.*) + cpu (.*)' "$dir/out")" -eq 1 ]
verdict $? "the devices of all parts are told once"
warns 'bird\|^[0-9]' 'captured goes to files' predict "$m/turned.onnx" "$dir/all.csv" --capture turned
[ "$(grep -c 'captured goes to files' "$dir/err")" -eq 1 ]
verdict $? "and so is what --capture lacks"

# Texts name the rows, so they are compared by these.
sed_names='s,[^"]*all.csv:[0-9]*,,; s,[^"]*\(one\|two\).csv:[0-9]*,,'
for words in 'predict' 'explain --method input_x_gradient'; do
    # shellcheck disable=SC2046
    set -- $words
    verb=$1
    shift
    "$limn" $verb "$m/mlp.onnx" "$dir/all.csv" -q "$@" | sed "$sed_names" >"$dir/parts.out"
    "$limn" $verb "$m/mlp.onnx" "$dir/one.csv" "$dir/two.csv" -q "$@" | sed "$sed_names" >"$dir/out"
    [ -s "$dir/out" ] && cmp -s "$dir/parts.out" "$dir/out"
    verdict $? "$words says the same in parts"
done
for words in 'predict' 'explain --method input_x_gradient'; do
    # shellcheck disable=SC2046
    set -- $words
    verb=$1
    shift
    "$limn" $verb "$m/mlp.onnx" "$dir/all.csv" -q "$@" --json -o "$dir/parts.json" >"$dir/out"
    [ "$(tr '{' '\n' <"$dir/out" | grep -c '"source":"[^"]*/all.csv:[0-9]*"')" -eq 9001 ] && grep -q 'all.csv:9000"' "$dir/out"
    verdict $? "$words names every row"
    sed 's/"run":.*//' "$dir/out" >"$dir/said"
    sed 's/"run":.*//' "$dir/parts.json" | cmp -s - "$dir/said"
    verdict $? "$words says what it writes"
done

# What cannot come in parts is run at once: a value without a row per sample, an array with one.
"$limn" predict "$m/turned.onnx" "$dir/all.csv" --capture turned -q -o "$dir/parts.npz" >"$dir/out" 2>"$dir/err" &&
    "$limn" predict "$m/turned.onnx" "$dir/one.csv" "$dir/two.csv" --capture turned -q -o "$dir/whole.npz" >"$dir/out" 2>"$dir/err"
[ $? -eq 0 ] && cmp -s "$dir/parts.npz" "$dir/whole.npz"
verdict $? "a value that has its samples elsewhere is whole"
same explain npz --method ig --set steps=2 --baseline value:0.5

# What lacks is told once for each input, in whichever part it lacks.
{ echo a,b && seq 3000 | awk '{ print ($1 == 4 || $1 == 2900 ? "" : $1) "," ($1 == 2500 ? "" : $1) }'; } >"$dir/lacks.csv"
warns '2500$' "line 5, column 1 'a': has no value" predict "$m/columns.onnx" "$dir/lacks.csv" --allow-nan
grep -q "line 2501, column 2 'b': has no value" "$dir/err" && [ "$(wc -l <"$dir/err")" -eq 2 ]
verdict $? "each input tells the first value that it lacks"

# Memory does not hang on the number of rows, and what fails late leaves nothing.
for verb in 'predict' 'explain --method input_x_gradient'; do
    # shellcheck disable=SC2046
    set -- $verb
    verb=$1
    shift
    "$limn" $verb "$m/mlp.onnx" "$dir/all.csv" -q "$@" --mem 3M -o "$dir/small.npz" -o "$dir/small.json" >/dev/null 2>"$dir/err"
    verdict $? "$verb runs 9001 rows in 3 MB"
    "$limn" $verb "$m/mlp.onnx" "$dir/one.csv" "$dir/two.csv" -q "$@" --mem 3M -o "$dir/small.npz" -o "$dir/small.json" >/dev/null 2>&1
    [ $? -eq 6 ]
    verdict $? "where they need more at once"
done
sed '9001s/,/,x/' "$dir/all.csv" >"$dir/bad.csv"
fails 3 "bad.csv: line 9001, column 2 'b': 'x9.000'\|bad.csv: line 9001" predict "$m/mlp.onnx" "$dir/bad.csv" -q -o "$dir/late.npz" -o "$dir/late.csv"
fails 3 'bad.csv: line 9001' explain "$m/mlp.onnx" "$dir/bad.csv" -q --method saliency -o "$dir/late.json"
sed '9001s/$/,1/' "$dir/all.csv" >"$dir/ragged.csv"
fails 3 'ragged.csv: line 9001 has 5 columns, but the first has 4' predict "$m/mlp.onnx" "$dir/ragged.csv"
# shellcheck disable=SC2144
[ ! -e "$dir/late.npz" ] && [ -z "$(find "$dir" -name '*.tmp')" ]
verdict $? "and nothing is left behind"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
