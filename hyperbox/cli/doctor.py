"""`hyperbox doctor`: what this machine has and lacks, what crashes left; --fix mends what can be mended."""

from __future__ import annotations

import json

import click

from hyperbox.cli import doctor_checks
from hyperbox.cli.connect import roots_from_environment
from hyperbox.errors import HyperBoxError


@click.command(name="doctor", help="Check that this machine has what HyperBox needs, and find what crashes left.")
@click.option("--fix", is_flag=True, help="Mend what can be mended.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(fix: bool, as_json: bool) -> None:
    """Print one line for each finding; the exit code is 1 while something is bad."""
    rows: list[dict[str, str]] = []
    for finding in doctor_checks.everything(roots_from_environment()):
        state = finding.state
        if fix and finding.mend is not None:
            state = mended(finding)
        row = {"subject": finding.subject, "state": state, "what": finding.what, "hint": finding.hint}
        if not finding.hint and finding.mend is not None and state == doctor_checks.BAD:
            row["hint"] = "hyperbox doctor --fix"
        rows.append(row)
        if not as_json:
            click.echo(f"{state:<6} {row['subject']}: {row['what']}")
            if row["hint"]:
                click.echo(f"       hint: {row['hint']}")
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    if any(row["state"] == doctor_checks.BAD for row in rows):
        raise SystemExit(1)


def mended(finding: doctor_checks.Finding) -> str:
    """Mend what was found and return its state then: "fixed", or as it was where that failed (told on stderr)."""
    assert finding.mend is not None
    try:
        finding.mend()
    except (HyperBoxError, OSError) as error:
        click.echo(f"{finding.what}: {error}", err=True)
        return finding.state
    return "fixed"
