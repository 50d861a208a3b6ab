#!/bin/sh
# shellcheck disable=SC2086,SC2154,SC2181
# The contract of `limn explain`: what it writes, what it says, what it refuses. explain.sh LIMN MAKE_MODELS
limn=$1
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"
m=$dir/models
mkdir "$m" && "$2" "$m" || exit 1
printf 'cat\r\ndog\nbird\n' >"$m/labels.txt"

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
works '^gradcam of target top = [0-9]: .*, at layer ' explain "$m/cnn.onnx" "$m/image.npy" --method gradcam

# Files.
shape() { # FILE PATTERN: of an .npy file's header
    head -c 128 "$1" | grep -a -q -e "$2"
    verdict $? "$1 has $2"
}
silent() { # WORD...: exit 0 and nothing said
    "$limn" "$@" >"$dir/out" 2>"$dir/err" </dev/null
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
fails 2 'there are 2 results' explain "$m/mlp.onnx" "$m/one.npy" --method ig,saliency -o "$dir/two.npy"
fails 2 'ends in none of' explain "$m/mlp.onnx" "$m/one.npy" --method ig -o "$dir/two.gif"
fails 2 '--layer\|layer' explain "$m/mlp.onnx" "$m/one.npy" --method conductance
fails 3 'the shape is \[3\], but one sample of the input .x. is \[1,4\]' explain "$m/mlp.onnx" "$m/one.npy" --method ig --baseline "$m/three.npy"
fails 3 'none.npy' explain "$m/mlp.onnx" "$m/one.npy" --method ig --baseline "$dir/none.npy"
fails 4 "stairs.*no derivative" explain "$m/steps.onnx" "$m/three.npy" --method saliency
fails 3 "first came out of node 'culprit'" explain "$m/log.onnx" "$m/three.npy" --method saliency
printf 'conv: eps\n*: nonsense eps=1\n' >"$dir/rules.txt"
fails 2 'rules.txt:2:4' explain "$m/cnn.onnx" "$m/image.npy" --method lrp --set rules="$dir/rules.txt"
printf '# ours\nfirst: flat\nconv: gamma gamma=0.5\ndense: eps\nAdd: pass\nRelu: pass\n*: pass\n' >"$dir/rules.txt"
works '^lrp of target' explain "$m/cnn.onnx" "$m/image.npy" --method lrp --set rules="$dir/rules.txt"
fails 7 'w.npz' explain "$m/mlp.onnx" "$m/one.npy" --method ig -o "$dir/none/w.npz"
works '"rows":\[{"name":"saliency",.*{"name":"ig",' bench "$m/mlp.onnx" "$m/one.npy" --method saliency,ig --repeat 1 --json

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
