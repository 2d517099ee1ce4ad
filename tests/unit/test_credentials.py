"""Where a password comes from: a person, else the keyring; never from nowhere."""

from __future__ import annotations

import getpass
from collections.abc import Callable

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import NoKeyringError

from remediate.model.errors import ExitCode, UsageError
from remediate.transports.credentials import SERVICE, Credential, Logon, resolve


class InMemory(KeyringBackend):
    """A keyring of one password: the machine's own belongs to whoever runs the tests."""

    priority = 1

    def __init__(self, password: str | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.password = password

    def get_password(self, service: str, username: str) -> str | None:
        if self.password is None:
            raise NoKeyringError
        return self.password if (service, username) == (SERVICE, "anna@CONTOSO.TEST") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError("a password is only ever read")


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", InMemory("kept-åäö"))


@pytest.fixture
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", InMemory(None))


def test_nobody_named_is_the_ticket_at_hand() -> None:
    assert resolve(None, terminal=False) == Credential(None, None)


def test_nobody_named_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda prompt: pytest.fail(prompt))
    monkeypatch.setattr(keyring, "get_password", lambda service, user: pytest.fail(f"{service} {user}"))
    assert resolve(None, terminal=True) == Credential(None, None)


@pytest.mark.usefixtures("kept")
def test_on_a_terminal_what_is_typed_wins_over_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: "typed")
    monkeypatch.setattr(keyring, "get_password", lambda service, user: pytest.fail(f"{service} {user}"))
    found = resolve("anna@CONTOSO.TEST", terminal=True).password
    assert found is not None
    assert found.reveal() == "typed"


@pytest.mark.usefixtures("kept")
def test_without_a_terminal_the_keyring_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda prompt: pytest.fail(prompt))
    found = resolve("anna@CONTOSO.TEST", terminal=False)
    assert found.password is not None
    assert found.password.reveal() == "kept-åäö"
    assert "kept" not in repr(found)


def _nothing(_prompt: str) -> str:
    return ""


def _ctrl_d(_prompt: str) -> str:
    raise EOFError


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("answer", [_nothing, _ctrl_d])
def test_without_an_answer_the_keyring_is_asked(answer: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", answer)
    found = resolve("anna@CONTOSO.TEST", terminal=True).password
    assert found is not None
    assert found.reveal() == "kept-åäö"


@pytest.mark.usefixtures("no_keyring")
def test_a_person_is_asked_by_the_name_of_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda prompt: f"for {prompt}")
    found = resolve("CONTOSO\\anna", terminal=True).password
    assert found is not None
    assert found.reveal() == "for Password of CONTOSO\\anna (empty: from the keyring): "


@pytest.mark.usefixtures("no_keyring")
def test_one_run_asks_once_and_only_when_it_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()

    def typed(prompt: str) -> str:
        asked.append(prompt)
        return "typed"

    monkeypatch.setattr(getpass, "getpass", typed)
    logon = Logon("anna@CONTOSO.TEST", terminal=True)
    assert asked == []
    assert logon.credential is logon.credential
    assert len(asked) == 1
    assert Logon("", terminal=True).credential == Credential(None, None)
    assert "typed" not in repr(logon) + str(vars(logon))


@pytest.mark.usefixtures("kept")
def test_without_a_terminal_it_says_how() -> None:
    with pytest.raises(UsageError, match="keyring set remediate bert") as error:
        resolve("bert", terminal=False)
    assert error.value.exit_code == ExitCode.USAGE


@pytest.mark.usefixtures("no_keyring")
@pytest.mark.parametrize("user", ["", "  "])
def test_an_empty_name_is_not_the_ticket(user: str) -> None:
    with pytest.raises(UsageError, match="nobody"):
        resolve(user, terminal=True)


@pytest.mark.usefixtures("no_keyring")
@pytest.mark.parametrize("answer", [_nothing, _ctrl_d])
def test_neither_answer_nor_keyring_is_no_password(
    answer: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getpass", answer)
    with pytest.raises(UsageError, match="no password"):
        resolve("anna", terminal=True)
