#!/bin/sh
# shellcheck disable=SC2086,SC2154,SC2181
# The contract of `limn demo` and `limn compare`. demo.sh LIMN WHAT_IS_BUILT_IN
limn=$1
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"
case $2 in *png*) png=yes ;; *) png= ;; esac
d=$dir/demo

holds() { # CONDITION of awk
    awk "BEGIN { exit !($1) }"
    verdict $? "$1"
}

works '^limn demo - ' demo --help
works '^Open .*/demo/report.html$' demo -o "$d"
grep -q 'honest' "$dir/out" && grep -q '04-triangle-marked .*triangle .*star .*wrong$' "$dir/out"
verdict $? "the second network takes the marked triangle for a star"
grep -q -i '^<!doctype html>' "$d/report.html" && [ "$(wc -c <"$d/report.html")" -lt 1000000 ] &&
    grep -q '</html>' "$d/report.html" && ! grep -q -E '(src|href)="?https?:' "$d/report.html"
verdict $? "the report is one page below 1 MB that fetches nothing"
for file in honest.onnx cheat.onnx on-the-shape.svg in-the-corner.svg ${png:+honest.png cheat.png overview.png 01-star.png}; do
    [ -s "$d/$file" ]
    verdict $? "$file is there"
done
works '^{"folder":' demo --json -o "$d"
[ "$(grep -o '"right":true' "$dir/out" | wc -l)" -ge 17 ] && [ "$(grep -o '"right":false' "$dir/out" | wc -l)" -ge 2 ]
verdict $? "the honest network is right, the other one not always"
# Weight in the corner, gradcam: first the honest network, then the cheat.
corner=$(grep -o '"corner":{[^}]*}' "$dir/out" | sed -n 's/.*"gradcam":\([0-9.e-]*\).*/\1/p' | tr '\n' ' ')
set -- $corner
holds "${1:-1} < 0.06 && ${2:-0} > 0.2"
cp "$d/cheat.onnx" "$dir/cheat.onnx"
works '^{"folder":' demo --json -o "$dir/again" --threads 1
for file in on-the-shape.svg ${png:+cheat.png 01-star.png}; do
    cmp -s "$d/$file" "$dir/again/$file"
    verdict $? "$file is the same with one thread"
done
touch "$dir/file"
fails 7 'cannot be made' demo -o "$dir/file/below"
fails 2 'does not know' demo model.onnx
fails 2 'given twice' demo -o "$dir/a" -o "$dir/b"

m=$d/cheat.onnx
x=$d/04-triangle-marked.png
if [ -z "$png" ]; then
    echo "$passed passed, $failed failed"
    exit $((failed > 0))
fi
works 'explained here is$' explain "$m" "$x" --method guided_backprop,ig -t 2-3
works 'weight lies in the upper left corner (2[0-9]%)' explain "$m" "$x" --method guided_backprop
works 'star' predict "$m" "$x" --top 1
mkdir "$dir/pictures" && cp "$x" "$dir/pictures/a.png"
for again in 1 2; do # what is written beside pictures is no picture
    ran "$limn" predict "$m" "$dir/pictures" -o "$dir/pictures/p.csv"
    [ $? -eq 0 ] && [ ! -s "$dir/err" ] && [ "$(wc -l <"$dir/pictures/p.csv")" -eq 2 ]
    verdict $? "time $again: a table goes where the pictures are"
done
fails 2 'a.png: is also an input' explain "$m" "$dir/pictures" --method saliency -o "$dir/pictures/a.png"
LC_ALL=C sed -z 's/disc\nsquare/disc_square/' "$m" >"$dir/fewer.onnx" # two labels become one
warns '^3		' 'the model.s metadata has 7 labels, but output .* has 8 classes; they are not used' predict "$dir/fewer.onnx" "$x" --top 1
works '^limn compare - ' compare --help
works '^target top (star), 4096 numbers a map$' compare "$m" "$x" --method ig,gradcam,lrp
works '^ 2 gradcam .* 1\.00 ' compare "$m" "$x" --method ig,gradcam,lrp
works '^consensus: the upper left corner (' compare "$m" "$x" --method ig,gradcam,lrp
works '^共识：左上角（' compare "$m" "$x" --method ig,gradcam,lrp --lang zh
works '^{"methods":\["ig","lrp"\],"rank_agreement":\[\[1,[-0-9.e]*\],\[[-0-9.e]*,1\]\],"size_agreement":.*,"cost":{"ig":{"forward":[0-9.]*,"backward":[0-9.]*,"ms":[0-9.]*},"lrp":' \
    compare "$m" "$x" --method ig,lrp --set steps=10 --set rules=epsplus --json
holds "$(sed -n 's/.*"ig":{"forward":\([0-9.]*\).*/\1/p' "$dir/out") == 11"
ran "$limn" compare "$m" "$x" "$d/05-square.png" --method ig,gradcam -o "$dir/c.png" -o "$dir/c.svg" -o "$dir/c.html" -o "$dir/c.json"
[ $? -eq 0 ] && [ ! -s "$dir/out" ] && [ ! -s "$dir/err" ]
verdict $? "files are written in silence"
head -c 4 "$dir/c.png" | grep -a -q PNG && grep -q '^<svg .*xmlns' "$dir/c.svg" && grep -q 'Rank agreement' "$dir/c.html" &&
    grep -q '"consensus":\[\[\[' "$dir/c.json"
verdict $? "each file has its form"
fails 2 'at least two methods' compare "$m" "$x" --method ig
fails 2 'one target' compare "$m" "$x" --method ig,lrp --target 1,2
fails 2 'choose one' compare "$m" "$x" --method ig,lrp -o "$dir/c.npy"
fails 3 'nothing.png' compare "$m" "$dir/nothing.png" --method ig,lrp
fails 7 'nowhere' compare "$m" "$x" --method ig,lrp -o "$dir/nowhere/c.svg"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
