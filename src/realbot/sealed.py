"""Files encrypted with age (age-encryption.org) for people who hold a private key elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyrage

from .errors import ConfigError

#: The ending of an encrypted file's name.
SUFFIX = ".age"


class Seal:
    """Encrypts for some public keys; with none, files stay as they are. Raises ConfigError for what is no key."""

    def __init__(self, recipients: Sequence[str]) -> None:
        self._recipients = [_recipient(key) for key in recipients]

    def __bool__(self) -> bool:
        return bool(self._recipients)

    @property
    def suffix(self) -> str:
        return SUFFIX if self else ""

    def close(self, source: Path, target: Path) -> Any:
        """Encrypt a file, and return a key for this file alone, with which it can be looked into before it is kept.

        Nobody keeps that key: afterwards only the private keys of the recipients open it.
        """
        own = pyrage.x25519.Identity.generate()
        target.touch(mode=0o600)
        # Reading and writing through Python lets other threads have their turn.
        with source.open("rb") as reader, target.open("wb") as writer:
            pyrage.encrypt_io(reader, writer, [*self._recipients, own.to_public()])
        return own


def opened(source: Path, target: Path, identities: Sequence[Any]) -> None:
    """Decrypt a file. Raises ConfigError when these keys do not open it, or when it is damaged."""
    target.touch(mode=0o600)
    try:
        with source.open("rb") as reader, target.open("wb") as writer:
            pyrage.decrypt_io(reader, writer, list(identities))
    except pyrage.DecryptError as error:
        raise ConfigError(f"{source} cannot be opened ({str(error).lower()}): use another key.") from error
    except OSError as error:
        raise ConfigError(f"{source} cannot be opened: it is damaged ({error}).") from error


def identities(path: Path) -> list[Any]:
    """The private keys of a file as age-keygen writes it. Raises ConfigError."""
    try:
        lines = path.read_text(encoding="utf-8").split()
        found = [pyrage.x25519.Identity.from_str(word) for word in lines if word.startswith("AGE-SECRET-KEY-")]
    except (OSError, ValueError, pyrage.IdentityError) as error:
        raise ConfigError(f"The key {path} cannot be read: {error}.") from None
    if not found:
        raise ConfigError(f"There is no private key of age in {path}; it begins with AGE-SECRET-KEY-.")
    return found


def _recipient(key: str) -> Any:
    try:
        return pyrage.x25519.Recipient.from_str(key)
    except pyrage.RecipientError:
        raise ConfigError(
            f"backup.recipients: {key[:12]}… is not a public key of age; it begins with age1 and has 62 characters.",
            key="backup.recipients",
        ) from None
