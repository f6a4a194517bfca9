"""What an engine is handed for one attempt at a job."""

from __future__ import annotations

from collections.abc import Mapping

from . import __version__
from .engine import Work
from .engine.models import Preset
from .eta import Guess
from .jobs import Generate, Train, to_json
from .recipe import parameters
from .tickets import Run

#: Seconds an attempt may take: at least, where nothing is known, and as a multiple of what is expected.
LEAST, UNKNOWN, PATIENCE = 600.0, 3600.0, 20.0
#: The same for a training, which is watched step by step.
LESSON = 30 * 86_400.0


def order(
    run: Run,
    preset: Preset,
    guess: Guess | None,
    styles: Mapping[str, Mapping[str, str]],
    sources: Mapping[str, str],
    *,
    recipe: bool,
    preview: bool,
    folder: str = "",
) -> Work:
    """The work of a run; `styles`, `sources` and `folder` are as in `Work`, `recipe` says that PNG files carry it."""
    request, told = run.ticket.request, ""
    if recipe and isinstance(request, Generate):
        hashes = {name: file["sha256"] for name, file in styles.items()}
        distilled = preset.cfg == "embedded"
        told = parameters(
            request, request.seed or 0, request.model or "", __version__, styles=hashes, distilled=distilled
        )
    budget = max(LEAST, PATIENCE * guess.middle) if guess else UNKNOWN
    return Work(
        run.key,
        to_json(request),
        styles=styles,
        files=sources,
        budget=LESSON if isinstance(request, Train) else budget,
        parameters=told,
        preview=preview,
        folder=folder if isinstance(request, Train) else "",
    )
