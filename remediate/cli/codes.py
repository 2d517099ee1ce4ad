"""A verb that takes codes as Windows prints them: `-2146875374` is an argument there, never an option."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from remediate.model.errors import UsageError

_NEGATIVE = re.compile(r"-\d+")


class TakesCodes(click.Command):
    """A command whose arguments may be negative codes, before, between and behind its options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line. Raises UsageError for a negative number that is no code."""
        return super().parse_args(ctx, list(self._with_codes(args)))

    def _with_codes(self, args: list[str]) -> Iterator[str]:
        """The arguments, each negative code as `0x` and digits; an option's value and all behind `--` as they are."""
        end = args.index("--") if "--" in args else len(args)
        for before, arg in zip(["", *args], args[:end], strict=False):
            is_value = before in self._options_with_values
            yield arg if is_value or not _NEGATIVE.fullmatch(arg) else _code(arg)
        yield from args[end:]

    @property
    def _options_with_values(self) -> frozenset[str]:
        options = (one for one in self.params if isinstance(one, click.Option) and not one.is_flag and not one.count)
        return frozenset(name for option in options for name in option.opts)


def _code(text: str) -> str:
    from remediate.adcs.hresult import HResult

    try:
        return str(HResult.parse(text))
    except ValueError as error:
        raise UsageError(f"{text} is no code", do="Such as -2146875374, or 0x80094812.") from error
