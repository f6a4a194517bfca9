"""A person types a sentence in a chat and gets the picture."""

__version__ = "0.1.0"
