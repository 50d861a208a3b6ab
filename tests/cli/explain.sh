#!/bin/sh
# shellcheck disable=SC2086,SC2154,SC2181
# The contract of `limn explain`: what it writes, what it says, what it refuses. explain.sh LIMN MAKE_MODELS
limn=$1
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"
m=$dir/models
mkdir "$m" && "$2" "$m" || exit 1
printf 'cat\r\ndog\nbird\n' >"$m/labels.txt"
printf 'cat\ndog\n' >"$m/few.txt"
seq 601 | sed 's/$/,1,2,3/' >"$dir/long.csv"

works '^limn explain - ' explain --help
works '^saliency  *gradient  ' info --methods
works '^    steps=50  *' info --methods
works '^{"methods":\[{"id":"saliency","group":"gradient",' info --methods --json

# Text, for people.
works '^saliency of target top = [0-2]: .* (logit), at input x$' explain "$m/mlp.onnx" "$m/one.npy" --method saliency
works '^    .*|.*  x\[[0-3]\]  ' explain "$m/mlp.onnx" "$m/one.npy" --method ig
works 'off by .* (.* %) from what it should be.*; .* forward and .* backward passes$' explain "$m/mlp.onnx" "$m/one.npy" --method ig
works '^ig of target 1 (dog): ' explain "$m/mlp.onnx" "$m/one.npy" --method ig --target 1 --labels "$m/labels.txt"
works '(probability)' explain "$m/mlp.onnx" "$m/one.npy" --method saliency --after-softmax
works '^gradcam of target top = [0-9]: .*, at layer r2, shown on input image$' explain "$m/cnn.onnx" "$m/image.npy" --method gradcam
works '|++.*  row [0-7], column [0-7]  ' explain "$m/cnn.onnx" "$m/image.npy" --method gradcam
works '^gradcam of target .*, at layer r2$' explain "$m/cnn.onnx" "$m/image.npy" --method gradcam --set upsample=none
works '|.*  channel [0-5], row [0-7], column [0-7]  ' explain "$m/cnn.onnx" "$m/image.npy" --method gradcam --set channels=1
works '|++.*  image\[[0-2],[0-7],[0-7]\]  ' explain "$m/cnn.onnx" "$m/image.npy" --method guided_gradcam
works '|++.*  r2\[[0-5],[0-7],[0-7]\]  ' explain "$m/cnn.onnx" "$m/image.npy" --method saliency --layer layer1.0.relu_1
works '  row [0-7], column [0-7]  ' explain "$m/cnn.onnx" "$m/image.npy" --method fullgrad

# What is explained of an output that has more than classes, or is one of several.
works '^saliency of target top = 0: 11.25, of output y, at input image$' explain "$m/map.onnx" "$m/image.npy" --method saliency
grep -q '    What is explained here is the sum of y\[0,\*,\*\]\. ' "$dir/out"
verdict $? "the elements that are explained are named"

printf 'cat\ndog, or wolf\nbird\n' >"$dir/commas.txt"
works ' = 1 (dog, or wolf): ' explain "$m/mlp.onnx" "$m/one.npy" --method ig --labels "$dir/commas.txt" --target 'label:dog, or wolf'
fails 2 "no label of that name" explain "$m/mlp.onnx" "$m/one.npy" --method ig --labels "$dir/commas.txt" --target 'dog, or'
fails 2 'a variance takes two samples' explain "$m/mlp.onnx" "$m/one.npy" --method saliency --noise vargrad:samples=1

# Files.
shape() { # FILE PATTERN: of an .npy file's header
    head -c 128 "$1" | grep -a -q -e "$2"
    verdict $? "$1 has $2"
}
silent() { # WORD...: exit 0 and nothing said
    ran "$limn" "$@"
    [ $? -eq 0 ] && [ ! -s "$dir/out" ] && [ ! -s "$dir/err" ]
    verdict $? "limn $* says nothing"
}
silent explain "$m/mlp.onnx" "$m/batch.npy" --method ig -o "$dir/ig.npy"
shape "$dir/ig.npy" "'<f4', 'fortran_order': False, 'shape': (2, 4)"
silent explain "$m/mlp.onnx" "$m/one.npy" --method ig -o "$dir/ig8.npy" --backend ref:type=f64
shape "$dir/ig8.npy" "'<f8', 'fortran_order': False, 'shape': (1, 4)"
silent explain "$m/cnn.onnx" "$m/image.npy" --method gradcam -o "$dir/cam.npy"
shape "$dir/cam.npy" "'shape': (1, 1, 8, 8)"
silent explain "$m/cnn.onnx" "$m/image.npy" --method saliency --layer layer1.0.relu_1 -o "$dir/layer.npy"
shape "$dir/layer.npy" "'shape': (1, 6, 8, 8)"
silent explain "$m/mlp.onnx" "$m/batch.npy" --method saliency,ig --target 0,top,1-2 -o "$dir/all.npz" -o "$dir/all.json"
for key in saliency/0 saliency/top saliency/1-2 ig/0 ig/top ig/1-2 prediction target_index target_value baseline_value; do
    grep -a -q -F "$key.npy" "$dir/all.npz"
    verdict $? "the archive has $key"
done
silent explain "$m/mlp.onnx" "$m/batch.npy" --method saliency,ig --target 0,top,1-2 -o "$dir/again.npz"
cmp -s "$dir/all.npz" "$dir/again.npz"
verdict $? "equal runs give equal archives"
grep -q '^{"schema":1,"limn":"[0-9.]*","model":{"file":".*mlp.onnx","sha256":"[0-9a-f]\{64\}"},"compat":"limn","seed":0,"samples":\[{"source":".*","prediction":{"output":"p","index":[0-2],"label":null,"value":[0-9.e-]*,"top":\[{"index"' "$dir/all.json" &&
    grep -q '"results":\[{"method":"saliency","target":"0","target_index":0,"target_label":null,"space":"logit","layer":null,.*"options":"[^"]*","shape":\[4\],"sum":[^,]*,"min":[^,]*,"max":[^,]*,"target_value":[^,]*,"baseline_value":[^,]*,"certificate":{"completeness":{"gap_abs":[^,]*,"gap_rel":[^}]*},"conservation":\[\],"residual":[^,]*,"stderr":null,"fallbacks":\[\],"cost_forward":[^,]*,"cost_backward":[^}]*},"values":\[[^]]*\]}' "$dir/all.json" &&
    grep -q '"run":{"device":"cpu","threads":[0-9]*,"wall_ms":[0-9.e-]*,"command":"limn explain .*--target 0,top,1-2.*","date":"20' "$dir/all.json"
verdict $? "the JSON is what was agreed"
works '"conservation":\[{"node":"[^"]*","in":' explain "$m/cnn.onnx" "$m/image.npy" --method lrp --json

# Pictures, in and out.
images=$(cd "$(dirname "$0")/../data/images" && pwd)
size() { # FILE WIDTH HEIGHT: of a PNG file
    # shellcheck disable=SC2046
    set -- "$1" "$2" "$3" $(od -An -tu1 -j16 -N8 "$1")
    [ $(($4 * 16777216 + $5 * 65536 + $6 * 256 + $7)) -eq "$2" ] && [ $((${8} * 16777216 + $9 * 65536 + ${10} * 256 + ${11})) -eq "$3" ]
    verdict $? "$1 has $2 x $3 pixels"
}
there() { # FILE...
    for file; do
        [ -s "$file" ]
        verdict $? "$file is there"
    done
}
unit=scale=1/255,resize=8x8
"$limn" predict "$m/cnn.onnx" "$images/colour.png" --prep $unit >/dev/null 2>&1
if [ $? -ne 4 ]; then # 4: the build has no PNG
    mkdir "$dir/photos"
    cp "$images/colour.png" "$dir/photos/b.png" && cp "$images/grey.png" "$dir/photos/a.PNG" && echo no >"$dir/photos/c.txt"
    warns '^saliency of target' 'colour.png: nothing says how the model wants its pictures.*--prep' explain "$m/cnn.onnx" "$images/colour.png" --method saliency
    silent explain "$m/cnn.onnx" "$images/colour.png" --prep $unit --method saliency -o "$dir/one.png"
    size "$dir/one.png" 224 224
    silent explain "$m/cnn.onnx" "$images/colour.png" --prep $unit --method saliency -o "$dir/two.png"
    cmp -s "$dir/one.png" "$dir/two.png"
    verdict $? "equal runs give equal pictures"
    silent explain "$m/cnn.onnx" "$dir/photos" --prep $unit --method saliency,gradcam,ig --target 0,1 -o "$dir/grid.png"
    size "$dir/grid.png" $((6 * 224 + 5 * 6 + 5 * 6 + 8)) $((2 * 224 + 6 + 20 + 8))
    silent explain "$m/cnn.onnx" "$dir/photos" --prep $unit --method saliency,ig --target 0,1 -o "$dir/{method}-{target}-{sample}.png" -o "$dir/only-{method}.png"
    there "$dir/saliency-0-0.png" "$dir/saliency-1-1.png" "$dir/ig-0-1.png" "$dir/ig-1-0.png"
    size "$dir/only-ig.png" $((2 * 224 + 6 + 5 * 6 + 8)) $((2 * 224 + 6 + 20 + 8))
    works '^.*/a.PNG$' predict "$m/cnn.onnx" "$dir/photos" --prep $unit
    [ "$(grep -n 'a.PNG' "$dir/out" | cut -d: -f1)" -lt "$(grep -n 'b.png' "$dir/out" | cut -d: -f1)" ]
    verdict $? "a folder is read by name"
    silent explain "$m/cnn.onnx" "$m/image.npy" --method gradcam --layer layer1.0.relu_1 -o "$dir/numbers.png"
    size "$dir/numbers.png" 224 224
    silent explain "$m/nhwc.onnx" "$images/colour.png" --prep $unit --method input_x_gradient -o "$dir/last.npy" -o "$dir/last.png"
    shape "$dir/last.npy" "'shape': (1, 8, 8, 3)"
    size "$dir/last.png" 224 224
    works '"options":"[^"]*low=-1:-1:-1 high=1:1:1' explain "$m/cnn.onnx" "$images/colour.png" --prep $unit,mean=0.5,std=0.5 --method lrp --set rules=gamma_box --json
    works '"options":"[^"]*low=0 high=3' explain "$m/cnn.onnx" "$images/colour.png" --prep $unit --method lrp --set rules=gamma_box --set low=0 --set high=3 --json
    printf '\000\000\010\003\000\000\000\002\000\000\000\010\000\000\000\010%0128d' 0 >"$dir/some-idx3-ubyte"
    works '^[0-9].*' predict "$m/cnn.onnx" "$dir/some-idx3-ubyte:1" --prep scale=1/255
    works 'idx3-ubyte:1$' predict "$m/cnn.onnx" "$dir/some-idx3-ubyte" --prep scale=1/255
    fails 3 'has 2 pictures' predict "$m/cnn.onnx" "$dir/some-idx3-ubyte:2" --prep scale=1/255
    fails 3 'is a picture, but input .x. takes' predict "$m/mlp.onnx" "$images/colour.png"
    fails 3 'no .png, .jpg or .jpeg file' predict "$m/cnn.onnx" "$m"
    echo no >"$dir/fake.png"
    fails 3 'is no PNG and no JPEG' predict "$m/cnn.onnx" "$dir/fake.png"
    fails 3 'is 7 x 7 pixels.*takes 8 x 8' predict "$m/cnn.onnx" "$images/colour.png" --prep resize=7x7
    fails 2 "'0.4': stands alone; three numbers of one key are joined by ':'" predict "$m/cnn.onnx" "$images/colour.png" --prep mean=0.5,0.4,0.4
    fails 2 "'pixels=3'" predict "$m/cnn.onnx" "$images/colour.png" --prep pixels=3
    fails 2 'nchw, nhwc or nlc' predict "$m/cnn.onnx" "$images/colour.png" --layout nwhc
fi

# Tables, tokens and series as pictures.
printf 'age,height,weight,<b>\n1,2,3,4\n2,1,0,1\n' >"$dir/rows.csv"
silent explain "$m/mlp.onnx" "$dir/rows.csv" --method ig,saliency -o "$dir/rows.svg"
grep -q '>weight</text>' "$dir/rows.svg" && grep -q '&lt;b&gt;' "$dir/rows.svg" && [ "$(grep -c 'class="h"' "$dir/rows.svg")" -eq 4 ]
verdict $? "bars have the names of columns"
fails 2 'picture.*svg' explain "$m/mlp.onnx" "$m/one.npy" --method ig -o "$dir/bars.png"
fails 2 'table.*png' explain "$m/cnn.onnx" "$m/image.npy" --method ig -o "$dir/picture.svg"

# The same bits whatever runs it.
silent explain "$m/cnn.onnx" "$m/image.npy" --method saliency,ig,lrp,gradcam,deeplift --threads 1 -o "$dir/t1.npz"
for threads in 2 3 7; do
    "$limn" explain "$m/cnn.onnx" "$m/image.npy" --method saliency,ig,lrp,gradcam,deeplift --threads $threads -o "$dir/t.npz" 2>/dev/null
    cmp -s "$dir/t1.npz" "$dir/t.npz"
    verdict $? "the same bits with $threads threads"
done
LIMN_CPU=scalar "$limn" explain "$m/cnn.onnx" "$m/image.npy" --method saliency,ig,lrp,gradcam,deeplift -o "$dir/t.npz"
cmp -s "$dir/t1.npz" "$dir/t.npz"
verdict $? "the same bits at the scalar level"
silent explain "$m/cnn.onnx" "$m/image.npy" --method ig --mem 3M -o "$dir/small.npy"
silent explain "$m/cnn.onnx" "$m/image.npy" --method ig -o "$dir/large.npy"
cmp -s "$dir/small.npy" "$dir/large.npy"
verdict $? "the same bits in little memory"

# What is wrong is named, with what there is instead.
fails 2 'method: is missing' explain "$m/mlp.onnx" "$m/one.npy"
fails 2 "'salience'.*saliency" explain "$m/mlp.onnx" "$m/one.npy" --method salience
fails 2 "stepz.*steps" explain "$m/mlp.onnx" "$m/one.npy" --method ig --set stepz=3
fails 2 "steps.*1 to" explain "$m/mlp.onnx" "$m/one.npy" --method ig --set steps=0
fails 2 "quadrature.*gauss" explain "$m/mlp.onnx" "$m/one.npy" --method ig --set quadrature=simpson
fails 2 'no option; write --set key=value' explain "$m/mlp.onnx" "$m/one.npy" --method ig --set steps
fails 2 "target '\{0,1\}7.*0 to 2\|target.*7.*-3" explain "$m/mlp.onnx" "$m/one.npy" --method ig --target 7
fails 2 'wolf' explain "$m/mlp.onnx" "$m/one.npy" --method ig --target label:wolf --labels "$m/labels.txt"
fails 2 "no layer 'fc9'.*fc" explain "$m/mlp.onnx" "$m/one.npy" --method saliency --layer fc9
fails 2 'captun.*captum' explain "$m/mlp.onnx" "$m/one.npy" --method ig --compat captun
fails 2 'smoothgrid.*smoothgrad' explain "$m/mlp.onnx" "$m/one.npy" --method ig --noise smoothgrid
fails 2 'a .npy file holds one' explain "$m/mlp.onnx" "$m/one.npy" --method ig,saliency -o "$dir/two.npy"
fails 2 'ends in none of' explain "$m/mlp.onnx" "$m/one.npy" --method ig -o "$dir/two.gif"
fails 2 '--layer\|layer' explain "$m/mlp.onnx" "$m/one.npy" --method conductance
fails 3 'the shape is \[3\], but one sample of the input .x. is \[1,4\]' explain "$m/mlp.onnx" "$m/one.npy" --method ig --baseline "$m/three.npy"
fails 3 'none.npy' explain "$m/mlp.onnx" "$m/one.npy" --method ig --baseline "$dir/none.npy"
fails 4 "node stairs (Floor) is flat everywhere" explain "$m/steps.onnx" "$m/three.npy" --method saliency
fails 3 "first came out of node 'culprit'" explain "$m/log.onnx" "$m/three.npy" --method saliency
fails 3 "on the way back it first came out of node 'root' (Sqrt)" explain "$m/root.onnx" "$m/three.npy" --method saliency --target 2
"$limn" explain "$m/root.onnx" "$m/three.npy" --method ig,saliency --target 2 --json >"$dir/out" 2>"$dir/err"
[ $? -eq 3 ] && grep -q '"node":"root"}}$' "$dir/out"
verdict $? "the node that steep derivatives come from stands in the JSON"
fails 3 "baseline 'value:3e38': target top is .* there, and ig compares with it" explain "$m/cnn.onnx" "$m/image.npy" --method ig --baseline value:3e38
silent explain "$m/cnn.onnx" "$m/image.npy" --method ig --baseline value:3e38 --allow-nan -o "$dir/nan.npz"
printf 'conv: eps\n*: nonsense eps=1\n' >"$dir/rules.txt"
fails 2 'rules.txt:2:4' explain "$m/cnn.onnx" "$m/image.npy" --method lrp --set rules="$dir/rules.txt"
printf '# ours\nfirst: flat\nconv: gamma gamma=0.5\ndense: eps\nAdd: pass\nGlobalAveragePool: eps\n*: pass\n' >"$dir/rules.txt"
works '^lrp of target' explain "$m/cnn.onnx" "$m/image.npy" --method lrp --set rules="$dir/rules.txt"
printf 'dense: eps\nfc9: flat\n' >"$dir/rules.txt"
fails 2 "rules.txt:2:1: the model has no node or module 'fc9'" explain "$m/mlp.onnx" "$m/one.npy" --method lrp --set rules="$dir/rules.txt"
printf '# nothing\n' >"$dir/rules.txt"
fails 2 'rules.txt:1:1: no row' explain "$m/mlp.onnx" "$m/one.npy" --method lrp --set rules="$dir/rules.txt"
fails 2 "'blur:-1': behind the colon goes a width" explain "$m/mlp.onnx" "$m/one.npy" --method ig --baseline blur:-1
fails 2 "'value:nan': behind the colon goes a finite number" explain "$m/mlp.onnx" "$m/one.npy" --method ig --baseline value:nan
fails 2 "'p' lies behind what is explained, the value ahead of the final softmax" explain "$m/mlp.onnx" "$m/one.npy" --method saliency --layer p
silent explain "$m/mlp.onnx" "$m/one.npy" --method saliency -m ig -t 0 -t 1 -o "$dir/lists.npz"
for key in saliency/0 saliency/1 ig/0 ig/1; do
    grep -a -q -F "$key.npy" "$dir/lists.npz"
    verdict $? "lists that are written in parts have $key"
done
works '^layer_gradient of target 1: .* at layer fc1.weight$' explain "$m/mlp.onnx" "$m/one.npy" --method layer_gradient --layer fc1.weight --target 1
fails 2 "'fc1.weight' is constant.*layer_gradient" explain "$m/mlp.onnx" "$m/one.npy" --method ig --layer fc1.weight
works 'excitation_bp.*gap_abs":[0-9]' explain "$m/mlp.onnx" "$m/one.npy" --method excitation_bp --json
works '"method":"blur_ig".*"baseline_value":[0-9.e-]' explain "$m/cnn.onnx" "$m/image.npy" --method blur_ig --set steps=4 --json
works 'as captum: .*max-pools' explain "$m/cnn.onnx" "$m/image.npy" --method deeplift --compat captum --json
fails 7 'w.npz' explain "$m/mlp.onnx" "$m/one.npy" --method ig -o "$dir/none/w.npz"
works '"rows":\[{"name":"saliency",.*{"name":"ig",' bench "$m/mlp.onnx" "$m/one.npy" --method saliency,ig --repeat 1 --json

fails 2 "'top': asked twice; name it once" explain "$m/mlp.onnx" "$m/one.npy" --method ig --target top,top
fails 2 "'ig': asked twice; name it once" explain "$m/mlp.onnx" "$m/one.npy" --method ig,ig
fails 2 "'1-1': is the difference of a class and itself; " explain "$m/mlp.onnx" "$m/one.npy" --method ig --target 1-1
fails 2 'gives mode a second time; ' explain "$m/cnn.onnx" "$m/image.npy" --method ig --draw mode=map,mode=mask
fails 3 'has 2 labels, but output .p. has 3 classes; ' explain "$m/mlp.onnx" "$m/one.npy" --method ig --labels "$m/few.txt"
fails 2 'there are 601 samples, and a page shows at most 500; give fewer' explain "$m/mlp.onnx" "$dir/long.csv" --method shapley -o "$dir/long.html"
fails 2 '1202 maps of 601 samples would share a picture, which shows at most 1000; ' explain "$m/mlp.onnx" "$dir/long.csv" --method shapley,nosuch -o "$dir/long.svg"
fails 2 'there are 601 samples, and a page shows at most 500; give fewer' compare "$m/mlp.onnx" "$dir/long.csv" --method shapley,nosuch -o "$dir/long.html"
fails 2 'attention is one number per token and no picture; ' explain "$m/cnn.onnx" "$m/image.npy" --method attention_rollout,saliency -o "$dir/a.png"
cp "$m/image.npy" "$dir/same.npy"
fails 2 'same.npy: is also an input; ' explain "$m/cnn.onnx" "$dir/same.npy" --method ig -o "$dir/same.npy"
fails 2 'same.npy: is also an input; ' explain "$m/cnn.onnx" image="$dir/same.npy" --method ig -o "$dir/../${dir##*/}/same.npy"
fails 2 'same.npy: is also an input; ' explain "$m/cnn.onnx" "$m/image.npy" --method ig --baseline "$dir/same.npy" -o "$dir/same.npy"
warns '^saliency of target' '--baseline: has no effect, for none of these methods compares' explain "$m/mlp.onnx" "$m/one.npy" --method saliency --baseline max
warns '^ig of target' '--prep: has no effect, for no picture and no sound was read' explain "$m/mlp.onnx" "$m/one.npy" --method ig --prep scale=1
warns '^ig of target' '--draw: has no effect, for nothing is drawn' explain "$m/mlp.onnx" "$m/one.npy" --method ig --draw sign=positive
fails 2 'no such file can be an input' explain "$m/mlp.onnx" "$m/one.npy" --method ig --baseline "$0"
fails 3 'grey.png: No such file' explain "$m/cnn.onnx" "$m/image.npy" --method ig --baseline grey.png
printf 'a,b,c,d\n' >"$dir/header.csv"
fails 3 'header.csv: the table has' explain "$m/mlp.onnx" "$dir/header.csv" --method ig

# A target that is asked twice stands in the archive once; what has no samples is none of the command's rows.
silent explain "$m/mlp.onnx" "$m/one.npy" --method saliency --target all,0,top -o "$dir/twice.npz"
[ "$(grep -a -o -F 'saliency/0.npy' "$dir/twice.npz" | wc -l)" -eq 2 ] # in front of its content and in the list
verdict $? "a repeated target has one key"
"$limn" explain "$m/steps.onnx" "$m/three.npy" --method saliency --json >"$dir/out" 2>"$dir/err"
[ $? -eq 4 ] && grep -q '"node":"stairs"}}$' "$dir/out"
verdict $? "the node that nothing comes back through stands in the JSON"
"$limn" bench "$m/cnn.onnx" "$m/image.npy" --method saliency --repeat 1 -v >"$dir/out" 2>"$dir/err" && grep -q '%.*cpu[.]' "$dir/out"
verdict $? "the kernels of an explanation are timed"

# Several devices, in the language of the rest.
works '^on cpu (.* rows\?) + cpu (.* rows\?), ' explain "$m/mlp.onnx" "$m/one.npy" --method ig --backend cpu+cpu
works '^设备：cpu（.* 行） + cpu（.* 行），' explain "$m/mlp.onnx" "$m/one.npy" --method ig --backend cpu+cpu --lang zh

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
