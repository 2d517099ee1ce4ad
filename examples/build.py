"""Writes the two made estates, `contoso-healthy` and `contoso-broken`, as bundles, and logs of the broken one.

    python examples/build.py [FOLDER]

The same bytes come out on every run and machine: no clock, no chance, no key is used. FOLDER is where the bundles go,
by default beside this file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import msgspec  # noqa: E402
from made import certification_authority, connector, directory, intune, logs  # noqa: E402
from made.estate import BROKEN, COLLECTOR, CREATED, HEALTHY, Estate  # noqa: E402

from remediate.facts.documents import FORMAT_VERSION  # noqa: E402


def bundle(estate: Estate) -> dict[str, Any]:
    """Return every file of one estate's bundle: its path within the bundle, and its content."""
    return {
        "bundle.json": {"format_version": FORMAT_VERSION, "created": CREATED, "collector": COLLECTOR},
        "directory.json": directory.document(estate),
        "ca-ca01.contoso.test.json": certification_authority.document(estate),
        "connector-conn1.contoso.test.json": connector.document(estate),
        **{f"intune/{name}": content for name, content in intune.files(estate).items()},
    }


def text_of(content: Any) -> str:
    """Return a file's text: sorted keys, two blanks, ASCII, one line end at the end."""
    return json.dumps(msgspec.to_builtins(content), indent=2, sort_keys=True) + "\n"


def write(estate: Estate, folder: Path) -> None:
    """Write one bundle below `folder`; a file that does not belong to it is taken away."""
    target = folder / estate.name
    files = {target / name: text_of(content) for name, content in bundle(estate).items()}
    for stale in set(target.rglob("*.json")) - set(files):
        stale.unlink()
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("ascii"))


def write_logs(folder: Path) -> None:
    """Write the logs into `logs` below `folder`."""
    target = folder / "logs"
    target.mkdir(parents=True, exist_ok=True)
    for name, text in logs.files().items():
        (target / name).write_bytes(text.encode("ascii"))


def main() -> None:
    """Write both bundles and the logs."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for estate in (HEALTHY, BROKEN):
        write(estate, folder)
    write_logs(folder)


if __name__ == "__main__":
    main()
