"""A secret that cannot leak by accident: it has no text, no repr, and no way into a document."""

from __future__ import annotations

from typing import Any, NoReturn


class SecretNotSerialisable(TypeError):
    """Raised when a Secret reaches an encoder."""


class Secret:
    """A password on its way from where it is kept to the one call that needs it."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Return the text. Call it only in the argument list of the call that needs it."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise SecretNotSerialisable("a secret cannot be pickled or copied into a document")


def refuse_to_encode(value: Any) -> NoReturn:
    """Refuse what no document may hold: an `enc_hook` for msgspec encoders."""
    if isinstance(value, Secret):
        raise SecretNotSerialisable("a secret cannot be written into a document")
    raise TypeError(f"{type(value).__name__} has no place in a document")
