"""A person's own defaults. What is said explicitly wins over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from .jobs import Generate, StyleUse


@dataclass(frozen=True, slots=True)
class Preferences:
    """`None` and empty: the model's default. The last three are about messages, not pictures."""

    steps: int | None = None
    guidance: float | None = None
    width: int | None = None
    height: int | None = None
    scheduler: str | None = None
    negative: str = ""
    styles: tuple[StyleUse, ...] = ()
    ping: bool = True  #: be told once when a long wait is over
    private: bool = False  #: cards that nobody else sees
    locale: str = ""  #: empty: the platform's

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Self:
        """From JSON data; what another version wrote and this one does not know is left out."""
        known = {f.name for f in fields(cls)}
        plain = {name: value for name, value in data.items() if name in known}
        if "styles" in plain:
            plain["styles"] = tuple(StyleUse(**use) for use in plain["styles"])
        return cls(**plain)

    def data(self) -> dict[str, Any]:
        """As JSON data, without what is left to the default."""
        default = asdict(type(self)())
        return {name: value for name, value in asdict(self).items() if value != default[name]}

    def over(self, request: Generate) -> Generate:
        """The request with what it leaves open taken from here. A picture to start from brings its own size."""
        sized = request.width is not None or request.height is not None or request.source is not None
        return replace(
            request,
            steps=self.steps if request.steps is None else request.steps,
            guidance=self.guidance if request.guidance is None else request.guidance,
            width=request.width if sized else self.width,
            height=request.height if sized else self.height,
            scheduler=request.scheduler or self.scheduler,
            negative=request.negative or self.negative,
            styles=request.styles or self.styles,
        )
