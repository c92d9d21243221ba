"""Methods of times, durations and named strings in templates; layouts as Go's time package documents and formats them."""

from __future__ import annotations

import pytest

from hyperbox.cli import templates
from hyperbox.cli.templates_types import typed

NETWORK = {"Created": "2026-11-09T07:08:05.120345Z"}


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("2006-01-02T15:04:05Z07:00", "2026-11-09T07:08:05Z"),
        ("2006-01-02T15:04:05.999999999Z07:00", "2026-11-09T07:08:05.120345Z"),
        ("Mon Jan _2 15:04:05 2006", "Mon Nov  9 07:08:05 2026"),
        ("Monday, 02-Jan-06 15:04:05 MST", "Monday, 09-Nov-26 07:08:05 UTC"),
        ("3:04PM", "7:08AM"),
        ("03:04:05.000 pm", "07:08:05.120 am"),
        ("02/01 03:04:05PM '06 -0700", "09/11 07:08:05AM '26 +0000"),
        ("January 2, 2006 002 __2", "November 9, 2026 313 313"),
        ("15.00 5.000", "07.12 5.120"),
        ("Janet x", "Janet x"),
    ],
)
def test_times_are_formatted_by_layouts(layout: str, text: str) -> None:
    assert templates.render(f'{{{{.Created.Format "{layout}"}}}}', typed("Network", NETWORK)) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Created.Year}} {{.Created.Month}} {{.Created.Day}} {{.Created.Weekday}}", "2026 November 9 Monday"),
        ("{{.Created.Unix}} {{.Created.UnixMilli}} {{.Created.Nanosecond}}", "1794208085 1794208085120 120345000"),
        ("{{.Created.YearDay}} {{.Created.IsZero}} {{.Created.UTC}}", "313 false 2026-11-09 07:08:05.120345 +0000 UTC"),
        ('{{printf "%d %v" .Created.Month .Created.Month}}', "11 November"),
    ],
)
def test_times_have_parts(template: str, text: str) -> None:
    assert templates.render(template, typed("Network", NETWORK)) == text


def test_an_offset_is_a_zone_without_a_name() -> None:
    network = typed("Network", {"Created": "2026-03-01T00:30:00+05:30"})
    assert (
        templates.render('{{.Created.Unix}} {{.Created.UTC.Format "Jan 2 15:04"}}', network)
        == "1772305200 Feb 28 19:00"
    )
    assert templates.render('{{.Created.Format "-07:00 Z0700"}}', network) == "+05:30 +0530"


def test_a_pointer_is_true_and_prints_what_it_points_to() -> None:
    config = typed("Config", {"StopTimeout": 0})
    assert templates.render("{{if .StopTimeout}}y{{end}}{{.StopTimeout}}", config) == "y0"
    assert templates.render("{{if .StopTimeout}}y{{end}}{{.StopTimeout}}", typed("Config", {})) == "<nil>"


def test_keys_of_ports_have_a_type_of_their_own() -> None:
    config = typed("Config", {"ExposedPorts": {"53/udp": {}, "80": {}}})
    shown = templates.render("{{range $p, $_ := .ExposedPorts}}{{$p.Port}}-{{$p.Proto}}-{{$p.Int}} {{end}}", config)
    assert shown == "53-udp-53 80-tcp-80 "
    with pytest.raises(templates.ExecuteError, match=r"value has type string; should be nat.Port"):
        templates.render('{{index .ExposedPorts "80"}}', config)
