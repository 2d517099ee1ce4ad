"""Codes as Windows prints them, with their sign, are arguments of every verb that takes a playbook."""

from __future__ import annotations

from pathlib import Path

import pytest

from remediate.cli.main import main

EMAIL, POLICY_SERVER = "-2146875374", "-2146877419"
EXAMPLE = Path(__file__).parents[2] / "examples" / "contoso-broken"
BUNDLE = ("--bundle", str(EXAMPLE))


@pytest.fixture(autouse=True)
def _away_from_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", EMAIL),
        ("explain", "--json", EMAIL),
        ("explain", EMAIL, "--json"),
        ("explain", "--", EMAIL),
    ],
)
def test_explain_takes_one(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert "subject_email_required" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", EMAIL, "--dry-run", *BUNDLE),
        ("run", "--dry-run", *BUNDLE, EMAIL),
        ("run", *BUNDLE, EMAIL, "--dry-run"),
        ("plan", EMAIL, *BUNDLE),
        ("plan", *BUNDLE, "--expires", "3", EMAIL),
        ("plan", *BUNDLE, "--", EMAIL),
    ],
)
def test_options_may_stand_before_and_behind_it(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "PROBLEM  subject_email_required" in capsys.readouterr().out


def test_several_and_names_may_stand_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", POLICY_SERVER, "submission_pending", "--dry-run", EMAIL, *BUNDLE]) == 2
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("submission_pending", "subject_email_required"))


def test_the_value_of_an_option_stays_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--expires", EMAIL, POLICY_SERVER, *BUNDLE]) == 64
    assert f"{EMAIL} is not in the range" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["-5", "-21468753741"])
def test_another_negative_number_is_no_code(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", text]) == 64
    assert f"{text} is no code" in capsys.readouterr().err
