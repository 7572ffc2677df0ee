"""The claims: their printed effects by hand, the rule, and each kind of test on made-up results."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mgsl import params, paths
from mgsl.data import datasets as known
from mgsl.files import write_json_lines
from mgsl.reporting.exhibits.claims import claims_figure, claims_table, statements, verdicts
from mgsl.reporting.exhibits.claims.statements import NOT_REPRODUCED, Effect, Verdict
from mgsl.reporting.read import claims, published
from mgsl.reporting.read.results import Results
from tests.reporting import report_workspace

CLAIMS = {claim.claim: claim for claim in claims.read()}
FIVE, SEVEN = "R@1, IoU=0.5", "R@1, IoU=0.7"
RUN = ("mgsl_net", "attention_only", "tan_2d")  # the second misses the common query


def effect(
    value: float,
    low: float,
    high: float,
    trainings: int | None = None,
    *,
    queries: int | None = None,
    sd: float | None = None,
    better: float | None = None,
    origin: str = "runs",
) -> Effect:
    """An effect whose interval holds the trainings, where there are several."""
    ends = float(value), float(low), float(high)
    return Effect(*ends, sd, trainings, better, queries, origin)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        report_workspace.build(folder, ["embedded"], names=RUN)
        paths.TIMES.unlink()  # and what has been studied meanwhile
        for name in ("readings", "slots"):
            shutil.rmtree(paths.STUDIES / name, ignore_errors=True)
    return folder


@pytest.fixture
def results(root: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.chdir(root)
    return Results("embedded")


@pytest.fixture
def written(root: Path) -> Iterator[Callable[[Path, pd.DataFrame], None]]:
    """Writes tables below the root, for one test."""
    kept = []

    def write(path: Path, table: pd.DataFrame) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(root / path, index=False)
        kept.append(root / path)

    yield write
    for path in kept:
        path.unlink()


def approximately(expected: Effect) -> Any:
    return pytest.approx(vars(expected), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "measure", "expected"),
    [
        ("memory_alone", FIVE, 49.24 - 43.65),
        ("memory_full", SEVEN, 31.42 - 25.73),
        ("query_shared", FIVE, 51.87 - 51.20),
        ("self_larger", SEVEN, 30.56 - 28.98),
        ("loss_drn", FIVE, 22.46 - 48.29),
        ("rare_tan_2d", FIVE, 46.51 - 19.35),
        ("lead_tan_2d", FIVE, (46.51 - 19.35) - (52.53 - 47.62)),
        ("beats_cbln", SEVEN, 3.82),
        ("beats_cbln_five", "R@5, IoU=0.7", 3.30),  # the headline, with the 3.82 above
        ("charades_bpnet", FIVE, 63.98 - 50.75),
        ("tacos_gdp", "R@1, IoU=0.3", 42.54 - 24.14),
        ("tacos_drn", FIVE, 32.27 - 23.17),
        ("tacos_larger", FIVE, (32.27 - 27.65) - (51.87 - 48.12)),
        ("charades_smaller", FIVE, (63.98 - 61.13) - (51.87 - 48.12)),
        ("faster_drn", "run time", 0.10 / 0.15),
        ("smaller_tan_2d", "model size", 203 / 232),
        ("rare_share", "share of test pairs, %", 11.01),
    ],
)
def test_printed_effects_are_those_of_the_printed_numbers(
    name: str, measure: str, expected: float
) -> None:
    assert claims.printed(CLAIMS[name], measure) == pytest.approx(expected, abs=1e-9)


def test_what_the_paper_gives_no_number_for_has_no_printed_effect() -> None:
    silent = {c.claim for c in CLAIMS.values() if claims.printed(c, c.measures[0]) is None}
    assert silent == {
        *("memory_rare", "memory_rare_more", "order", "slots", "content"),
        *("scattered_video", "scattered_query", "fewer_rare"),
    }


def test_every_claim_is_whole_and_names_what_exists() -> None:
    assert len(CLAIMS) == len(claims.read())
    names = {m.name for m in published.methods()}
    names |= {name for number in (3, 4, 5) for name in published.ablations(number).index}
    for claim in CLAIMS.values():
        assert claim.kind in verdicts.TESTS
        assert claim.expects in ("more", "less", "same")
        assert (claim.expects == "same") == (claim.margin > 0)
        if claim.kind in ("difference", "rarity", "across", "cost"):
            assert {name for name in (claim.a, claim.b) if name} <= names
        assert claim.benchmark in published.BENCHMARKS


@pytest.mark.parametrize(
    ("name", "measured", "verdict"),
    [
        ("memory_alone", effect(2, 0.1, 4), "supported"),
        ("memory_alone", effect(2, -0.1, 4), "undecided"),
        ("memory_alone", effect(2, 0, 4), "undecided"),
        ("memory_alone", effect(-2, -4, -0.1), "contradicted"),
        ("memory_alone", effect(2, 0.1, 4, 3), "supported"),
        ("memory_alone", effect(2, -0.1, 4, 3), "undecided"),
        ("memory_alone", effect(2, 0.1, 4, 1), "undecided: one training"),
        ("slots", effect(0.2, -0.9, 1.0, 1), "undecided: one training"),
        ("memory_alone", effect(2, float("nan"), float("nan"), 3), "undecided"),
        ("loss_drn", effect(-2, -4, -0.1), "supported"),
        ("loss_drn", effect(2, 0.1, 4), "contradicted"),
        ("slots", effect(0.2, -0.9, 1.0), "supported"),
        ("slots", effect(0.2, -1.1, 1.0), "undecided"),
        ("slots", effect(-3, -4, -1.1), "contradicted"),
        ("faster_drn", effect(0.7, 0.6, 0.8), "supported"),
        ("faster_drn", effect(1.3, 1.2, 1.4), "contradicted"),
        ("faster_drn", effect(0.9, 0.7, 1.1), "undecided"),
        ("rare_share", effect(11.5, 11.2, 11.8), "supported"),
        ("rare_share", effect(31, 30.3, 31.7), "contradicted"),
    ],
)
def test_the_rule(name: str, measured: Effect, verdict: str) -> None:
    assert statements.judge(CLAIMS[name], measured) == verdict


def test_a_difference_is_paired_within_its_group(results: Results) -> None:
    everything = verdicts.difference(CLAIMS["memory_full"], FIVE, results, [results])
    assert isinstance(everything, Effect)
    assert (everything.value, everything.queries) == (50, 2)
    rare = verdicts.difference(CLAIMS["memory_rare"], FIVE, results, [results])
    assert isinstance(rare, Effect)
    assert (rare.value, rare.low, rare.high) == (0, 0, 0)


def test_what_the_other_tables_do_not_show_is_compared_too(results: Results) -> None:
    claim = replace(CLAIMS["beats_cbln_five"], b="attention_only")
    lead = verdicts.difference(claim, "R@1, IoU=0.3", results, [results])
    assert isinstance(lead, Effect)
    assert (lead.value, lead.queries) == (50, 2)
    once = verdicts.difference(claim, "R@5, IoU=0.7", results, [results])
    assert once == "mgsl_net or attention_only has no R@5, IoU=0.7: it answers once"


def test_five_answers_are_those_that_nms_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["embedded"], names=RUN)
    misses = [[0, 1, 0.9], [19, 20, 0.8], [18, 19, 0.7], [17.5, 18, 0.6], [17, 17.5, 0.5]]
    for name, hits in (("mgsl_net", [[2, 7, 0.1], [9, 17, 0.1]]), ("tan_2d", misses[-1:] * 2)):
        rows = [
            {"qid": qid, "query": "", "vid": "v2", "pred_relevant_windows": [*misses[:4], hit]}
            for qid, hit in zip(("v2-3", "v2-4"), hits, strict=True)
        ]
        write_json_lines(paths.run("embedded", name, 0) / "predictions.jsonl", rows)
    results, claim = Results("embedded"), replace(CLAIMS["beats_cbln_five"], b="tan_2d")
    leads = [verdicts.difference(claim, m, results, [results]) for m in (SEVEN, "R@5, IoU=0.7")]
    assert [lead.value for lead in leads if isinstance(lead, Effect)] == [0, 100]


def test_the_paper_is_held_to_what_it_says_of_every_method_of_its_table() -> None:
    printed = published.table_1()
    names = {m.name: m.printed for m in published.methods()}
    for name, benchmark in itertools.product(
        ("qspn", "gdp", "cbln", "bpnet"), published.BENCHMARKS
    ):
        tested = [c for c in CLAIMS.values() if (c.b, c.benchmark) == (name, benchmark)]
        assert tested, f"no claim of {name} on {benchmark}"
        for claim in tested:
            assert all((names[name], benchmark, measure) in printed for measure in claim.measures)


def test_rare_less_common_of_one_run_and_of_a_lead(results: Results) -> None:
    lead = verdicts.rarity(CLAIMS["memory_rare_more"], FIVE, results, [results])
    assert isinstance(lead, Effect)
    assert lead.value == -100  # the memory wins the common query alone
    loss = verdicts.rarity(CLAIMS["loss_mgsl_net"], FIVE, results, [results])
    assert isinstance(loss, Effect)
    assert loss.value == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("memory_alone", "memory_only and baseline not run on embedded"),
        ("beats_drn", "drn not run on embedded"),
        ("tacos_tan_2d", "embedded is not TACoS"),
        ("charades_smaller", "embedded is not Charades-STA"),
        ("order", "the study of readings was not run on embedded"),
        ("faster_drn", "efficiency.csv is missing: costs were not timed"),
        ("smaller_drn", "costs.csv is missing: costs were not counted"),
        ("slots", "the sweep of slots was not run on embedded"),
        ("scattered_video", "the memories of mgsl_net were not inspected on embedded"),
        ("content", "the memories of mgsl_net were not inspected on embedded"),
    ],
)
def test_what_was_not_run_says_why(results: Results, name: str, reason: str) -> None:
    claim = CLAIMS[name]
    text = verdicts.TESTS[claim.kind](claim, claim.measures[0], results, [results])
    assert isinstance(text, str)
    assert reason in text


def test_a_lead_on_two_benchmarks_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["charades_actions"], names=("mgsl_net", "cbln"))
    here = Results("charades_actions")
    there = Results("charades_actions")
    there.summary["benchmark"] = "activitynet"
    alone = verdicts.across(CLAIMS["charades_smaller"], FIVE, here, [here])
    assert alone == "the report has no ActivityNet Captions with features of this kind"
    lead = verdicts.across(CLAIMS["charades_smaller"], FIVE, here, [here, there])
    assert isinstance(lead, Effect)
    assert (lead.value, lead.queries) == (0, 2)
    assert lead.low < 0 < lead.high


def test_studies_are_read(results: Results, written: Callable[[Path, pd.DataFrame], None]) -> None:
    sweep = {"mgsl_net": (128, 0, 0, 0), "slots_64": (64, -0.03, -0.05, -0.01),
             "slots_256": (256, 0.002, -0.004, 0.008), "slots_512": (512, -0.003, -0.009, 0.003),
             "nms_none": (128, 0.5, 0.5, 0.5)}  # fmt: skip
    written(paths.study("slots", "embedded") / "means.csv", report_workspace.study(sweep))
    ours = verdicts.slots(CLAIMS["slots"], FIVE, results, [results])
    assert isinstance(ours, Effect)
    kept = effect(-0.3, -0.9, 0.8, 3, queries=2, sd=1.0, better=0.5, origin="study slots")
    assert vars(ours) == approximately(kept)
    readings = {"mgsl_net": (128, 0, 0, 0), "own_last": (128, 0.01, -0.01, 0.03)}
    written(paths.study("readings", "embedded") / "means.csv", report_workspace.study(readings))
    ours = verdicts.reading(CLAIMS["order"], FIVE, results, [results])
    assert isinstance(ours, Effect)
    kept = effect(1, -1, 3, 3, queries=2, sd=1.0, better=0.5, origin="study readings")
    assert vars(ours) == approximately(kept)
    unknown = replace(CLAIMS["order"], a="another")
    absent = verdicts.reading(unknown, FIVE, results, [results])
    assert absent == "the study of readings has no another"


def test_what_was_seen_inside_the_memory_is_read(
    results: Results, written: Callable[[Path, pd.DataFrame], None]
) -> None:
    folder = paths.inspected("embedded", "mgsl_net", 0)
    scatter = {"unit": "slots", "correlation": -0.4, "low": -0.6, "high": -0.2, "memory": "video"}
    other = scatter | {"memory": "query", "correlation": None}
    written(folder / "scatter.csv", pd.DataFrame([scatter, other]))
    over = "rank correlation over slots"
    ours = verdicts.scatter(CLAIMS["scattered_video"], over, results, [results])
    assert ours == effect(-0.4, -0.6, -0.2, 1)
    collapsed = verdicts.scatter(CLAIMS["scattered_query"], over, results, [results])
    assert isinstance(collapsed, str)
    probe = {"probe": "memory_zeroed", "group": "all", "metric": FIVE, "difference": -0.1,
             "difference_low": -0.2, "difference_high": 0.0, "queries": 2}  # fmt: skip
    written(folder / "probes.csv", pd.DataFrame([probe, probe | {"probe": "memory_initial"}]))
    ours = verdicts.probe(CLAIMS["content"], FIVE, results, [results])
    assert ours == effect(-10, -20, 0, 1, queries=2)


def test_costs_are_ratios_at_the_papers_sizes(
    results: Results, written: Callable[[Path, pd.DataFrame], None]
) -> None:
    sizes = [("paper", "mgsl_net", 150.0), ("paper", "drn", 200.0), ("embedded", "drn", 1.0)]
    written(paths.COSTS, pd.DataFrame(sizes, columns=["setting", "name", "mib"]))
    ratio = verdicts.cost(CLAIMS["smaller_drn"], "model size", results, [results])
    assert ratio == effect(0.75, 0.75, 0.75)
    times = [("paper", "mgsl_net", 1, "total", 10.0, 9.0, 12.0),
             ("paper", "drn", 1, "total", 20.0, 18.0, 24.0),
             ("paper", "drn", 16, "total", 1.0, 1.0, 1.0),
             ("paper", "drn", 1, "nms", 1.0, 1.0, 1.0)]  # fmt: skip
    columns = ["setting", "name", "batch", "part", "median_ms", "low_ms", "high_ms"]
    written(paths.TIMES, pd.DataFrame(times, columns=columns))
    ratio = verdicts.cost(CLAIMS["faster_drn"], "run time", results, [results])
    assert ratio == effect(0.5, 9 / 24, 12 / 18)
    ratio = verdicts.cost(CLAIMS["faster_tgn"], "run time", results, [results])
    assert ratio == "the cost of tgn was not measured"


def test_shares_are_counted_in_the_published_annotations(results: Results) -> None:
    claim = CLAIMS["rare_share"]
    share = verdicts.share(claim, claim.measures[0], results, [results])
    assert isinstance(share, Effect)
    assert share.value == pytest.approx(31.0, abs=0.01)
    assert statements.judge(claim, share) == "contradicted"
    fewer = CLAIMS["fewer_rare"]
    share = verdicts.share(fewer, fewer.measures[0], results, [results])
    assert isinstance(share, Effect)
    assert share.value == pytest.approx(14.7 - 31.0, abs=0.01)


def test_simulated_features_never_decide_a_claim(results: Results) -> None:
    findings = verdicts.find(["embedded"])
    table = claims_table.build(findings)
    last = {name: cells[-1].text for name, cells in table.rows if cells[0].text}
    assert last[CLAIMS["memory_full"].statement] == statements.NOT_REAL
    assert last[CLAIMS["rare_share"].statement] == statements.NOT_REPRODUCED
    assert last[CLAIMS["faster_drn"].statement] == statements.NOT_RUN
    tidy = statements.tidy(findings)
    open_ = [statements.NOT_REAL, statements.NOT_RUN, statements.NOT_REPRODUCED]
    decided = tidy[~tidy["verdict"].isin(open_)]
    assert set(decided["kind"]) <= {"share"}
    share = tidy[tidy["claim"] == "rare_share"].iloc[0]
    assert "(Q22)" in share["reason"]
    assert "SIMULATED" in table.caption
    text = " ".join(claims_table.summary(findings))
    assert "drn not run on embedded" in text


@pytest.mark.parametrize(
    ("dataset", "name", "verdict"),
    [
        ("activitynet_c3d", "memory_full", "supported"),
        ("charades_i3d", "charades_drn", "supported"),
        ("activitynet_c3d", "tacos_drn", statements.NOT_REAL),
        ("charades_actions", "charades_drn", statements.NOT_REAL),
        ("activitynet_planted", "memory_full", statements.NOT_REAL),
        ("embedded", "smaller_drn", statements.NOT_REPRODUCED),
        ("embedded", "faster_drn", statements.NOT_REPRODUCED),
        ("embedded", "rare_share", statements.NOT_REPRODUCED),
        ("embedded", "fewer_rare", "contradicted"),
    ],
)
def test_only_features_of_the_claims_videos_decide(dataset: str, name: str, verdict: str) -> None:
    results = Results(dataset)
    results.__dict__["summary"] = {"benchmark": known.find(dataset).benchmark}
    finding = Verdict(CLAIMS[name], CLAIMS[name].measures[0], results, effect(2, 1.5, 3))
    assert statements.on_the_paper([finding]) == verdict


def test_the_picture_shows_each_claim_once_and_no_label_covers_another(results: Results) -> None:
    figure = claims_figure.draw(verdicts.find(["embedded"])).figure
    figure.draw_without_rendering()
    statements = [t for axes in figure.axes for t in axes.texts if len(t.get_text()) > 12]
    labels = [" ".join(text.get_text().split()) for text in statements]
    assert labels == list(dict.fromkeys(labels))
    assert {*labels} - {NOT_REPRODUCED} == {claim.statement for claim in CLAIMS.values()}
    boxes = [text.get_window_extent() for text in statements]
    for index, box in enumerate(boxes):
        assert box.x0 >= 0
        for other in boxes[index + 1 :]:
            assert min(box.y1, other.y1) - max(box.y0, other.y0) < 0.2 * box.height


def test_the_bootstrap_of_a_claim_is_that_of_params(results: Results) -> None:
    rules = params.load(paths.PARAMS).evaluation
    assert results.runs.params == rules.model_copy(update={"recall_at": (1,)})


def test_what_was_trained_once_has_no_verdict(results: Results) -> None:
    findings = verdicts.find(["embedded"])
    trained = {f.verdict for f in findings if f.effect and f.effect.trainings}
    assert trained == {statements.ONE_TRAINING}
    assert statements.by_chance(findings) == ""
    cells = dict(claims_table.build(findings).rows)[CLAIMS["memory_full"].statement]
    assert cells[4].text == "undecided: one training"
    assert cells[4].note == "1 training"


def test_several_trainings_are_shown_with_their_number_and_give_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["embedded"], names=RUN, seeds=(0, 1, 2))
    findings = verdicts.find(["embedded"])
    full = next(f for f in findings if f.claim.claim == "memory_full")
    assert full.effect is not None
    assert (full.effect.trainings, full.effect.better) == (3, 1.0)
    cells = dict(claims_table.build(findings).rows)[CLAIMS["memory_full"].statement]
    assert cells[4].note == "3 trainings, P = 1.00"
    judged = [f for f in findings if f.effect and (f.effect.trainings or 0) > 1]
    # The order of the streams and the slots are said to make no difference.
    judged = [f for f in judged if f.claim.claim not in ("order", "slots")]
    text = statements.by_chance(findings)
    assert text.startswith(f"not corrected for testing {len(judged)} effects")
    assert f"about {0.025 * len(judged):.1f} false" in text


def test_the_memory_is_judged_by_the_kept_study_where_there_is_one(
    results: Results, written: Callable[[Path, pd.DataFrame], None]
) -> None:
    pair = {"dataset": "embedded", "a": "attention_only", "b": "mgsl_net", "group": "all",
            "metric": FIVE, "value": -0.05, "low": -0.08, "high": -0.02, "sd": 0.04,
            "better": 0.1, "trainings": 10, "queries": 2000}  # fmt: skip
    other = pair | {"a": "memory_only", "b": "baseline"}
    few = pair | {"a": "mgsl_net", "b": "memory_only", "trainings": 9}
    written(paths.study("tables", "embedded") / "pairs.csv", pd.DataFrame([pair, other, few]))
    ours = verdicts.difference(CLAIMS["memory_full"], FIVE, results, [results])
    assert isinstance(ours, Effect)
    assert (ours.value, ours.low, ours.high) == pytest.approx((5, 2, 8))  # turned
    assert (ours.trainings, ours.origin) == (10, "study tables")
    assert ours.better == pytest.approx(0.9)
    assert statements.judge(CLAIMS["memory_full"], ours) == statements.SUPPORTED
    ours = verdicts.difference(CLAIMS["memory_alone"], FIVE, results, [results])  # not run here
    assert isinstance(ours, Effect)
    assert ours.value == pytest.approx(-5)
    lacking = verdicts.difference(CLAIMS["attention_memory"], FIVE, results, [results])
    assert lacking == "memory_only not run on embedded"  # of which the study has too few
