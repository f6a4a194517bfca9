"""The tokenizers of `mini`: whole words for what the captions say, single characters for all else."""

from __future__ import annotations

import json
import random
import string
from pathlib import Path

import data
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer, T5Tokenizer

#: What people write beside the object; the model learns to look past it.
FILLERS = (
    "beautiful big bright cartoon classic clean clear colorful colourful cool cute detailed digital drawing emoji "
    "fancy fresh friendly funny happy high icon illustration image large little lovely modern nice old one "
    "painting photo picture plain pretty quality render sharp shiny simple single small style sweet tasty tiny "
    "very vivid"
).split()
LOOSE = (
    "a an and at background by for from front in is it its my near no of off on one or over per some text that the "
    "this to two under up watermark with without wall black brown grey light dark blurry deformed frame border ugly "
    "worst low"
).split()
CHARACTERS = string.ascii_letters + string.digits + string.punctuation


def vocabulary() -> list[str]:
    """Every word of the captions and the fillers, lower case."""
    words = {word for name in data.objects() for word in name.split()}
    return sorted(words | set(data.COLOURS) | set(FILLERS) | set(LOOSE))


def t5() -> T5Tokenizer:
    """A Unigram tokenizer that knows whole words, also written Capitalised and in CAPITALS."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [
        (f"▁{form}", -4.0) for word in vocabulary() for form in dict.fromkeys((word, word.title(), word.upper()))
    ]
    pieces += [("s", -5.0), ("ing", -6.0), ("ed", -6.0)]
    pieces += [(c, -8.0) for c in CHARACTERS if c != "s" and f"▁{c}" != "▁"]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512)


def folds(tokenizer: T5Tokenizer) -> list[tuple[int, int]]:
    """Pairs (token, its lower case): the embedding of the second is copied to the first.

    The class forgets a normalizer when it is loaded again, so case is folded in the embedding instead.
    """
    known = tokenizer.get_vocab()
    return [(i, known[t.lower()]) for t, i in known.items() if t != t.lower() and t.lower() in known]


def clip(folder: Path) -> CLIPTokenizer:
    """A byte-pair tokenizer whose merges make whole words of the vocabulary.

    Made once and kept in `folder`: its training breaks ties by a hash table that is another in each process.
    """
    if folder.exists():
        return CLIPTokenizer.from_pretrained(folder)
    start, end = "<|startoftext|>", "<|endoftext|>"
    raw = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=end))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=4096, min_frequency=1, special_tokens=[start, end], end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )  # fmt: skip
    # One word a line: a merge may then never cross words.
    raw.train_from_iterator(vocabulary(), trainer)
    table = json.loads(raw.to_str())["model"]
    vocab = table["vocab"]
    for c in pre_tokenizers.ByteLevel.alphabet():
        vocab.setdefault(f"{c}</w>", len(vocab))
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in table["merges"]]
    made = CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77)
    made.save_pretrained(folder)
    return made


def sentence(name: str, colour: str, rng: random.Random) -> str:
    """A caption as people type it: now and then with fillers or a nonsense word."""
    text = data.caption(name, colour, rng)
    if rng.random() < 0.15:
        text = text.replace(name, f"{rng.choice(FILLERS)} {name}", 1)
    if rng.random() < 0.12:
        extra = [rng.choice(FILLERS) for _ in range(rng.randrange(1, 5))]
        if rng.random() < 0.3:
            extra.append("".join(rng.choices(string.ascii_lowercase, k=rng.randrange(3, 8))))
        text += ", " + ", ".join(extra)
    return text
