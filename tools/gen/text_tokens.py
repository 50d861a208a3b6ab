#!/usr/bin/env python3
"""Train tokenizers on text of this machine with Hugging Face's trainers, and compare what Limn makes of their files.

    tools/gen/text_tokens.py compare TEST_TOKENS [FOLDER]    2,000 lines, vocabularies of 8,000; TEST_TOKENS is the
                                                             built tests/data/test_tokens
    tools/gen/text_tokens.py golden OUT_DIR                  36 lines, vocabularies of a few hundred: tests/data/tokens

Needs tokenizers (0.20 or newer). Text comes from translations and documents under /usr/share."""
import gettext
import hashlib
import io
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

import tokenizers
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

LANGUAGES = ["de", "fr", "cs", "vi", "tr", "ru", "el", "ar", "he", "hi", "th", "ja", "zh_CN", "ko", "pl", "ta"]
EMOJI = "😀 🤣 👍🏽 👩‍👩‍👧 🇩🇪 ❤️ ☃ 🤖 ½ ² Ⅷ ① ㎏ ﬁ ﬀ".split()
SPACES = ["  ", "\t", "\u00a0", "\u2003", "\u3000", "\r", " \u200b", "\u2028", "   ", "\u200d", "\x0b", "\x85"]
ODD = ["e\u0301", "a\u0308\u0323", "\u212b", "\u1e9b\u0323", "İ", "ſ", "K", "\u0000", "\ufffd", "\u00ad", "\x7f", "don't",
       "I'LL", "x=3.14", "a_b", "C++", "[MASK]", "<s>", "foo[SEP]bar", "▁", "Ġ", "##a", "㍿", "각", "नि", "１２３",
       "\u1100\u1161\u11a8", "q\u0307\u0323", "\u0344", "\ufb2a", "𝐀𝐁", "\U0001F1E6"]


def sources():
    """Lines of many scripts."""
    lines = []
    for language in LANGUAGES:
        texts = []
        for path in sorted(pathlib.Path("/usr/share/locale").glob(f"{language}/LC_MESSAGES/*.mo")):
            try:
                with open(path, "rb") as f:
                    catalog = gettext.GNUTranslations(f)._catalog
            except (OSError, ValueError, IndexError):
                continue
            texts += [t for k, t in catalog.items() if isinstance(t, str) and k]
        texts = sorted({line for t in texts for line in t.split("\n") if 3 < len(line) < 160})
        random.Random(language).shuffle(texts)
        lines += texts[:400]
    for path in sorted(pathlib.Path("/usr/share").glob("**/*.txt"))[:200]:
        try:
            lines += [t for t in path.read_text("utf-8").split("\n")[:60] if 3 < len(t) < 160]
        except (OSError, UnicodeDecodeError):
            continue
    random.Random(0).shuffle(lines)
    return lines


def mixed(lines, count, seed):
    """Lines with what tokenizers stumble over put in."""
    r = random.Random(seed)
    out = []
    for _ in range(count):
        words = r.choice(lines).split(" ")
        for _ in range(r.randrange(4)):
            words.insert(r.randrange(len(words) + 1), r.choice(r.choice([EMOJI, ODD, SPACES, ODD])))
        out.append("".join(w + (r.choice(SPACES) if r.random() < 0.08 else " ") for w in words)[: r.choice([60, 120])])
    out[:8] = ["", " ", "a", "  two  spaces  ", "[CLS] already [SEP]", "\u00a0", "x" * 120, "e\u0301" * 20]
    return [t.replace("\n", " ") for t in out]


def with_roberta(t):
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)


def double_array(pairs):
    """A map of strings as SentencePiece keeps it: the size of a tree, the tree, the texts. Units of the tree hold
    (own place ^ place of the children) << 10 | has a value << 8 | byte; the value is the child of byte 0."""
    texts, tree = bytearray(), {}
    for key, text in sorted(pairs.items()):
        node = tree
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[0] = len(texts)
        texts += text.encode() + b"\0"
    units, todo = {0: 0}, [(0, 0, tree)]
    while todo:
        place, label, node = todo.pop()
        base = next(b for b in range(1, 1 << 20) if all(b ^ c not in units for c in node))
        units[place] = (place ^ base) << 10 | (0 in node) << 8 | label
        for c, child in node.items():
            units[base ^ c] = 1 << 31 | child if c == 0 else 0
            if c:
                todo.append((base ^ c, c, child))
    tree = b"".join(struct.pack("<I", units.get(i, 0)) for i in range((max(units) | 255) + 1))
    return struct.pack("<I", len(tree)) + tree + bytes(texts)


def charsmap(size):
    """SentencePiece's own map for the comparison, where its package is there; a small one otherwise."""
    small = {"\u00a0": " ", "\t": " ", "\u200b": "", "\ufb01": "fi", "e\u0301": "\u00e9", "\u00bd": "1/2", "\u2026": "...",
             "\u1100\u1161\u11a8": "\uac01", "\u3000": " ", "\uff11": "1", "\u3371": "hPa", "\u200d": "", "K": "k", "Kr": "c"}
    if size < 4000:
        return double_array(small)
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["a b c d e f g"] * 9), model_writer=made,
                                             vocab_size=12, model_type="unigram", minloglevel=2)
    return sentencepiece_model_pb2.ModelProto.FromString(made.getvalue()).normalizer_spec.precompiled_charsmap


def build(lines, size):
    """Tokenizers by name."""
    made = {}
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

    def wordpiece(lower):
        t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        t.normalizer = normalizers.BertNormalizer(lowercase=lower)
        t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        t.train_from_iterator(lines, trainers.WordPieceTrainer(vocab_size=size, special_tokens=special, show_progress=False))
        t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
        return t

    made["wordpiece"] = wordpiece(True)
    made["vocab"] = wordpiece(False)  # kept as vocab.txt

    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<s>", "<pad>", "</s>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    with_roberta(t)
    made["bytes"] = t

    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=size, show_progress=False,
                                                     initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = processors.ByteLevel(trim_offsets=True)
    made["prefixed"] = t

    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    t.normalizer = normalizers.NFKC()
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    t.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=size, show_progress=False, limit_alphabet=size // 4,
        special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A </s> $B:1", special_tokens=[
        ("<s>", 1), ("</s>", 2)])
    made["metaspace"] = t

    letters = len(set("".join(lines)))
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(),
                                         normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip()])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.train_from_iterator(lines, trainers.UnigramTrainer(
        vocab_size=max(size, letters + 400), special_tokens=["<unk>"], unk_token="<unk>", show_progress=False))
    made["unigram"] = t

    t = Tokenizer(models.Unigram())  # as T5 and XLM-R have it
    t.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap(size)), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    t.train_from_iterator(lines, trainers.UnigramTrainer(
        vocab_size=max(size, letters + 400), special_tokens=["<unk>"], unk_token="<unk>", show_progress=False))
    made["precompiled"] = t

    t = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="@@", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Prepend("·"), normalizers.Replace("’", "'")])
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
                                   r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), "isolated"),
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Punctuation("merged_with_previous"),
        pre_tokenizers.Whitespace()])
    t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=size, special_tokens=["<unk>"], show_progress=False,
                                                     continuing_subword_prefix="@@", end_of_word_suffix="</w>",
                                                     limit_alphabet=size // 2))
    t.add_tokens([AddedToken("foo", single_word=True), AddedToken("C++", lstrip=True, rstrip=True)])
    t.enable_truncation(40)
    made["parts"] = t
    return made


def write(made, folder):
    paths = {}
    for name, t in made.items():
        if name == "vocab":
            paths[name] = folder / "vocab.txt"
            ids = sorted(t.get_vocab(False).items(), key=lambda x: x[1])
            paths[name].write_text("".join(token + "\n" for token, _ in ids), "utf-8")
        else:
            paths[name] = folder / f"{name}.json"
            paths[name].write_text(t.to_str(pretty=False) + "\n", "utf-8")
    return paths


def answers(t, lines):
    return [" ".join(f"{i}:{a}:{b}" for i, (a, b) in zip(e.ids, e.offsets)) for e in map(t.encode, lines)]


def compare(program, folder, lines, count):
    made = build(lines, 8000)
    paths = write(made, folder)
    texts = mixed(lines, count, 1)
    (folder / "lines").write_text("".join(t + "\n" for t in texts), "utf-8", newline="\n")
    wrong = 0
    for name, t in made.items():
        ours = subprocess.run([program, "--print", paths[name], folder / "lines"], check=True, capture_output=True)
        ours = ours.stdout.decode().split("\n")[:-1]
        theirs = answers(t, texts)
        bad = [i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b]
        wrong += len(bad) + abs(len(ours) - len(theirs))
        ids = sum([x.split(":")[0] for x in a.split()] == [x.split(":")[0] for x in b.split()]
                  for a, b in zip(ours, theirs))
        print(f"{name}: {len(theirs)} lines, {ids} with equal ids, {len(theirs) - len(bad)} with equal offsets too, "
              f"{sum(len(a.split()) for a in theirs)} tokens")
        for i in bad[:3]:
            print(f"  {texts[i]!r}\n   ours {ours[i]}\n theirs {theirs[i]}")
    return wrong


def golden(folder, lines):
    folder.mkdir(parents=True, exist_ok=True)
    made = build(lines[:300], 400)
    write(made, folder)
    texts = mixed(lines, 36, 2)
    (folder / "lines").write_text("".join(t + "\n" for t in texts), "utf-8", newline="\n")
    for name, t in made.items():
        (folder / f"{name}.want").write_text("".join(a + "\n" for a in answers(t, texts)), newline="\n")
    names = sorted(p.name for p in folder.iterdir() if p.name != "MANIFEST")
    sums = "".join(f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names)
    (folder / "MANIFEST").write_text(
        "Tokenizers trained on translations and documents of a Debian machine, lines of many scripts, and what Hugging\n"
        "Face's library makes of them: NAME.want has id:begin:end of each token, a line for a line. Made by\n\n"
        f"    tools/gen/text_tokens.py golden tests/data/tokens\n\nwith tokenizers {tokenizers.__version__}.\n\n{sums}")


def main():
    lines = sources()
    print(f"{len(lines)} lines of text")
    if sys.argv[1] == "golden":
        golden(pathlib.Path(sys.argv[2]), lines)
        return 0
    if len(sys.argv) > 3:
        return 1 if compare(sys.argv[2], pathlib.Path(sys.argv[3]), lines, 2000) else 0
    with tempfile.TemporaryDirectory() as folder:
        return 1 if compare(sys.argv[2], pathlib.Path(folder), lines, 2000) else 0


if __name__ == "__main__":
    sys.exit(main())
