from __future__ import annotations

import torch

from realbot.engine.embeds import Embeds, Encoded


def encoded(value: float = 0.0, width: int = 25) -> Encoded:
    """100 bytes unless told otherwise."""
    return Encoded(torch.full((1, 1, width), value), None)


def test_a_prompt_is_encoded_once() -> None:
    embeds = Embeds(1000)
    first = embeds.get("a cat", 32, "rev", lambda: encoded(1.0))
    again = embeds.get("a cat", 32, "rev", lambda: encoded(2.0))
    assert again is first
    assert (embeds.hits, embeds.misses) == (1, 1)


def test_bytes_tokens_and_revision_tell_prompts_apart() -> None:
    embeds = Embeds(10_000)
    asked = [("a cat", 32, "r"), ("a cat ", 32, "r"), ("A cat", 32, "r"), ("a cat", 64, "r"), ("a cat", 32, "s")]
    # Equal to the eye, different bytes.
    asked += [("caf\u00e9", 32, "r"), ("cafe\u0301", 32, "r"), ("\ud800", 32, "r")]
    for number, (prompt, tokens, revision) in enumerate(asked):
        embeds.get(prompt, tokens, revision, lambda n=number: encoded(float(n)))
    found = [float(embeds.get(*key, encoded).tokens[0, 0, 0]) for key in asked]
    assert found == [float(n) for n in range(len(asked))]
    assert embeds.misses == len(asked)


def test_the_longest_unused_goes_first() -> None:
    embeds = Embeds(300)
    for name in "abc":
        embeds.get(name, 1, "", encoded)
    embeds.get("a", 1, "", encoded)
    embeds.get("d", 1, "", encoded)
    misses = embeds.misses
    for name in "acd":
        embeds.get(name, 1, "", encoded)
    assert embeds.misses == misses
    embeds.get("b", 1, "", encoded)
    assert embeds.misses == misses + 1


def test_a_limit_of_zero_keeps_nothing_and_a_giant_evicts_nobody() -> None:
    nothing = Embeds(0)
    nothing.get("a", 1, "", encoded)
    nothing.get("a", 1, "", encoded)
    assert (nothing.hits, nothing.misses) == (0, 2)
    embeds = Embeds(300)
    embeds.get("a", 1, "", encoded)
    embeds.get("giant", 1, "", lambda: encoded(width=1000))
    embeds.get("a", 1, "", encoded)
    assert embeds.hits == 1


def test_the_pooled_part_counts() -> None:
    assert Encoded(torch.zeros(1, 2, 3), torch.zeros(1, 4, dtype=torch.float16)).size == 24 + 8
