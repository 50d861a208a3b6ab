#!/bin/sh
# shellcheck disable=SC2086,SC2154,SC2181
# What the command makes of its inputs, whole and broken. inputs.sh LIMN MAKE_MODELS PARTS, where PARTS names what was built in:
# tokens, png, jpeg
limn=$1 parts=$3
# shellcheck source=tests/cli/expect.sh
. "$(dirname "$0")/expect.sh"
m=$dir/models
mkdir "$m" && "$2" "$m" || exit 1
images=$(cd "$(dirname "$0")/../data/images" && pwd)

# Tables.
printf 'a,b,c,d,who\n1,2,3,4,x\n5,6,7,8,y\n' >"$dir/rows.csv"
printf 'a,b,c,d\n1,2,3,4\n1,2,3\n' >"$dir/ragged.csv"
printf 'a,b,c,d\n1,2,3,4\n1,2,three,4\n' >"$dir/text.csv"
printf 'a,b,c,d\n1,,NA,4\n' >"$dir/missing.csv"
printf 'a,b,"c,d\n1,2,3,4\n' >"$dir/open.csv"
printf 'a\000b\n' >"$dir/zero.csv"
: >"$dir/empty.csv"
fails 3 'ragged.csv: line 3 has 3 columns, but the first has 4' predict "$m/mlp.onnx" "$dir/ragged.csv"
fails 3 "text.csv: line 3, column 3 'c': 'three'; a number is needed" predict "$m/mlp.onnx" "$dir/text.csv"
fails 3 'open.csv: line 1, column 3: a quote is opened' predict "$m/mlp.onnx" "$dir/open.csv"
fails 3 'zero.csv holds zero bytes' predict "$m/mlp.onnx" "$dir/zero.csv"
fails 3 'empty.csv is empty' predict "$m/mlp.onnx" "$dir/empty.csv"
warns '^[0-2]' "missing.csv: line 2, column 2 'b': has no value, and others have none, too" predict "$m/mlp.onnx" "$dir/missing.csv" --allow-nan
works '.' explain "$m/mlp.onnx" "$dir/rows.csv:0" --label who --method ig --draw bars=waterfall -o "$dir/fall.svg" -o "$dir/bars.svg" --json
grep -q 'at the baseline' "$dir/fall.svg" && grep -q 'in the end' "$dir/fall.svg"
verdict $? "a waterfall goes from the baseline to the end"

# Arrays, archives and bytes of any kind.
head -c 100 "$m/one.npy" >"$dir/cut.npy"
: >"$dir/empty.npy"
printf 'PK\003\004 no archive' >"$dir/broken.npz"
cp "$m/one.npy" "$dir/wrong.npz"
printf '\000\000\010\003\000\000' >"$dir/cut-idx3-ubyte"
printf '\000\000\010\003\177\377\377\377\177\377\377\377\000\000\000\010' >"$dir/huge-idx3-ubyte"
fails 3 'cut.npy' predict "$m/mlp.onnx" "$dir/cut.npy"
fails 3 'empty.npy' predict "$m/mlp.onnx" "$dir/empty.npy"
fails 3 'broken.npz' predict "$m/mlp.onnx" "$dir/broken.npz"
fails 3 'wrong.npz' predict "$m/mlp.onnx" "$dir/wrong.npz"
fails 3 'no-such.npy: No such file' predict "$m/mlp.onnx" "$dir/no-such.npy"
fails 3 'cut-idx3-ubyte: the file ends' predict "$m/cnn.onnx" "$dir/cut-idx3-ubyte"
fails 3 'huge-idx3-ubyte' predict "$m/cnn.onnx" "$dir/huge-idx3-ubyte"
if [ "$(id -u)" -ne 0 ]; then
    cp "$m/one.npy" "$dir/closed.npy" && chmod 0 "$dir/closed.npy"
    fails 3 'closed.npy: Permission denied' predict "$m/mlp.onnx" "$dir/closed.npy"
fi

# Pictures.
case $parts in *png*)
    head -c 60 "$images/colour.png" >"$dir/cut.png"
    printf 'GIF89a no PNG' >"$dir/wrong.png"
    : >"$dir/empty.png"
    # ten thousand million pixels in a few bytes
    printf '\211PNG\r\n\032\n\000\000\000\rIHDR\000\001\206\240\000\001\206\240\010\002\000\000\000\047\060\234\237'\
'\000\000\000\021\111\104\101\124\170\234\143\140\030\005\243\140\024\014\167\000\000\003\350\000\001\263\246\323\106' >"$dir/bomb.png"
    fails 3 'cut.png' predict "$m/cnn.onnx" "$dir/cut.png" --prep scale=1
    fails 3 'wrong.png' predict "$m/cnn.onnx" "$dir/wrong.png" --prep scale=1
    fails 3 'empty.png' predict "$m/cnn.onnx" "$dir/empty.png" --prep scale=1
    fails 6 'bomb.png: 100000 x 100000 pixels are 10000000000, and a picture may have 134217728' predict "$m/cnn.onnx" "$dir/bomb.png" --prep scale=1
    cp "$images/colour.png" "$dir/named.jpg" # by what it holds, not by its name
    works '^[0-3]' predict "$m/cnn.onnx" "$dir/named.jpg" --prep resize=8x8,scale=1/255
    for mode in overlay blend mask map; do
        works '.' explain "$m/cnn.onnx" "$images/colour.png" --prep resize=8x8,scale=1/255 --method gradcam,input_x_gradient \
            --set upsample=none --draw mode=$mode,sign=positive,by=interpolated,clip=99,upsample=bicubic -o "$dir/$mode.png" --json
    done
    grep -a -q 'range .*: 99th percentile of |value| interpolated; positive; blend' "$dir/blend.png"
    verdict $? "the picture says how its range was found"
    ! cmp -s "$dir/overlay.png" "$dir/blend.png" && ! cmp -s "$dir/mask.png" "$dir/map.png"
    verdict $? "modes differ"
    for layer in layer1.0.conv2 Conv@-1 '#2' '*conv2*' layer1.0 auto layer1.0.conv2.weight; do
        works 'layers' summary "$m/cnn.onnx" --layer "$layer" -o "$dir/filters.png"
        grep -a -q '/layer1/layer1.0/conv2/Conv: 6 filters of 6 x 3 x 3 weights' "$dir/filters.png"
        verdict $? "the filters of convolution $layer are drawn"
    done
    fails 2 "the model has no layer 'conv9'" summary "$m/cnn.onnx" --layer conv9 -o "$dir/filters.png"
    fails 2 'is no convolution with weights of its own; choose one such as /layer1' summary "$m/cnn.onnx" --layer fc -o "$dir/filters.png"
    works '.' explain "$m/cnn.onnx" "$m/image.npy" --method activation --layer layer1.0.relu_1 --draw channels=each -o "$dir/sheet.png" --json
    [ "$(od -An -tu1 -j16 -N8 "$dir/sheet.png" | tr -s ' ')" = ' 0 0 0 234 0 0 0 162' ]
    verdict $? "six channels of 8 x 8 in rows of three, nine times enlarged, have nine pixels for a number above each"
    works 'layers' summary "$m/cnn.onnx" -o "$dir/filters.png"
    [ "$(od -An -tu1 -j16 -N8 "$dir/filters.png" | tr -s ' ')" = ' 0 0 0 58 0 0 0 54' ]
    verdict $? "and so have filters"
    ;;
esac
warns 'layers' '--layer: has no effect, for no filters are drawn; ' summary "$m/cnn.onnx" --layer layer1.0.conv2
fails 2 "--draw 'mode=x': give overlay, blend, mask or map" explain "$m/cnn.onnx" "$m/image.npy" --method saliency --draw mode=x
fails 2 "--draw 'clip=0': give a number above 0, at most 100" explain "$m/cnn.onnx" "$m/image.npy" --method saliency --draw clip=0
fails 2 "--draw 'what': give mode, sign" explain "$m/cnn.onnx" "$m/image.npy" --method saliency --draw what

# Labels.
printf '["cat", "d\\u00f6g", "bird"]' >"$dir/labels.json"
printf '{"0": "cat", "2": "bird", "1": "dog"}' >"$dir/id2label.json"
printf '{"cat": 0, "dog": 1, "bird": 2}' >"$dir/label2id.json"
printf '{"cat": ' >"$dir/bad.json"
works '	dög	' predict "$m/mlp.onnx" "$m/one.npy" --labels "$dir/labels.json"
works '^1	dog	' predict "$m/mlp.onnx" "$m/one.npy" --labels "$dir/id2label.json"
works '^2	bird	' predict "$m/mlp.onnx" "$m/one.npy" --labels "$dir/label2id.json"
fails 3 'bad.json: is no list of labels' predict "$m/mlp.onnx" "$m/one.npy" --labels "$dir/bad.json"

# Sound.
riff='RIFF\060\000\000\000WAVEfmt \020\000\000\000\001\000\001\000\200\076\000\000\000\175\000\000\002\000\020\000data'
printf "$riff"'\014\000\000\000\000\100\000\300\000\100\000\300\000\100\000\300' >"$dir/s.wav"
printf "$riff"'\014\000\000\000\000\100' >"$dir/cut.wav"
printf 'no sound' >"$dir/wrong.wav"
works '^[0-2]' predict "$m/sound.onnx" "$dir/s.wav"
works '.' explain "$m/sound.onnx" "$dir/s.wav" --method ig -o "$dir/s.svg" --json
case $parts in *png*) works '.' explain "$m/sound.onnx" "$dir/s.wav" --method saliency -o "$dir/series.png" --json ;; esac
fails 3 'cut.wav: the file ends before its sound does' predict "$m/sound.onnx" "$dir/cut.wav"
fails 3 'wrong.wav: is no .wav file' predict "$m/sound.onnx" "$dir/wrong.wav"
fails 3 "s.wav: has 6 frames, but input 'x' takes 4" predict "$m/mlp.onnx" "$dir/s.wav"

works '^[0-2]' predict "$m/sound.onnx" "$dir/s.wav" --prep rate=32000
fails 2 'rate=0: give frames a second' predict "$m/sound.onnx" "$dir/s.wav" --prep rate=0
fails 2 'rate=768001: give frames a second' predict "$m/sound.onnx" "$dir/s.wav" --prep rate=768001

# Baselines in the forms that inputs have.
printf '1,2,3,4\n5,6,7,8\n' >"$dir/base.csv"
works 'off by .* from what it should be' explain "$m/mlp.onnx" "$m/one.npy" --method ig --baseline "$dir/base.csv:1"
fails 2 'ig takes one, and there are 2' explain "$m/mlp.onnx" "$m/one.npy" --method ig --baseline "$dir/base.csv"
fails 3 'nothing.png: No such file' explain "$m/cnn.onnx" "$m/image.npy" --method ig --baseline "$dir/nothing.png" --prep scale=1
case $parts in *png*)
    "$limn" explain "$m/cnn.onnx" "$images/colour.png" --prep resize=8x8,scale=1/255 --method ig --baseline "$images/colour.png" \
        --json >"$dir/out" 2>"$dir/err"
    grep -q '"sum":-*0,"min":-*0,"max":-*0' "$dir/out"
    verdict $? "a picture differs in nothing from itself"
    ;;
esac

# Models.
head -c 300 "$m/mlp.onnx" >"$dir/cut.onnx"
fails 3 'the file is cut off or damaged; get it anew' predict "$dir/cut.onnx" "$m/one.npy"

# Texts.
printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\nhello\nworld\n##s\n!\n' >"$dir/vocab.txt"
printf 'Hello worlds!\n' >"$dir/doc.txt"
printf 'bad \377 bytes\n' >"$dir/bad.txt"
printf 'hello world' >"$dir/line.txt"
: >"$dir/empty.txt"
fails 2 'texts need --tokenizer FILE' predict "$m/tokens.onnx" --text hello
fails 2 'there is no text to pair it with' predict "$m/tokens.onnx" --pair hello
case $parts in *tokens*)
    t="--tokenizer $dir/vocab.txt"
    works '^[0-2]' predict "$m/tokens.onnx" "$dir/doc.txt" $t
    works '"ids":\[2,4,5,6,7,3\],"mask":\[1,1,1,1,1,1\],"types":\[0,0,0,0,0,0\]' predict "$m/masked.onnx" "$dir/doc.txt" $t --json
    works '"ids":\[2,4,3,0\],"mask":\[1,1,1,0\]' predict "$m/masked.onnx" --text Hello --text 'hello world' $t --json
    works '"ids":\[2,4,3,5,3\].*"types":\[0,0,0,1,1\]' predict "$m/masked.onnx" --text hello --pair world $t --json
    works '>hello</text>\|ig' explain "$m/tokens.onnx" "$dir/doc.txt" $t --method ig -o "$dir/words.svg" --json
    grep -q '>Hello</text>' "$dir/words.svg" && grep -q '>\[CLS\]</text>' "$dir/words.svg"
    verdict $? "a strip of tokens shows the text"
    works '|.*  Hello  ' explain "$m/tokens.onnx" "$dir/doc.txt" $t --method saliency
    works '^saliency of target .*, of output y, at input input_ids$' explain "$m/masked.onnx" "$dir/doc.txt" $t --method saliency
    # without a mask texts of unequal length are run one by one, which gives what each gives alone
    works '^0	' predict "$m/tokens.onnx" --text hello $t
    tail -n +1 "$dir/out" >"$dir/alone"
    works '^hello world$' predict "$m/tokens.onnx" --text hello --text 'hello world' $t -o "$dir/unequal.csv" -o "$dir/unequal.json"
    sed -n '2,4p' "$dir/out" | cmp -s - "$dir/alone"
    verdict $? "a text among others gives what it gives alone"
    [ "$(wc -l <"$dir/unequal.csv")" -eq 3 ] && grep -q '"source":"hello world"' "$dir/unequal.json"
    verdict $? "and files hold them all"
    works '"source":"hello".*"shape":\[3\].*"source":"hello world".*"shape":\[4\]' explain "$m/tokens.onnx" --text hello \
        --text 'hello world' $t --method ig --json
    fails 3 'use .json, or give one text' explain "$m/tokens.onnx" --text hello --text 'hello world' $t --method ig -o "$dir/no.npz"
    # an input of one text is fed one after the other: none is left out, and each gives what it gives alone
    : >"$dir/alone"
    for text in 'hello world s' hello 'world !'; do
        works . predict "$m/line.onnx" --text "$text" $t
        { echo "$text" && cat "$dir/out"; } >>"$dir/alone"
    done
    works '^world !$' predict "$m/line.onnx" --text 'hello world s' --text hello --text 'world !' $t
    grep . "$dir/out" | cmp -s - "$dir/alone"
    verdict $? "texts without a batch are all run"
    works '"source":"hello world s".*"shape":\[5\].*"source":"hello".*"shape":\[3\].*"source":"world !".*"shape":\[4\]' \
        explain "$m/line.onnx" --text 'hello world s' --text hello --text 'world !' $t --method ig --json
    warns '"source":"hello".*"source":"hello world"' 'the model takes no mask, so it takes what fills' \
        predict "$m/line8.onnx" --text hello --text 'hello world' $t --json
    [ "$(wc -l <"$dir/err")" -eq 1 ]
    verdict $? "and are filled up to a length that the model asks for"
    mkfifo "$dir/pipe.npz"
    cat "$dir/pipe.npz" >/dev/null &
    cats=$!
    fails 3 'cannot go into a pipe as .npz; use .json' predict "$m/tokens.onnx" --text hello --text 'hello world' $t -o "$dir/pipe.npz"
    kill $cats
    fails 3 'hello: is a text, but no input takes tokens, .* the model takes x float32\[?,4\]: give' predict "$m/mlp.onnx" --text hello $t
    works '^[0-2]' predict "$m/mlp.onnx" x="$dir/line.txt" $t
    grep -v PAD "$dir/vocab.txt" >"$dir/unpadded.txt"
    fails 3 'the texts have 3 tokens, input .ids. takes 8' predict "$m/line8.onnx" --text hello --tokenizer "$dir/unpadded.txt"
    fails 2 'there are 2 for 1 texts' predict "$m/masked.onnx" --text hello --pair a --pair b $t
    fails 3 'bad.txt: byte 4 of the text is no UTF-8' predict "$m/tokens.onnx" "$dir/bad.txt" $t
    fails 3 'empty.txt: is empty' predict "$m/tokens.onnx" "$dir/empty.txt" $t
    printf '{"model":{"type":"Other"}}' >"$dir/other.json"
    printf '{"model":{"type":"WordLevel","vocab":{"a":0}},"normalizer":{"type":"Nmt"}}' >"$dir/part.json"
    printf '{"model":' >"$dir/cut.json"
    fails 4 "other.json: its model 'Other' is not supported; supported are WordPiece, BPE" predict "$m/tokens.onnx" --text a --tokenizer "$dir/other.json"
    fails 4 "part.json: its normalizer 'Nmt' is not supported; supported are BertNormalizer" predict "$m/tokens.onnx" --text a --tokenizer "$dir/part.json"
    fails 3 'cut.json: it is no JSON' predict "$m/tokens.onnx" --text a --tokenizer "$dir/cut.json"
    { cat "$dir/vocab.txt" && seq 50; } >"$dir/foreign.txt"
    fails 3 'is out of range.*; the tokenizer may be that of another model' predict "$m/tokens.onnx" --text 49 --tokenizer "$dir/foreign.txt"
    fails 3 'doc.txt: it is no vocab.txt of BERT' predict "$m/tokens.onnx" --text a --tokenizer "$dir/doc.txt"
    fails 3 'no-such.json: No such file' predict "$m/tokens.onnx" --text a --tokenizer "$dir/no-such.json"
    ;;
*)
    fails 4 'this build has no tokenizers' predict "$m/tokens.onnx" --text a --tokenizer "$dir/vocab.txt"
    ;;
esac

# Outputs that cannot be written are refused before anything is explained, and leave nothing behind.
fails 7 'none/x.npy: No such file or directory' explain "$m/slow.onnx" "$m/big.npy" --method saliency -o "$dir/none/x.npy"
fails 2 'and no input that is explained is one; use .svg' explain "$m/mlp.onnx" "$m/one.npy" --method ig -o "$dir/x.png"
fails 2 'and no input that is explained is one; use .png' explain "$m/cnn.onnx" "$m/image.npy" --method ig -o "$dir/x.svg"
fails 2 'a .npy file holds one; use .npz' explain "$m/mlp.onnx" "$m/one.npy" --method ig,saliency -o "$dir/x.npy"
if [ -c /dev/full ]; then
    for ending in npy npz json svg html; do
        ln -sf /dev/full "$dir/full.$ending"
        fails 7 "full.*: No space left on device" explain "$m/mlp.onnx" "$m/one.npy" --method ig -o "$dir/full.$ending"
        [ -L "$dir/full.$ending" ] && [ -z "$(find "$dir" -name '*.tmp*' -o -name '.limn*')" ]
        verdict $? "nothing is left beside full.$ending"
    done
fi
mkdir "$dir/locked" && chmod 500 "$dir/locked"
if [ "$(id -u)" -ne 0 ]; then
    fails 7 'locked/x.npy: Permission denied' explain "$m/mlp.onnx" "$m/one.npy" --method ig -o "$dir/locked/x.npy"
    fails 7 'locked/x.npy: Permission denied' predict "$m/mlp.onnx" "$m/one.npy" -o "$dir/locked/x.npy"
fi
if [ ! -w /proc/sys ] || [ -d /proc/self ]; then
    fails 7 '/proc/x.npy' explain "$m/mlp.onnx" "$m/one.npy" --method ig -o /proc/x.npy
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
