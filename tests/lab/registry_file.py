"""A host's registry as the provider LabRegistry keeps it: one JSON document, changed under its lock.

Keys are full paths (`HKEY_LOCAL_MACHINE\\SOFTWARE\\...`), values `{"kind": ..., "data": ...}`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MACHINE = "HKEY_LOCAL_MACHINE"
Values = dict[str, dict[str, Any]]
Keys = dict[str, Values]


def text(data: str) -> dict[str, Any]:
    """REG_SZ."""
    return {"kind": "String", "data": data}


def number(data: int) -> dict[str, Any]:
    """REG_DWORD."""
    return {"kind": "DWord", "data": data}


def lines(*data: str) -> dict[str, Any]:
    """REG_MULTI_SZ."""
    return {"kind": "MultiString", "data": list(data)}


def binary(data: bytes) -> dict[str, Any]:
    """REG_BINARY."""
    return {"kind": "Binary", "data": data.hex()}


def whole_path(key: str) -> str:
    r"""`HKLM:\SYSTEM\X` or `HKLM\SYSTEM\X` -> `HKEY_LOCAL_MACHINE\SYSTEM\X`."""
    hive, _, rest = key.partition("\\")
    return f"{MACHINE if hive.rstrip(':').upper() == 'HKLM' else hive}\\{rest}"


@dataclass(frozen=True)
class RegistryFile:
    """The registry of one host. `log` has one JSON line for each write through the provider."""

    path: Path
    log: Path

    def create(self, keys: Keys) -> None:
        """Write the first content."""
        document = {"keys": {whole_path(key): {"values": values} for key, values in keys.items()}}
        self.path.write_text(json.dumps(document, indent=1))

    def set(self, key: str, name: str, value: dict[str, Any]) -> None:
        """Give a value; the key is made when it is missing."""
        self._change(lambda keys: keys.setdefault(whole_path(key), {}).setdefault("values", {}).update({name: value}))

    def delete(self, key: str, name: str | None = None) -> None:
        """Delete a value, or without a name the key with everything below it."""
        path = whole_path(key)
        if name is not None:
            self._change(lambda keys: keys[path]["values"].pop(name))
            return
        self._change(lambda keys: [keys.pop(one) for one in list(keys) if one == path or one.startswith(path + "\\")])

    def deny(self, key: str, access: str = "read") -> None:
        """Refuse `read` or `write` access to a key and what is below it; `none` lifts it."""
        self._change(lambda keys: keys.setdefault(whole_path(key), {}).update(deny=access))

    def get(self, key: str, name: str) -> Any:
        """The data of a value; KeyError when it is absent."""
        return json.loads(self.path.read_text())["keys"][whole_path(key)]["values"][name]["data"]

    def writes(self) -> list[dict[str, Any]]:
        """What was written through the provider, oldest first."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Within it the registry may be changed; afterwards it is as before."""
        before = self.path.read_text()
        try:
            yield
        finally:
            with self._locked():
                replace(self.path, before)

    def _change(self, change: Callable[[dict[str, Any]], object]) -> None:
        with self._locked():
            document = json.loads(self.path.read_text())
            change(document["keys"])
            replace(self.path, json.dumps(document, indent=1))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with open(f"{self.path}.lock", "a") as lock:
            import fcntl  # the engine that shares this file runs on Linux alone

            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def replace(path: Path, content: str) -> None:
    """Put new content in place at once, so that no reader sees half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(content)
    draft.replace(path)
