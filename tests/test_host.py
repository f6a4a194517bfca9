"""What realbot finds out about the machine, and what it gives back to it."""

from __future__ import annotations

import gc
import platform

import psutil
import pytest

from realbot import host


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is free in the middle of its heaps"
)
def test_H18_memory_that_was_needed_for_a_moment_goes_back():
    process = psutil.Process()
    # Blocks that are too large for Python's own pools and too small to be mapped one by one, with holes between.
    blocks = [bytearray(60_000) for _ in range(2000)]
    kept = blocks[::50]
    blocks.clear()
    gc.collect()
    full = process.memory_info().rss
    host.trim()
    assert process.memory_info().rss < full - (60 << 20)
    assert len(kept) == 40


def test_without_glibc_nothing_is_handed_back_and_nothing_fails(monkeypatch):
    monkeypatch.setattr(host.ctypes, "CDLL", lambda _: object())
    assert host.trim() is False
