#!/bin/sh
# shellcheck disable=SC2154,SC2181
# What `limn explain` says in words and writes as a page. report.sh LIMN MAKE_MODELS
limn=$1
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"
m=$dir/models
mkdir "$m" && "$2" "$m" || exit 1
printf 'cat\ndog\nbird\n' >"$m/labels.txt"
printf 'first,second,third,<i>\n1,2,3,4\n5,6,7,8\n' >"$m/rows.csv"

labels="--labels $m/labels.txt"
# shellcheck disable=SC2086
works '^    The model .*\(cat\|dog\|bird\).* probability of ' explain "$m/mlp.onnx" "$m/one.npy" --method ig $labels
works 'For it spoke most .* (.*% of$' explain "$m/mlp.onnx" "$m/rows.csv:0" --method ig
works ' (off by 0%), so their sizes' explain "$m/mlp.onnx" "$m/one.npy" --method ig --set steps=200
works 'does not promise that its$' explain "$m/mlp.onnx" "$m/one.npy" --method saliency
works '总和.*与应有的总和相差' explain "$m/mlp.onnx" "$m/one.npy" --method ig --lang zh
! grep -q -e 'baseline\|forward\|target\|input' "$dir/out"
verdict $? "and no English is left"
works '最' explain "$m/mlp.onnx" "$m/one.npy" --method ig --lang zh
# A model that ends in a sigmoid gives probabilities of its own, though they add up to more than 1.
printf 'a,b,c\n2,1.5,1\n' >"$m/several.csv"
works 'certain: class 0, with a probability of 98%' explain "$m/several.onnx" "$m/several.csv" --method ig
works '"top":\[{"index":0,"label":null,"value":0\.982[0-9]*}' explain "$m/several.onnx" "$m/several.csv" --method ig --json
ran "$limn" explain "$m/several.onnx" "$m/several.csv" --method ig -o "$dir/several.html"
grep -q '<td>90\.5 %<td>0\.90465' "$dir/several.html" && ! grep -q 'softmax' "$dir/several.html"
verdict $? 'and so says the page'
# What is not finite is not read.
for lang in 'en here are finite: they$' 'zh 无法解读'; do
    works "${lang#* }" explain "$m/log.onnx" "$m/three.npy" --method ig --allow-nan --lang "${lang%% *}"
    ! grep -q -e '-nan' -e '|' -e '%' -e 'promise' -e '保证' "$dir/out"
    verdict $? 'and nothing else is said of it'
done
# A waterfall ends at the value explained.
ran "$limn" explain "$m/several.onnx" "$m/several.csv" --method ig --after-softmax --set steps=1 --draw bars=waterfall -o "$dir/gap.svg"
grep -q 'left unexplained' "$dir/gap.svg" && grep -q '>in the end</text>.*>0\.982</text>' "$dir/gap.svg"
verdict $? 'what the values leave is a bar of its own'
# Targets of several classes have names; squares have no sides, and values of the model take none.
works 'is dog rather than cat\. Nothing spoke' explain "$m/mlp.onnx" "$m/one.npy" --method input_x_gradient -t 1-0 $labels
works 'bird rather than cat\.' explain "$m/mlp.onnx" "$m/one.npy" --method input_x_gradient -t=-1-0 $labels
works 'here is the sum of all outputs' explain "$m/mlp.onnx" "$m/one.npy" --method input_x_gradient -t sum
works 'here is the sum of y\[1,0,\*\]\.' explain "$m/map.onnx" "$m/image.npy" --method input_x_gradient -t 1:0
works 'dog而不是cat' explain "$m/mlp.onnx" "$m/one.npy" --method input_x_gradient -t 1-0 $labels --lang zh
works 'What mattered most' explain "$m/mlp.onnx" "$m/one.npy" --method input_x_gradient --noise vargrad:samples=4
! grep -q -e 'For it' -e 'against it' "$dir/out"
verdict $? 'and nothing spoke for or against it'
works 'mattered most' explain "$m/mlp.onnx" "$m/one.npy" --method input_x_gradient --noise smoothgrad_sq:samples=4
works 'For it\|against it' explain "$m/mlp.onnx" "$m/one.npy" --method input_x_gradient --noise smoothgrad:samples=4
works 'speak neither for the answer nor against' explain "$m/cnn.onnx" "$m/image.npy" --method activation --layer auto
! grep -q 'For it' "$dir/out"
verdict $? 'without for and against'
fails 2 "'fr' is no language.*en or zh" explain "$m/mlp.onnx" "$m/one.npy" --method ig --lang fr

has() { # FILE WORD...: are all of these texts in it?
    file=$1
    shift
    for word; do
        grep -q -F -e "$word" "$file"
        verdict $? "$file has $word"
    done
}
page() {
    # shellcheck disable=SC2086
    ran "$limn" explain "$m/mlp.onnx" "$m/rows.csv" --method ig,saliency --target top,1 $labels -o "$dir/why.html"
}
page
[ $? -eq 0 ] && [ ! -s "$dir/out" ] && [ ! -s "$dir/err" ]
verdict $? 'the report is written in silence'
has "$dir/why.html" '<!doctype html>' '<html lang="en">' 'rows.csv:0' 'rows.csv:1' '&lt;i&gt;' 'sha256' \
    'class="trust"' 'class="layers"' 'data:image/svg+xml;base64,' 'limn explain ' '--target top,1' '"about":"columns"' \
    '>first<' '>second<'
[ "$(grep -c 'class="result ' "$dir/why.html")" -eq 8 ]
verdict $? 'two samples, methods and targets are eight results'
! grep -q -e '<i>1' -e 'src="http' -e 'href="http' "$dir/why.html"
verdict $? 'and nothing comes from outside'
sed 's/<tr><th scope="row">\(date\|time to explain\).*//' "$dir/why.html" >"$dir/first"
page
sed 's/<tr><th scope="row">\(date\|time to explain\).*//' "$dir/why.html" | cmp -s - "$dir/first"
verdict $? 'equal runs give equal pages, but for date and time'
golden=$(dirname "$0")/../golden
"$limn" explain "$golden/vit.onnx" "$golden/vit.npz" --method attention_rollout -o "$dir/tokens.html" 2>/dev/null
has "$dir/tokens.html" '"about":"tokens"' 'token 0 (66% of all weight)'
! grep -q 'input\[0\]' "$dir/tokens.html"
verdict $? 'attention in a picture is about tokens, not about the first pixels'
grep -q 'Maps in other colours' "$dir/why.html" && grep -q 'time to explain<td>[0-9.]* m\{0,1\}s$' "$dir/why.html"
verdict $? 'both ways of reading colours are told, and the time is a plain number'
ran "$limn" explain "$m/mlp.onnx" "$m/rows.csv" --method ig --target 1-0 $labels -o "$dir/less.html"
ran "$limn" explain "$m/cnn.onnx" "$m/image.npy" --method activation --layer auto -o "$dir/values.html"
has "$dir/values.html" 'Values of a layer' '"neutral":1'
! grep -q 'spoke for the target' "$dir/values.html"
verdict $? 'and nothing is said of sides'
has "$dir/less.html" '1-0 = dog rather than cat'
fails 7 'why.html' explain "$m/mlp.onnx" "$m/one.npy" --method ig -o "$dir/none/why.html"
[ ! -e "$dir/none" ]
verdict $? 'and leave nothing behind where they cannot be written'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
