"""Runs first in an engine's process: ties it to the bot's life, then becomes the engine's command line.

A script of its own, without the package, so that it costs milliseconds: `python -IS tether.py PARENT COMMAND...`
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def tie(parent: int) -> None:
    """Die with the process `parent`, and before it when memory runs out. Raises SystemExit when it is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        try:
            Path("/proc/self/oom_score_adj").write_text("500")
        except OSError as error:
            print(f"oom_score_adj stays as it is: {error}", file=sys.stderr)  # noqa: T201
    # The signal is only sent for deaths after prctl.
    if os.getppid() != parent:
        raise SystemExit(1)


def main() -> None:
    tie(int(sys.argv[1]))
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606
    except OSError as error:
        raise SystemExit(f"{sys.argv[2]}: {error.strerror}") from None


if __name__ == "__main__":
    main()
