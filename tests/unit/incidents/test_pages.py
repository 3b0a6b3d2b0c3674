"""Reports: hostile evidence stays text, everything that was met is told, and the rendered files are the golden ones."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incident_samples import GOLDEN, INCIDENTS, SAMPLES, at, half_way, lock_file, placeholders, without_style
from markdown_it import MarkdownIt
from page_shape import Shape

from infra.healing.document import document_of, incident_of, read
from infra.healing.incident import Incident, Moment
from infra.healing.issues import issues_of, summary_of
from infra.healing.metrics import seconds_text
from infra.healing.notice import notice_of
from infra.healing.pages import code, escaped, fenced, keep, markdown_of, page_of
from infra.healing.picture import LEFT, RIGHT, picture_of, ticks_up_to
from infra.healing.wording import visible
from infra.redaction import PROCESS

if TYPE_CHECKING:
    from pathlib import Path

WORDS = {"schema", "id", "trigger", "began", "detected", "ended", "ending", "stage", "severity", "role", "verdict"}
WORDS |= {"what", "at", "verb", "metrics", "fingerprint"}
"""Fields that hold one of our own words, or a time: no evidence gets there."""
HOSTILE = [
    "</pre></section><script>alert(1)</script>",
    "</title></style><style>*{display:none}",
    '" onmouseover="alert(1)" x="',
    "' onload='alert(1)'",
    "<img src=https://evil.example/x onerror=alert(1)>",
    "<svg><text>&lt;script&gt;",
    "javascript:alert(1)//",
    "{{ 7 * 7 }}{% raw %}",
    "```\n# Not a heading\n```",
    "`````\n\n<b>x</b>\n",
    "~~~~\n- x",
    "a | b |\n|---|---|",
    "[click](javascript:alert(1)) ![x](https://evil.example)",
    "<https://evil.example> https://evil.example www.evil.example",
    "# heading",
    "- item",
    "1. item",
    "12) item",
    "> quote",
    "    indented code",
    "===",
    "---",
    "*a* **b** _c_ __d__ ~~e~~",
    "\\` \\",
    "&lt;b&gt; &#60;",
    "a`b``c```d",
    "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07",
    "\u202eevil\u2066 \u200b\u2028",
    "line\r\nnext\rlast\x00\x08",
    "\U0001f4a5 مرحبا",
]


def poisoned(sample: Incident, payload: str) -> Incident:
    """Put a text wherever evidence, names or details can stand."""

    def walk(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: walk(each, name) for name, each in cast("dict[str, Any]", value).items()}
        if isinstance(value, list):
            return [walk(each, key) for each in cast("list[Any]", value)]
        return payload if isinstance(value, str) and key not in WORDS else value

    document = walk(document_of(sample))
    document["facts"] = {payload: payload}
    document["failed_statements"] = [payload]
    return incident_of(document)


def markdown_shape(text: str) -> list[tuple[str, str]]:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    shape: list[tuple[str, str]] = []
    for token in parser.parse(text):
        shape.append((token.type, token.tag))
        inline = [each for each in token.children or [] if each.type not in ("text", "text_special")]
        shape += [(each.type, each.tag) for each in inline]
    return shape


@pytest.mark.parametrize("payload", HOSTILE)
def test_evidence_never_becomes_part_of_a_page(payload: str) -> None:
    harmless = Shape(page_of(poisoned(half_way(), "z" * len(visible(payload)) + " z")))
    hostile = Shape(page_of(poisoned(half_way(), f"{payload} z")))
    assert hostile.elements == harmless.elements
    assert not hostile.open
    assert "script" not in dict(hostile.elements)
    assert not [name for name, _ in hostile.attributes if name.startswith("on")]


@given(st.text(min_size=1, max_size=60))
@settings(max_examples=25, deadline=None)
def test_no_text_at_all_becomes_part_of_a_page(payload: str) -> None:
    harmless = Shape(page_of(poisoned(lock_file(), "z" * len(visible(payload)) + " z")))
    hostile = Shape(page_of(poisoned(lock_file(), f"{payload} z")))
    assert hostile.elements == harmless.elements


@pytest.mark.parametrize("payload", HOSTILE)
def test_evidence_never_becomes_markup_of_a_markdown_report(payload: str) -> None:
    harmless = markdown_shape(markdown_of(poisoned(half_way(), "z z")))
    hostile = markdown_shape(markdown_of(poisoned(half_way(), payload)))
    assert hostile == harmless


@given(st.text(st.sampled_from("`~<>[]()*_#|-+=!\\&:. 1a\n\t"), min_size=1, max_size=40))
@settings(max_examples=150, deadline=None)
def test_no_mixture_of_marks_becomes_markup(payload: str) -> None:
    text = f"x {payload}"
    assert [kind for kind, _ in markdown_shape(f"- {escaped(text)}")].count("inline") == 1
    plain = markdown_shape(f"- {escaped('x')}")
    assert markdown_shape(f"- {escaped(text)}") == plain
    (token,) = MarkdownIt("commonmark").parse(fenced(text))
    assert token.type == "fence"
    assert token.content == text.strip("\n") + "\n"


@given(st.text(st.sampled_from("` \\a|\n"), max_size=20))
def test_a_code_span_holds_what_was_put_into_it(payload: str) -> None:
    line = " ".join(payload.split())
    (_, inline, _) = MarkdownIt("commonmark").parse(f"x {code(payload)}")
    spans = [each.content for each in inline.children or [] if each.type == "code_inline"]
    assert spans == ([line] if line else [])


def test_hostile_evidence_is_still_to_be_read() -> None:
    text = " ".join(Shape(page_of(poisoned(half_way(), "</pre><script>alert('\u202e')</script>"))).words)
    assert r"</pre><script>alert('\u202e')</script>" in text


def test_a_page_needs_nothing_from_elsewhere() -> None:
    page = page_of(half_way())
    shape = Shape(page)
    assert {"script", "link", "img", "iframe", "object", "form"} & {tag for tag, _ in shape.elements} == set()
    assert "url(" not in page.replace("url(#hatch)", "")
    assert "@import" not in page
    targets = [value for name, value in shape.attributes if name in ("href", "src", "xlink:href")]
    assert targets == ["evidence.json", "escalation.md"]
    policy = next(value for name, value in shape.attributes if name == "content")
    assert policy.startswith("default-src 'none'")
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


@pytest.mark.parametrize(
    "name", ["javascript:alert(1)", "//evil.example", "/etc/passwd", "../../x", "a/../../b", "a b"]
)
def test_an_artifact_that_is_no_file_below_is_no_link(name: str) -> None:
    shape = Shape(page_of(dataclasses.replace(lock_file(), artifacts=(name,))))
    assert "href" not in dict(shape.attributes)
    assert name in shape.words


@pytest.mark.parametrize("name", SAMPLES)
def test_a_report_has_all_parts(name: str) -> None:
    incident = SAMPLES[name]()
    page, text = " ".join(Shape(page_of(incident)).words), markdown_of(incident)
    for part in ("Timeline", "Issues", "Artifacts", "Metrics", "Severity", "Impact", "Evidence", "Root cause", "Fix"):
        assert part in page
        assert part in text
    assert summary_of(incident) in page
    assert len(issues_of(incident)) == text.count("\n### ")
    for each in incident.timeline:
        assert each.text in page
    for each in incident.remaining:
        assert "asked: system administrator" in page
        assert all(step in text for step in each.cause.next_steps)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_documents_are_the_golden_ones(name: str) -> None:
    assert json.loads((GOLDEN / f"{name}.json").read_text()) == json.loads(json.dumps(document_of(SAMPLES[name]())))
    assert read(GOLDEN / f"{name}.json") == SAMPLES[name]()


@pytest.mark.parametrize("name", SAMPLES)
def test_the_pages_are_the_golden_ones(name: str) -> None:
    golden, made = Shape((GOLDEN / f"{name}.html").read_text()), Shape(without_style(page_of(SAMPLES[name]())))
    assert made.words == golden.words
    assert made.elements == golden.elements
    assert made.attributes == golden.attributes


@pytest.mark.parametrize("name", SAMPLES)
def test_the_markdown_reports_are_the_golden_ones(name: str) -> None:
    golden, made = (GOLDEN / f"{name}.md").read_text(), markdown_of(SAMPLES[name]())
    assert markdown_shape(made) == markdown_shape(golden)
    assert made.split() == golden.split()


@given(INCIDENTS)
@settings(max_examples=25, deadline=None)
def test_any_incident_can_be_reported(incident: Incident) -> None:
    shape = Shape(page_of(incident))
    assert not shape.open
    markdown_of(incident)


def test_known_secrets_are_masked_in_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PROCESS, "_forms", set())
    monkeypatch.setattr(PROCESS, "_ordered", [])
    PROCESS.add(["tds_admin_dashboard"])
    assert "tds_admin_dashboard" not in page_of(lock_file()) + markdown_of(lock_file())


def test_keeping_an_incident_writes_all_three_for_its_owner_alone(tmp_path: Path) -> None:
    directory = keep(lock_file(), tmp_path)
    files = sorted(directory.iterdir())
    assert [each.name for each in files] == ["incident.html", "incident.json", "incident.md"]
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}


# ---- what is told


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("lock-file", "Healed: 1 issue mended, and all 81 statements hold."),
        ("placeholders", "Escalated: 1 issue met; asked: system administrator."),
        ("half-way", "Escalated: 2 of 3 issues healed; asked: system administrator."),
    ],
)
def test_the_summary_tells_what_became_of_it(name: str, sentence: str) -> None:
    assert summary_of(SAMPLES[name]()) == sentence


def test_the_other_endings_are_told_too() -> None:
    calm = Incident("20250101T000000Z-1", "local", "heal", at(0), at(0), at(1), "healthy", statements=81)
    assert summary_of(calm) == "Nothing was wrong: all 81 statements hold."
    assert (
        summary_of(dataclasses.replace(calm, ending="exhausted")) == "Given up at the run's limits: no cause was named."
    )
    stopped = dataclasses.replace(lock_file(), ending="stopped", attempts=())
    assert summary_of(stopped) == "Stopped before its end: no cause was named."
    attempt = dataclasses.replace(lock_file().attempts[0], outcomes=(), healed=False)
    planned = dataclasses.replace(lock_file(), ending="planned", dry_run=True, attempts=(attempt,))
    assert summary_of(planned) == "Dry run: 2 acts planned for 1 issue, none carried out."
    assert [issue.result for issue in issues_of(planned)] == ["planned"]


def test_an_act_that_failed_or_was_refused_is_told_with_its_reason_and_the_rest_as_not_carried_out() -> None:
    attempt = lock_file().attempts[0]
    refused = dataclasses.replace(attempt.outcomes[0], succeeded=False, refused="another project's container")
    sample = dataclasses.replace(
        lock_file(),
        ending="escalated",
        attempts=(dataclasses.replace(attempt, outcomes=(refused,), healed=False),),
    )
    (issue,) = issues_of(sample)
    assert [step.state for step in issue.steps] == ["refused", "not carried out"]
    assert issue.steps[0].after == "another project's container"
    assert issue.result == "not healed"
    failed = dataclasses.replace(refused, refused="")
    again = dataclasses.replace(sample, attempts=(dataclasses.replace(attempt, outcomes=(failed,), healed=False),))
    assert issues_of(again)[0].steps[0].state == "failed"


def test_a_patch_that_waits_for_a_person_is_neither_healed_nor_a_failure() -> None:
    attempt = lock_file().attempts[0]
    offered = dataclasses.replace(attempt, plan=attempt.plan[:1], outcomes=attempt.outcomes[:1], healed=False)
    assert attempt.match is not None
    sample = dataclasses.replace(lock_file(), ending="escalated", attempts=(offered,), remaining=(attempt.match,))
    assert [issue.result for issue in issues_of(sample)] == ["patch offered"]
    notice = notice_of(sample)
    assert notice is not None
    assert notice.asks[0].why_not_healed == "offer-patch: 412 packages locked"


def test_a_fault_that_is_healed_and_there_again_at_the_end_is_not_healed() -> None:
    match = lock_file().attempts[0].match
    assert match is not None
    sample = dataclasses.replace(lock_file(), ending="escalated", remaining=(match,))
    assert [issue.result for issue in issues_of(sample)] == ["not healed"]


def test_a_cause_that_nobody_tried_is_an_issue_and_a_symptom_is_none() -> None:
    (attempt,) = lock_file().attempts
    (left,) = placeholders().remaining
    sample = dataclasses.replace(lock_file(), ending="escalated", remaining=(left, *attempt.others))
    assert [(issue.code, issue.result) for issue in issues_of(sample)] == [
        ("LOCK_FILE_MISSING", "healed"),
        ("SECRET_MISSING", "escalated"),
    ]


def test_a_turn_that_named_no_cause_is_told_by_its_failure() -> None:
    attempt = dataclasses.replace(lock_file().attempts[0], match=None, plan=(), outcomes=(), healed=False)
    (issue,) = issues_of(dataclasses.replace(lock_file(), ending="stopped", attempts=(attempt,)))
    assert (issue.code, issue.result, issue.role) == ("BUILD_FAILED", "left", "devops")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "\u2013"),
        (0, "0.0 s"),
        (46.71, "46.7 s"),
        (60, "1 min"),
        (485, "8 min 5 s"),
        (3600, "1 h"),
        (7380, "2 h 3 min"),
    ],
)
def test_durations_are_written_as_people_say_them(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds) == text


# ---- the picture


@given(INCIDENTS)
@settings(max_examples=100, deadline=None)
def test_everything_of_the_picture_lies_inside_it(incident: Incident) -> None:
    picture = picture_of(incident)
    for bar in picture.bars:
        assert LEFT <= bar.x <= RIGHT
        assert bar.width > 0
        assert bar.x + bar.width <= RIGHT + 3
        assert picture.top <= bar.y <= picture.bottom
    for mark in picture.marks:
        assert LEFT <= mark.x <= RIGHT
    for band in picture.bands:
        assert LEFT <= band.x <= band.x + band.width <= RIGHT + 0.2


def test_bars_end_when_their_moment_was_over_and_stand_in_their_lanes() -> None:
    picture = picture_of(lock_file())
    bars = {bar.kind: bar for bar in picture.bars}
    lanes = dict(picture.lanes)
    assert bars["evidence"].y + 10 == lanes["look"]
    assert bars["acted"].y + 10 == bars["resumed"].y + 10 == lanes["act"]
    assert bars["verified"].y + 10 == lanes["prove"]
    assert bars["acted"].x + bars["acted"].width == pytest.approx(bars["resumed"].x, abs=0.2)
    assert bars["unnoticed"].x == LEFT
    assert bars["unnoticed"].x + bars["unnoticed"].width == pytest.approx(bars["known"].x, abs=0.2)
    assert picture.marks[-1].kind == "healed"


def test_a_fault_that_nobody_noticed_for_hours_leaves_room_for_what_came_then() -> None:
    sample = dataclasses.replace(lock_file(), began="2025-11-15T02:00:00.000Z")
    known = next(bar for bar in picture_of(sample).bars if bar.kind == "known")
    assert known.width > (RIGHT - LEFT) * 0.7
    unnoticed = next(bar for bar in picture_of(sample).bars if bar.kind == "unnoticed")
    assert "unnoticed for 8:15:03" in unnoticed.title


@given(st.floats(0.05, 1e6), st.floats(0, 1e5))
def test_ticks_are_few_round_and_have_zero(end: float, before: float) -> None:
    ticks = ticks_up_to(end, -before)
    assert 0 in ticks
    assert 1 <= len(ticks) <= 10
    assert ticks == sorted(ticks)


def test_an_incident_without_a_timeline_has_a_picture_too() -> None:
    bare = Incident("20250101T000000Z-1", "local", "heal", "", "", "", "stopped", timeline=(Moment("x", "acted", "y"),))
    assert picture_of(bare).bars
    assert page_of(bare)
