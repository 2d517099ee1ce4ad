"""`remediate --version` against `import click`: `python -m benchmarks.start_up`. Nothing is contacted."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measuring import in_turn, show

PAIRS = 25


def run(*arguments: str) -> None:
    """Run this Python to its end."""
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def main() -> None:
    """Measure and print."""
    pairs = in_turn(lambda: run("-m", "remediate", "--version"), lambda: run("-c", "import click"), times=PAIRS)
    show(
        pairs.rows(
            "ratio", ours="remediate --version", theirs='python -c "import click"', goal="at most 2.5",
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
