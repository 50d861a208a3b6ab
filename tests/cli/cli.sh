#!/bin/sh
# shellcheck disable=SC2086,SC2154,SC2181
# The command's contract: results, exit statuses, error lines. cli.sh LIMN plugins|'' MAKE_MODELS
limn=$1
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"

works '^limn [0-9]' --version
works '^  devices ' --help
for verb in devices env info summary check predict explain bench; do
    works "^  limn $verb\|limn $verb" "$verb" --help
    works '^example:' "$verb" -h
    fails 2 "nearest: --help" "$verb" --hlep
done
works '^cpu  *cpu, .*picked by auto' devices
works '^ref  *reference' devices
works '^\[{"name":"cpu","kind":"cpu","vendor":"[^"].*"levels":\["scalar".*"class":"exact",.*"auto":true}.*\]$' devices --json
works '^LIMN_BACKEND  *(unset) -> cpu ' env
works '^LIMN_BACKEND  *ref  ' --backend ref env
works '"LIMN_THREADS":{"value":"3","effective":"3"' env --json --threads=3
works '^LIMN_LOG  *(unset) -> warn ' env
works '^ref .*picked by --backend$' devices --backend ref
works '^cpu .*picked by auto$' devices --backend ref
works '"name":"ref",.*"picked":true,"auto":false}' devices --backend ref --json
works '"name":"cpu",.*"picked":true,"auto":true}' devices --json
works '^device: ref$' info --backend ref
works '"device":"ref"' info --backend ref --json
works 'name+name' devices --help
works '--mem SIZE .* 0 for no limit' --help
works '^version: ' info
works '^Conv  *LINEAR  *2-3 .* smooth' info --ops
works '"id":"CONV","name":"Conv","class":"LINEAR"' info --ops --json

# A row of bench that beats its yardstick is warned of, so on a busy machine there may be any number of warnings.
bench() {
    pattern=$1
    shift
    "$limn" bench "$@" >"$dir/out" 2>"$dir/err" </dev/null
    [ $? -eq 0 ] && grep -q -e "$pattern" "$dir/out" && ! grep -q -v '^limn: warning: .* of a yardstick measured twice; ' "$dir/err"
    verdict $? "limn bench $* gives $pattern"
}
bench '^elementwise .*Relu' --only elementwise --repeat 1 --threads 1
bench '^{"peak":{.*},"rows":\[{"name":"gemv",.*"yardstick":.*}\]}$' --only gemv --repeat 1 --threads 1 --json
bench '"rows":\[{"name":"conv_dx"' --only conv_dx --repeat 1 --threads 1 --json
bench '"rows":\[{"name":"depthwise"' --only depthwise,softmax,elementwise,gemv --repeat 1 --json
above=$(tr ',' '\n' <"$dir/out" | sed -n 's/^"peak_fraction"://p' | awk '$1 > 1 { n++ } END { print n + 0 }')
[ "$above" -eq "$(wc -l <"$dir/err")" ]
verdict $? "bench warns of each of $above rows that beat their yardstick"

fails 2 'no verb'
fails 2 'devics.*nearest: devices' devics
works '^  devices ' help
works '^limn explain - ' help explain
fails 2 "error: '': unknown verb" ''
long=$(head -c 5000 /dev/zero | tr '\0' a)
fails 2 'unknown verb' "$long"
fails 2 'unknown option' devices "--$long"
fails 2 'leave it out' devices "$long"
fails 2 'is no device name; ' devices --backend "$long"
fails 2 "cpu has no option 'a*'; it takes isa" devices --backend "cpu:$long=1"
fails 2 'give a number of bytes' devices --mem "$long"
fails 2 'unknown verb' measure
fails 2 'unknown option' devices --ops
fails 2 'value is missing' devices --backend
fails 2 'takes no value' devices --json=1
fails 2 "leave it out" devices now
fails 2 'error: --threads=0: ' devices --threads 0
fails 2 'error: --threads=4097: ' env --threads 4097
fails 2 'error: --mem=much: ' devices --mem much
for verb in devices env info bench; do
    fails 2 'nearest: cpu' $verb --backend cpi
    fails 2 "cpu has no option 'nope'; it takes isa|threads" $verb --backend ref,cpu:nope=1
done
fails 2 "'isa=' is missing" devices --backend cpu:isa=
fails 2 "error: devices: device list 'ref:type=f16': ref: type=f16: .*; see .limn devices --help" devices --backend ref:type=f16
fails 2 "with 'a.nb.x1b.x7fé'" devices "$(printf 'a\nb\033\177\303\251')"
fails 2 'device list' env --backend cpu,
fails 2 'whole number' bench --repeat none
fails 2 "unknown kernel 'gem'" bench --only gem
works '^LIMN_BACKEND  *cpu+ref ' env --backend cpu+ref
works '^ref .*picked by --backend' devices --backend cpu+ref
fails 2 "missing before or after a '+'" devices --backend cpu+
fails 2 "missing before or after a '+'" env --backend +cpu
fails 2 'item is empty' env --backend cpu,,ref
fails 2 'nothing to split with' env --backend cpu:split=2
fails 2 'split=0: give a whole number from 1 to 1000' env --backend cpu:split=0+ref
fails 2 'computes in float32, but ref in float64' env --backend cpu+ref:type=f64
fails 2 'more than 8 devices' env --backend cpu+cpu+cpu+cpu+cpu+cpu+cpu+cpu+cpu
fails 2 'auto stands alone' env --backend cpu+auto
fails 5 'cpu:9: this machine has none' env --backend cpu+cpu:9
fails 5 'cpu:9' env --backend cpu:9
case $("$limn" devices) in *opencl*) all=-cpu,-ref,-opencl ;; *) all=-cpu,-ref ;; esac
fails 5 'the device list excludes all that auto would pick: .*cpu: excluded; ref: excluded; see .limn devices' \
    bench --backend=$all
fails 2 "device list 'cpu:splot=2': cpu has no option 'splot'; it takes isa|threads|bind|strict|split; see .limn devices --help" \
    bench --backend cpu:splot=2
fails 6 'memory' bench --only gemm --mem 1M --threads 1

with=LIMN_CPU=scalar
works '"LIMN_CPU":{"value":"scalar","effective":"scalar"' env --json
works '^LIMN_THREADS  *(unset) -> 1 ' env --backend cpu:threads=1
with=LIMN_THREADS=2
works '^LIMN_THREADS  *2 -> 1 ' env --backend cpu:threads=1
warns '^LIMN_THREADS  *4096 -> ' 'cpu: 4096 threads for [0-9]* processor' env --threads 4096
warns '"threads":' '4096 threads for' bench --only pool --repeat 1 --json --threads 4096
with=
case $(uname -m) in
x86_64)
    works '^LIMN_CPU  *(unset) -> scalar (by the device list) ' env --backend cpu:isa=scalar
    with=LIMN_CPU=avx2
    works '^LIMN_CPU  *avx2 -> scalar (by the device list) ' env --backend cpu:isa=scalar ;;
esac

# Those who want to know what is wrong are told by env and info, which get past it; the others refuse.
with=LIMN_CPU=sse9
fails 2 'LIMN_CPU=sse9' devices
warns '^LIMN_CPU  *sse9 -> refused' 'LIMN_CPU=sse9' env
warns '"LIMN_CPU":{"value":"sse9","effective":"refused: LIMN_CPU=sse9: ' 'LIMN_CPU=sse9' env --json
warns '^version: ' 'LIMN_CPU=sse9' info
with=LIMN_BACKEND=nothing
fails 2 'nothing: unknown device' devices
warns '^LIMN_BACKEND  *nothing -> refused, instead cpu ' "LIMN_BACKEND: device list 'nothing': nothing: unknown device" env
warns '^device: cpu$' "LIMN_BACKEND: device list 'nothing': nothing: unknown device" info
works '^LIMN_BACKEND  *ref  ' env --backend ref
with=LIMN_BACKEND=cpu:9
warns '^LIMN_BACKEND  *cpu:9 -> refused' 'this machine has none' env
warns '^cpu .*picked by auto$' 'LIMN_BACKEND: no device can be used: cpu:9' devices
for bad in LIMN_MEM=3x LIMN_LOG=loud LIMN_THREADS=two; do
    with=$bad
    fails 2 "$bad: give" devices
    warns "^${bad%=*}  *${bad#*=} -> refused" "$bad: give" env
done
with=LIMN_MEM=1
works '^LIMN_MEM  *1  ' env
with=LIMN_PLUGINS=$dir/none.so
if [ "${2-}" = plugins ]; then fails 5 'none.so' devices; else fails 4 'cannot load any' devices; fi
warns '^LIMN_PLUGINS  .*none.so -> refused' 'LIMN_PLUGINS: plug-in .*none.so' env
warns '^devices: cpu' 'LIMN_PLUGINS: plug-in .*none.so' info
if [ "${2-}" = plugins ]; then
    head -c 5000 "$limn" >"$dir/cut.so"
    with=LIMN_PLUGINS=$dir/cut.so
    fails 5 'it ends inside a segment' devices
fi
case $(uname -m) in
x86_64) with=LIMN_CPU=neon ;;
*) with=LIMN_CPU=avx2 ;;
esac
fails 2 'LIMN_CPU: .*another architecture' devices
warns '^LIMN_CPU .* -> refused' 'another architecture' env
with=

"$limn" env --backend nothing --json >"$dir/out" 2>"$dir/err"
grep -q '^{"error":{"status":2,"message":".*nothing.*","node":null}}$' "$dir/out"
verdict $? "errors as JSON"
for words in "devices --no-such --json" "devices --json --no-such" "--json" "nothing --json" "devices --json --backend" \
    "bench --repeat none --json"; do
    "$limn" $words >"$dir/out" 2>"$dir/err"
    [ $? -eq 2 ] && [ "$(wc -l <"$dir/out")" -eq 1 ] && [ "$(wc -l <"$dir/err")" -eq 1 ] &&
        grep -q '^{"error":{"status":2,"message":".*","node":null}}$' "$dir/out"
    verdict $? "limn $words fails in JSON"
done
if [ -c /dev/full ]; then
    "$limn" devices >/dev/full 2>"$dir/err"
    [ $? -eq 7 ] && grep -q '^limn: error: standard output: ' "$dir/err"
    verdict $? "a full disk is exit 7"
fi
{ "$limn" info --ops 2>"$dir/err"; echo $? >"$dir/status"; } | : 2>/dev/null
sleep 0.1
[ "$(cat "$dir/status")" -eq 0 ] && [ ! -s "$dir/err" ]
verdict $? "a reader that leaves is no error"
"$limn" _completion >"$dir/out" 2>"$dir/err" && grep -q '^complete .*-F' "$dir/out"
verdict $? "completion"
"$limn" _man >"$dir/out" 2>"$dir/err" && grep -q '^\.TH LIMN 1' "$dir/out" && grep -q 'backend' "$dir/out" &&
    grep -q 'name+name' "$dir/out" && grep -q 'LIMN_PLUGINS' "$dir/out"
verdict $? "manual page"

# Models. In one folder with their inputs, so that names are short.
m=$dir/models
mkdir "$m" && "$3" "$m" || exit 1

tab=$(printf '\t')

works '^0  *layer1.0.conv1  *Conv  *1x6x8x8  *162  *yes$' summary "$m/cnn.onnx"
works '^4  *layer1.0.relu_1  *Relu  *1x6x8x8  *0  *yes  <- auto$' summary "$m/cnn.onnx"
works '^8 layers, 510 parameters' summary "$m/cnn.onnx"
works '^input   image  float32\[1,3,8,8\]$' summary "$m/cnn.onnx"
works '^input   x  float32\[?,4\]$' summary "$m/mlp.onnx"
works '^{"model":".*","inputs":\[{"name":"image","type":"float32","shape":\[1,3,8,8\],"optional":false}\]' summary --json "$m/cnn.onnx"
works '"parameters":510,"layers":\[{"index":0,"name":"/layer1/layer1.0/conv1/Conv","module":"layer1.0.conv1","op":"Conv"' summary --json "$m/cnn.onnx"
works '"from":\[2,1\]' summary --json "$m/cnn.onnx"
works '^0  *ramp  *Relu .*no$' summary "$m/steps.onnx"
works 'layers' summary "$m/cnn.onnx" -o "$dir/g.svg" -o "$dir/g.html" --out="$dir/g.json"
grep -q '^<svg .*</svg>$\|^<svg ' "$dir/g.svg" && [ "$(grep -c '<g class="n c[0-7].*<rect' "$dir/g.svg")" -ge 10 ] && grep -q 'layer1.0' "$dir/g.svg"
verdict $? "the drawing has a box for every layer"
grep -q '<!doctype html>' "$dir/g.html" && ! grep -v 'http://www.w3.org/2000/svg' "$dir/g.html" | grep -q 'https*:'
verdict $? "the page needs nothing from outside"
"$limn" summary --json "$m/cnn.onnx" | cmp -s - "$dir/g.json"
verdict $? "the file is what --json prints"
fails 2 'ends in none of' summary "$m/cnn.onnx" -o "$dir/g.gif"
fails 7 'g.svg' summary "$m/cnn.onnx" -o "$dir/none/g.svg"
fails 2 'the model is missing' summary
fails 2 'leave it out' summary "$m/cnn.onnx" "$m/mlp.onnx"
fails 3 'none.onnx' summary "$dir/none.onnx"
echo garbage >"$dir/bad.onnx"
fails 3 'bad.onnx: is a text, no ONNX model; ' summary "$dir/bad.onnx"
printf '\211PNG\r\n\032\n' >"$dir/picture.onnx"
fails 3 'picture.onnx: is a PNG picture, no ONNX model; ' check "$dir/picture.onnx"
fails 3 'is a NumPy array, no ONNX model; ' predict "$m/one.npy" "$m/one.npy"
printf '\002\000\000\000\000\000\000\000{"a":1}' >"$dir/tensors.onnx"
fails 3 'tensors.onnx: is a safetensors file, no ONNX model; ' check "$dir/tensors.onnx"
printf '\200\002\212\012l\374\234F' >"$dir/old.onnx"
fails 3 'old.onnx: is a pickle of Python, as old .pt files are, no ONNX model; ' check "$dir/old.onnx"
printf 'version %034d\noid sha256:00\nsize 1\n' 1 >"$dir/pointer.onnx" # as long as the address that stands there
fails 3 'pointer.onnx: is a pointer of Git LFS to a file that was not fetched, no ONNX model; ' check "$dir/pointer.onnx"
printf '<!DOCTYPE html>\n<p>\303\251' >"$dir/page.onnx"
fails 3 'page.onnx: is an HTML page, no ONNX model; ' check "$dir/page.onnx"
printf '\377\201\200 \001 none of these' >"$dir/bytes.onnx"
fails 3 'bytes.onnx: is no ONNX model: ' check "$dir/bytes.onnx"
cp "$m/cnn.onnx" "$dir/cut.onnx" && mkfifo "$dir/slowly" # mapped before the input is there, then cut
"$limn" predict "$dir/cut.onnx" - -o "$dir/cut.csv" <"$dir/slowly" >"$dir/out" 2>"$dir/err" &
exec 9>"$dir/slowly"
while kill -0 $! && ! grep -q cut.onnx /proc/$!/maps; do sleep 0.05; done
: >"$dir/cut.onnx"
cat "$m/image.npy" >&9
exec 9>&-
wait $!
[ $? -eq 3 ] && grep -q 'cut short' "$dir/err" && [ ! -e "$dir/cut.csv" ]
verdict $? "a model that is cut short while it is read is an error"
printf 'GIF89a' >"$dir/x.gif"
fails 3 'x.gif: .gif files are not read; turn it into .png or .jpg' predict "$m/mlp.onnx" "$dir/x.gif"
"$limn" predict "$m/mlp.onnx" "$m/one.npy" --json -o "$dir/nowhere/x.npz" >"$dir/out" 2>"$dir/err" </dev/null
[ $? -eq 7 ] && grep -q '^{"error":{"status":7,' "$dir/out"
verdict $? "a place that cannot be written to is told as JSON, too"
mkfifo "$dir/pipe.npy"
fails 3 'pipe.npy is not a plain file' predict "$m/mlp.onnx" "$dir/pipe.npy"
fails 3 'pipe.npy is not a plain file' summary "$dir/pipe.npy"
cp "$m/mlp.onnx" "$dir/own.npy"
fails 2 'own.npy: is also an input; choose another name' predict "$dir/own.npy" "$m/one.npy" -o "$dir/own.npy"
cmp -s "$m/mlp.onnx" "$dir/own.npy"
verdict $? "a model stays what it was"
: >"$dir/empty.onnx"
fails 3 'empty.onnx' summary "$dir/empty.onnx"
head -c 300 "$m/cnn.onnx" >"$dir/cut.onnx"
for verb in summary check predict bench; do
    fails 3 'cut.onnx' "$verb" "$dir/cut.onnx"
    fails 3 'models' "$verb" "$m"
done
fails 4 'Frobnicate' summary "$m/ops.onnx"

works '^forward   yes' check "$m/cnn.onnx"
works '^backward  yes' check --backward "$m/cnn.onnx"
gives 1 '^first  *Frobnicate  *no  *no ' check "$m/ops.onnx"
gives 1 '^second  *Defenestrate  *no  *no ' check "$m/ops.onnx"
gives 1 '"forward":false,"backward":false,"problems":\[{"node":"first","op":"Frobnicate",.*"node":"second"' check --json "$m/ops.onnx"
gives 1 '^type  *Cast  *no  *no .*COMPLEX64' check "$m/faults.onnx"
gives 1 '^word  *DepthToSpace  *no  *no .*SIDEWAYS' check "$m/faults.onnx"
gives 1 '^axis  *Softmax  *no  *no .*axis 7 does not exist' check "$m/faults.onnx"
gives 1 '^missing  *Frobnicate  *no  *no ' check "$m/faults.onnx"
lines 8
works '^stairs  *Floor  *yes  *no ' check "$m/steps.onnx"
gives 1 '^backward  no' check "$m/steps.onnx" --backward
works '"forward":true,"backward":false' check "$m/steps.onnx" --json
works '^backward  yes' check "$m/two.onnx" --backward

works "^[0-2]${tab}${tab}0[.][0-9]*$" predict "$m/mlp.onnx" "$m/one.npy"
lines 3
works '' predict "$m/mlp.onnx" "$m/one.npy" --top 1
lines 1
works "batch.npy:1$" predict "$m/mlp.onnx" "$m/batch.npy" --top=2
lines 7
printf 'cat\r\ndog\nbird\n' >"$dir/labels"
works "^[0-2]${tab}bird${tab}0" predict "$m/mlp.onnx" "$m/one.npy" --labels "$dir/labels"
works "^[0-2]${tab}cat${tab}0" predict "$m/mlp.onnx" x="$m/one.npy" --labels "$dir/labels"
works '^{"samples":\[{"source":".*one.npy","outputs":{"p":\[0[^]]*\]},"top":\[{"index":[0-2],"label":"[a-z]*","value":' \
    predict "$m/mlp.onnx" "$m/one.npy" --json --labels "$dir/labels"
! grep -q '"run"' "$dir/out"
verdict $? "one device is not told"
works '\],"run":{"split":"[a-z]*","shares":\[{"device":"cpu","class":"exact","rows":[0-9]*},{"device":"cpu",[^]]*\]}}$' \
    predict "$m/mlp.onnx" "$m/batch.npy" --json --backend cpu+cpu
works '"top":\[{"row":0,"index":1,"label":null,"value":0.5}.*{"row":1,"index":1,"label":null,"value":0.375}' predict "$m/none.onnx" --json
works '"outputs":{"p":\[[^]]*\],"h":\[[^]]*\],"r":' predict "$m/mlp.onnx" "$m/one.npy" --json --capture h --capture act --capture Relu@-1
works '"outputs":{"p":\[[^]]*\],"z":\[[^]]*\]}' predict "$m/mlp.onnx" "$m/one.npy" --json --capture /fc2/Gemm
works '"outputs":{"p":\[[^]]*\],"r":\[[^]]*\]}' predict "$m/mlp.onnx" "$m/one.npy" --json --capture fc2:in --capture '#1'
works '"logits":\[[^]]*\],"image":\[\[\[.*"r2":\[\[\[.*"s":\[\[\[' predict "$m/cnn.onnx" "$m/image.npy" --json --capture layer1.0:in --capture layer1.0 --capture '*/Add'
works "^1${tab}${tab}0[.]5$" predict "$m/none.onnx" -o "$dir/y.npy"
works "^[0-2]" predict "$m/mlp1.onnx" "$m/batch.npy" "$m/one.npy" "$m/double.npy" "$m/long.npy" -o "$dir/a.npy"
lines 24
works "^[0-2]" predict "$m/mlp.onnx" "$m/batch.npy" "$m/one.npy" "$m/double.npy" "$m/long.npy" -o "$dir/b.npy" -o "$dir/b.npz" -o "$dir/b.csv" -o "$dir/b.json"
cmp -s "$dir/a.npy" "$dir/b.npy"
verdict $? "a model for one sample gives the same as one for any number"
[ "$(head -n 1 "$dir/b.csv")" = 'p[0],p[1],p[2]' ] && [ "$(wc -l <"$dir/b.csv")" -eq 6 ]
verdict $? "a table has a row for each sample"
grep -q '"source":".*batch.npy:1"' "$dir/b.json"
verdict $? "samples are called after their files"
"$limn" predict "$m/mlp.onnx" - <"$m/one.npy" >"$dir/out" 2>"$dir/err" && [ "$(wc -l <"$dir/out")" -eq 3 ]
verdict $? "an array on standard input"
printf 'a,b,c,d,who\n1,2,3,4,x\n.5,.25,-1,2,y\n' >"$dir/rows.csv"
works 'rows.csv:1$' predict "$m/mlp.onnx" "$dir/rows.csv" --label who
works '^[0-2]' predict "$m/mlp.onnx" "$dir/rows.csv:1" --label who
lines 3
works '^2' predict "$m/two.onnx" ids="$m/ids.npy" bias="$m/bias.npy" -o "$dir/two.npz"
works '"source":".*ids.npy:2","outputs":{"sum":\[[^]]*\],"best":2}' predict "$m/two.onnx" ids="$m/ids.npy" bias="$m/bias.npy" --json
works '^[0-2]' predict "$m/mlp.onnx" "$m/one.npy" --capture x -o "$dir/px.npz"
warns '^[0-2]' "array 'p' is no input" predict "$m/mlp.onnx" "$dir/px.npz"
works '^[0-2]' predict "$m/mlp.onnx" "$m/one.npy" --capture r -o "$dir/pr.npz"
fails 3 'none of its arrays is called as an input; the model takes x' predict -q "$m/mlp.onnx" "$dir/pr.npz"
works "^[0-2]${tab}" predict "$m/mlp.onnx" -- "$m/one.npy"

# Values without a row per sample: each sample has its own, in every form, and none of its neighbours'.
works '^[0-3]' predict "$m/turned.onnx" "$m/batch.npy" --capture turned -o "$dir/s.json" -o "$dir/s.csv"
works '^[0-3]' predict "$m/turned.onnx" "$m/row1.npy" --capture turned -o "$dir/s1.json" -o "$dir/s1.csv"
[ "$(sed -n 3p "$dir/s.csv")" = "$(sed -n 2p "$dir/s1.csv")" ] && [ "$(sed -n 2p "$dir/s.csv")" != "$(sed -n 3p "$dir/s.csv")" ] &&
    [ "$(sed -n 1p "$dir/s.csv" | tr ',' '\n' | grep -c turned)" -gt 1 ] && [ "$(wc -l <"$dir/s.csv")" -eq 3 ]
verdict $? "a table holds each sample's share of a captured value"
share() { sed 's/.*"turned":\(\[.*\]\)},"top".*/\1/' "$1"; }
[ "$(share "$dir/s.json")" = "$(share "$dir/s1.json")" ] && grep -q '"turned":\[\[[^],]*\],\[' "$dir/s.json"
verdict $? "and so does JSON"
fails 3 "input 'bias' is given 2 times and has 6 samples, but input 'ids' has 3" predict "$m/two.onnx" ids="$m/ids.npy" bias="$m/bias.npy" bias="$m/bias.npy"
works '' predict "$m/two.onnx" ids="$m/ids.npy" ids="$m/ids.npy" bias="$m/bias.npy" bias="$m/bias.npy"
works '^[0-2]' predict "$m/mlp.onnx" "$m/one.npy" --capture z -o "$dir/z.npz" -o "$dir/p.npy"
works '^[0-2]' predict "$m/mlp.onnx" "$m/one.npy" -o "$dir/p.npz"
warns '^[0-2]' "array 'p' is no input of the model and is taken for its only one, x" predict "$m/steps.onnx" "$dir/p.npz"
printf 'cat\ndog\n' >"$dir/few"
fails 3 "few has 2 labels, but output 'p' has 3 classes; " predict "$m/mlp.onnx" "$m/one.npy" --labels "$dir/few"
says '^limn: warning: .*has 4 axes and so no classes' predict "$m/map.onnx" "$m/image.npy" --top 3
fails 2 "layer '#-1': the model has 4 layers" predict "$m/mlp.onnx" "$m/one.npy" --capture '#-1'
fails 2 "a layer's name is empty" predict "$m/mlp.onnx" "$m/one.npy" --capture ''
fails 3 "an input's name is empty" predict "$m/mlp.onnx" ''
fails 3 "'-1' is no number of a row" predict "$m/mlp.onnx" "$dir/rows.csv:-1"
fails 3 'element 0 is 1152921504606846977, which float32 cannot hold' predict "$m/mlp.onnx" "$m/huge.npy"
says '^limn: info: plan: 3 steps on cpu' predict "$m/mlp.onnx" "$m/one.npy" -v
says '^limn: info: cpu, 1 thread, .*: 2 samples in [0-9.]* ms' predict "$m/mlp.onnx" "$m/batch.npy" -v --threads 1
for words in "predict $m/ops.onnx $m/three.npy" "bench $m/ops.onnx $m/three.npy" "summary $m/ops.onnx"; do
    "$limn" $words --json >"$dir/out" 2>"$dir/err"
    [ $? -eq 4 ] && grep -q '"node":"first"}}$' "$dir/out"
    verdict $? "limn $words tells the node in JSON"
done
fails 3 "NaN, which first came out of node 'culprit'" bench "$m/log.onnx" "$m/three.npy" --repeat 1
works '^forward ' bench "$m/log.onnx" "$m/three.npy" --repeat 1 --allow-nan
fails 2 "no value with spatial axes" predict "$m/rnn.onnx" "$m/rnn1.npy" --capture auto
fails 2 "no value with spatial axes" predict "$m/rnn.onnx" "$m/rnn2.npy" --capture auto

# All files of a command or none, and a link stays one.
fails 7 'none/b.npy' predict "$m/mlp.onnx" "$m/one.npy" -o "$dir/a1.npy" -o "$dir/none/b.npy"
[ ! -e "$dir/a1.npy" ] && [ -z "$(find "$dir" -name '*.tmp')" ]
verdict $? "a file that cannot be written takes the others with it"
ln -s target.npy "$dir/link.npy"
works '^[0-2]' predict "$m/mlp.onnx" "$m/one.npy" -o "$dir/link.npy"
[ -h "$dir/link.npy" ] && cmp -s "$dir/target.npy" "$dir/p.npy"
verdict $? "what a link leads to is written"
ln -s loop.npy "$dir/loop.npy"
fails 7 'loop.npy' predict "$m/mlp.onnx" "$m/one.npy" -o "$dir/loop.npy"

# Threads that the system refuses are done without. How little memory refuses some, and not everything, is tried out.
for kb in 200000 100000 80000 70000 60000 50000 40000; do
    (ulimit -v $kb && "$limn" predict "$m/mlp.onnx" "$m/one.npy" --threads 8 -o "$dir/few.npy") >"$dir/out" 2>"$dir/err"
    if [ $? -eq 0 ] && grep -q '^limn: warning: thread .* cannot be started' "$dir/err"; then
        cmp -s "$dir/few.npy" "$dir/p.npy"
        verdict $? "fewer threads give the same"
        break
    fi
done

fails 3 'the input is missing; the model takes x float32\[?,4\]' predict "$m/mlp.onnx"
fails 2 'the model is missing' predict
fails 2 'ends in none of' predict "$m/mlp.onnx" "$m/one.npy" -o "$dir/y.txt"
fails 2 'whole number' predict "$m/mlp.onnx" "$m/one.npy" --top 0
fails 2 'whole number' predict "$m/mlp.onnx" "$m/one.npy" --seed none
fails 2 "no layer 'fc3'.*fc1" predict "$m/mlp.onnx" "$m/one.npy" --capture fc3
fails 2 '3 layers\|2 layers' predict "$m/mlp.onnx" "$m/one.npy" --capture Gemm@7
fails 2 'no column' predict "$m/mlp.onnx" "$dir/rows.csv" --label what
fails 3 "line 2, column 5 'who': 'x'; a number is needed, or leave the column out with --label 'who'" predict "$m/mlp.onnx" "$dir/rows.csv"
printf 'id,a,b,c,d,who\nk,1,2,NA,4,x\n' >"$dir/texts.csv"
fails 3 "column 1 'id': 'k'; a number is needed; take columns of texts out of the table" predict "$m/mlp.onnx" "$dir/texts.csv" --label who
fails 3 'the table has 2 rows' predict "$m/mlp.onnx" "$dir/rows.csv:2" --label who
printf '1,2,3,4,5\n' >"$dir/five.csv"
fails 3 "5 columns, but input 'x' takes 4" predict "$m/mlp.onnx" "$dir/five.csv"
fails 3 'none.npy' predict "$m/mlp.onnx" "$dir/none.npy"
fails 3 'bad.onnx' predict "$m/mlp.onnx" "$dir/bad.onnx"
head -c 100 "$m/one.npy" >"$dir/cut.npy"
fails 3 'cut.npy' predict "$m/mlp.onnx" "$dir/cut.npy"
fails 3 'x.*float32\[?,4\].*\[1,3\]' predict "$m/mlp.onnx" "$m/three.npy"
fails 3 'cannot be stacked' predict "$m/mlp.onnx" "$m/one.npy" "$m/three.npy"
fails 3 'cube.npy\|\[2,2,2\]' predict "$m/mlp.onnx" "$m/cube.npy"
fails 3 "no input 'y'; it takes x" predict "$m/mlp.onnx" y="$m/one.npy"
fails 3 'which input is it for' predict "$m/two.onnx" "$m/ids.npy"
fails 3 "'bias' is not fed" predict "$m/two.onnx" ids="$m/ids.npy"
fails 3 'int64 cannot hold' predict "$m/two.onnx" ids="$m/one.npy" bias="$m/bias.npy"
fails 3 'takes no input' predict "$m/none.onnx" "$m/one.npy"
fails 3 "NaN, which first came out of node 'culprit' (Log)" predict "$m/log.onnx" "$m/three.npy"
works "^0${tab}${tab}nan\|${tab}-nan\|${tab}nan" predict "$m/log.onnx" "$m/three.npy" --allow-nan
"$limn" predict "$m/log.onnx" "$m/three.npy" --json >"$dir/out" 2>"$dir/err"
[ $? -eq 3 ] && grep -q '"status":3,.*"node":"culprit"}}$' "$dir/out"
verdict $? "the node of a failure stands in its JSON"
fails 4 'Frobnicate' predict "$m/ops.onnx" "$m/three.npy"
fails 6 'memory' predict "$m/slow.onnx" "$m/big.npy" --mem 20M
fails 7 'y.npy' predict "$m/mlp.onnx" "$m/one.npy" -o "$dir/none/y.npy"

works '^{"peak":{\("[a-z0-9]*":{"[0-9]*":[0-9.e+]*},*\)*},"rows":\[{"name":"ig",' bench "$m/mlp.onnx" "$m/one.npy" --method ig,saliency --repeat 2 --json
level=$("$limn" devices | sed -n "s/^cpu .*levels \([a-z0-9 ]* \)*\([a-z0-9]*\), .*/\2/p")
grep -q "\"${level:-scalar}\":{" "$dir/out"
verdict $? "the peak of ${level:-scalar} is measured"
works '^{"peak":{.*},"rows":\[{"name":"forward",.*"shape":"1x4",.*"yardstick":null}\]}$' bench "$m/mlp.onnx" "$m/one.npy" --repeat 2 --json
works '^forward  *1x3x8x8 ' bench "$m/cnn.onnx" --repeat 1
says '^limn: info: plan: 4 steps on cpu' bench "$m/cnn.onnx" "$m/image.npy" --repeat 1 -v
grep -q 'share' "$dir/out"
verdict $? "and tells what each step took"
fails 2 'leave it out' bench "$m/cnn.onnx" --only gemm
fails 3 'float32\[1,3,8,8\]' bench "$m/cnn.onnx" "$m/batch.npy"

# Interrupted while it computes: at once, and no file is left.
mkdir "$dir/work"
"$limn" predict "$m/slow.onnx" "$m/big.npy" -o "$dir/work/y.npy" --allow-nan >"$dir/out" 2>"$dir/err" &
sleep 1
kill -INT $! 2>"$dir/kill"
wait $!
[ $? -eq 130 ] && [ -z "$(ls "$dir/work")" ] && [ ! -s "$dir/out" ]
verdict $? "an interrupted run leaves nothing and is exit 130"

"$limn" _completion >"$dir/complete" && (
    # shellcheck disable=SC1091,SC2034,SC3030,SC2039
    command -v bash >/dev/null || exit 0
    bash -c '. "$1"; COMP_WORDS=(limn predict --ca); COMP_CWORD=2; _limn; [ "${COMPREPLY[*]}" = --capture ] || exit 1
        COMP_WORDS=(limn summ); COMP_CWORD=1; _limn; [ "${COMPREPLY[*]}" = summary ] || exit 1
        COMP_WORDS=(limn summary mo); COMP_CWORD=2; _limn; [ -z "${COMPREPLY[*]}" ]' x "$dir/complete"
)
verdict $? "completion knows each verb's options and leaves files to the shell"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
