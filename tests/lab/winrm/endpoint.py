"""HTTP in front of a service: the requests of one TCP connection, without the socket; records and failures by file.

`records` gets one JSON line per request: verb, user, encrypted, tls. `failures` is read whenever it changed.
"""

from __future__ import annotations

import json
import re
import threading
import time
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path

import spnego.channel_bindings
import spnego.exceptions

from tests.lab.winrm.authentication import Authentication, Headers
from tests.lab.winrm.faults import Answer, Clear, Drop, Failure, Rewrite, Sleep, Status, from_data
from tests.lab.winrm.service import Service
from tests.lab.winrm.soap import CONTENT_TYPE, Request

PATH = "/wsman"
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 500: "Internal Server Error"}


@dataclass(frozen=True)
class Reply:
    """An HTTP answer; `drop` says where the connection breaks: "", "now" or "midway"."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    drop: str = ""

    def pack(self) -> bytes:
        """Head and body together: written apart they would cost 40 ms each."""
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Error')}", "Server: Microsoft-HTTPAPI/2.0"]
        lines += [f"Content-Length: {len(self.body)}", *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


class Endpoint:
    """One host's service with its record and its planned failures, shared by all its connections."""

    def __init__(self, service: Service, records: Path, failures: Path) -> None:
        self.service = service
        self._records, self._failures = records, failures
        self._lock = threading.Lock()
        self._read = (0, 0)
        self._planned: list[Failure] = []
        self._seen: Counter[str] = Counter()

    def arrived(self) -> None:
        """An HTTP request has arrived; called before anything is done with it."""

    def record(self, **what: object) -> None:
        """Append one line."""
        with self._lock, self._records.open("a") as file:
            file.write(json.dumps(what) + "\n")

    def failure(self, verb: str) -> Failure | None:
        """The failure planned for this request."""
        with self._lock:
            found = self._failures.stat()
            if (found.st_ino, found.st_mtime_ns) != self._read:
                self._read, self._seen = (found.st_ino, found.st_mtime_ns), Counter()
                self._planned = from_data(json.loads(self._failures.read_text()))
            self._seen[verb] += 1
            return next((one for one in self._planned if one.verb == verb and one.at in (0, self._seen[verb])), None)


class Exchange:
    """The requests of one TCP connection."""

    def __init__(
        self, endpoint: Endpoint, *, tls: bool, bindings: spnego.channel_bindings.GssChannelBindings | None
    ) -> None:
        self._endpoint, self._tls = endpoint, tls
        self._authentication = Authentication(endpoint.service.machine, bindings)

    def handle(self, path: str, headers: Message, body: bytes) -> Reply:
        """Answer one POST."""
        if path.rstrip("/") != PATH:
            return Reply(404)
        if headers.get("WSMANIDENTIFY", "").lower() == "unauthenticated":
            return self._identify(body)
        admitted, extra = self._authentication.admit(headers.get("Authorization"))
        if not admitted:
            return Reply(401, extra)
        if not body:
            return Reply(200, extra)
        reply = self._message(headers.get("Content-Type", ""), body)
        return Reply(reply.status, [*reply.headers, *extra], reply.body, reply.drop)

    def _identify(self, body: bytes) -> Reply:
        request = Request.parse(body)
        if request.verb != "Identify":
            return Reply(400)
        return Reply(200, [("Content-Type", CONTENT_TYPE)], self._endpoint.service.handle(request, "")[1])

    def _message(self, content_type: str, body: bytes) -> Reply:
        encrypted = content_type.startswith("multipart/")
        if not encrypted and not self._tls:  # AllowUnencrypted is off, as on Windows
            self._endpoint.record(verb="refused", user=self._authentication.user, encrypted=False, tls=False)
            return Reply(500)
        try:
            request = Request.parse(self._authentication.decrypt(content_type, body) if encrypted else body)
        except (ET.ParseError, ValueError, spnego.exceptions.SpnegoError):
            return Reply(400)
        user = self._authentication.user
        self._endpoint.record(verb=request.verb, user=user, encrypted=encrypted, tls=self._tls)
        try:
            return self._answer(request, self._endpoint.failure(request.verb), encrypted=encrypted)
        except ET.ParseError:  # well-formed, but not what the verb needs
            return Reply(400)

    def _answer(self, request: Request, failure: Failure | None, *, encrypted: bool) -> Reply:
        match failure:
            case Drop(when="before"):
                return Reply(200, drop="now")
            case Status(status=status):
                return Reply(status)
            case Answer(fault=fault):
                return self._reply(500, self._endpoint.service.fault(fault, request), encrypted=encrypted)
            case Sleep(seconds=seconds):
                time.sleep(seconds)
        status, answer = self._endpoint.service.handle(request, self._authentication.user)
        if isinstance(failure, Rewrite):
            answer = re.sub(failure.pattern, failure.replacement, answer.decode()).encode()
        drop = {"after": "now", "midway": "midway"}[failure.when] if isinstance(failure, Drop) else ""
        return self._reply(status, answer, encrypted=encrypted and not isinstance(failure, Clear), drop=drop)

    def _reply(self, status: int, answer: bytes, *, encrypted: bool, drop: str = "") -> Reply:
        content_type, body = self._authentication.encrypt(answer) if encrypted else (CONTENT_TYPE, answer)
        return Reply(status, [("Content-Type", content_type)], body, drop)
