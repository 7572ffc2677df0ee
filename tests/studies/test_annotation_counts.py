"""Studies of annotations alone: counted by hand, drawn from what is kept, and as published."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from mgsl import params, paths
from mgsl.data.annotations import Annotation
from mgsl.data.preparing import make_queries
from mgsl.errors import UserError
from mgsl.evaluation import people
from mgsl.models import MODELS
from mgsl.params import Form
from mgsl.queries import Query
from mgsl.rarity import FORMS
from mgsl.reporting.exhibits import figures_4_5, multiverse, no_video
from mgsl.reporting.read import kept_no_video, published
from mgsl.reporting.read import kept_studies as kept
from mgsl.reporting.read.results import Results
from mgsl.studies import annotation_priors as measuring
from mgsl.studies import benchmarks
from mgsl.studies import rarity_variants as readings
from mgsl.studies.benchmarks import Benchmark
from tests.published import prepare_config, rare_params
from tests.reporting import report_workspace

STUDIES = str(paths.STUDIES)
TAGS = readings.TAGS["nouns, verbs, adjectives"]
TOLD = [
    ("train", "dogs/NNS run/VBP and/CC dogs/NNS jump/VBP"),
    ("train", "a/DT dog/NN runs/VBZ"),
    ("val", "dogs/NNS sleep/VBP"),
    ("test", "dog/NN runs/VBZ"),
    ("test", "quickly/RB"),
]


@pytest.fixture(scope="module")
def annotations() -> list[Annotation]:
    return [
        Annotation(
            qid=f"v{i}-0", video=f"v{i}", sentence=text, split=split, start_s=0.0, end_s=1.0,
            duration_s=2.0,
            tagged=tuple((w.split("/")[0], w.split("/")[1]) for w in text.split()),
        )
        for i, (split, text) in enumerate(TOLD)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "where", "counted", "expected"),
    [
        ("surface", "train", "tokens", [1, 1, 0, 1, np.inf]),
        ("surface", "all", "tokens", [1, 2, 1, 2, np.inf]),
        ("surface", "all", "sentences", [1, 2, 1, 2, np.inf]),
        ("lemma", "train", "tokens", [1, 2, 0, 2, np.inf]),
        ("lemma", "all", "tokens", [1, 3, 1, 3, np.inf]),
        ("stem", "train", "sentences", [1, 2, 0, 2, np.inf]),
    ],
)
def test_the_rarest_word_of_each_sentence_is_counted(
    annotations: list[Annotation], form: str, where: str, counted: str, expected: list[float]
) -> None:
    corpus = readings.read(annotations, form)
    counts = readings.lowest_counts(corpus, TAGS, where=where, counted=counted)
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("where", ["train", "all"])
@pytest.mark.parametrize("form", FORMS)
def test_pairs_are_prepared_as_the_multiverse_counts_them(
    annotations: list[Annotation], form: Form, where: Literal["train", "all"]
) -> None:
    rare = rare_params(form=form, corpus=where)
    preparation = prepare_config().preparation.model_copy(update={"rare": rare})
    queries = make_queries(annotations, annotations, preparation)
    counts = readings.lowest_counts(
        readings.read(annotations, form), TAGS, where=where, counted="tokens"
    )
    assert [q.frequency for q in queries] == [None if np.isinf(n) else int(n) for n in counts]
    assert queries[0].tokens == ("dogs", "run", "and", "dogs", "jump")  # as they were


def test_a_word_twice_in_a_sentence_counts_once_where_sentences_count(
    annotations: list[Annotation],
) -> None:
    corpus = readings.read(annotations, "surface")
    nouns = [
        readings.lowest_counts(corpus, ("NN",), where="train", counted=counted)[2]
        for counted in readings.COUNTED
    ]
    assert nouns == [2, 1]


def test_an_edge_belongs_to_the_rarer_bin_only_where_it_is_inclusive() -> None:
    lowest = np.array([9.0, 10.0, 100.0, np.inf])
    below = readings.shares(lowest, (10, 50, 100), inclusive=False)
    up_to = readings.shares(lowest, (10, 50, 100), inclusive=True)
    np.testing.assert_array_equal(below, [0.25, 0.25, 0, 0.5])
    np.testing.assert_array_equal(up_to, [0.5, 0, 0.25, 0.25])


def test_the_distance_is_the_share_that_changes_its_bin() -> None:
    assert readings.distance(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0
    assert readings.distance(np.array([1.0, 0.0]), np.array([0.25, 0.75])) == 0.75


def test_every_reading_is_tried_once_the_nearest_first(annotations: list[Annotation]) -> None:
    corpora = {form: readings.read(annotations, form) for form in FORMS}
    table = readings.readings(corpora, np.array([0.5, 0.0, 0.0, 0.5]))
    assert len(table) == 1728
    assert not table.duplicated(list(multiverse.CHOICES)).any()
    assert table["distance"].is_monotonic_increasing
    assert table["distance"].iloc[0] == 0
    np.testing.assert_allclose(table[multiverse.SHARES].sum(axis=1), 1)


def test_people_and_blind_methods_are_scored_on_the_same_queries(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 0.4, 60)
    queries = [
        Query(
            qid=f"v{i}-0", video=f"v{i}", sentence="he runs", split="train" if i < 40 else "test",
            start_s=10 * float(start), end_s=10 * float(start + rng.uniform(0.2, 0.5)),
            duration_s=10.0, tokens=("he", "runs"), tags=("PRP", "VBZ"), frequency=5 + i, bin=0,
            rare=i % 2 == 0,
        )
        for i, start in enumerate(starts)
    ]  # fmt: skip
    rows = [f"{q.qid},{q.video},he runs,{10 * q.start_s},{10 * q.end_s}" for q in queries[50:] * 5]
    path = tmp_path / "people.csv"
    path.write_text("\n".join(["HITId,video_id,description,start,end", *rows, "x,nobody,he,0,9"]))
    parameters = params.load(paths.PARAMS)
    benchmark = Benchmark("charades", [], queries, {})
    table = measuring.measure(benchmark, [path], parameters)
    assert measuring.coverage(benchmark, [path]) == {"told": 11, "matched": 10}
    asked = table[table["group"] == measuring.REANNOTATED]
    assert set(asked["name"]) == {"prior", "action_prior", *no_video.PEOPLE}
    assert set(asked["queries"]) == {10}
    answered = asked[asked["name"].isin(no_video.PEOPLE)]
    np.testing.assert_array_equal(answered["value"], 1)  # all answer with the truth
    everyone = table[(table["group"] == "all") & (table["name"] == "prior")]
    assert set(everyone["queries"]) == {20}


def test_names_agree_where_modules_may_not_import_each_other() -> None:
    assert set(no_video.PEOPLE) == {people.RANDOM, people.REPRESENTATIVE}
    assert measuring.REANNOTATED == no_video.ASKED
    assert list(kept_no_video.BLIND) == measuring.blind_methods()
    assert set(benchmarks.DATASETS) == set(published.BENCHMARKS)
    assert set(kept_no_video.BLIND) < set(MODELS)


class TestKept:
    """What stands in reports/studies."""

    def test_the_literal_reading_is_the_one_of_the_distribution(self) -> None:
        studies = kept.Studies(STUDIES)
        literal = multiverse.literal(studies.table("multiverse"))
        shares = studies.table("figures_4_5").query("benchmark == 'activitynet' & split == 'test'")
        np.testing.assert_allclose(
            literal[multiverse.SHARES].to_numpy(float), shares["share"], atol=2e-5
        )
        np.testing.assert_allclose(shares["share"], [0.310, 0.333, 0.164, 0.193], atol=6e-4)  # Q22

    @pytest.mark.parametrize(
        ("benchmark", "expected"),
        [("tacos", [24.3, 19.3, 18.5, 38.0]), ("charades", [14.7, 17.8, 10.5, 57.1])],
    )
    def test_the_other_distributions_are_those_of_q22(
        self, benchmark: str, expected: list[float]
    ) -> None:
        table = kept.Studies(STUDIES).table("figures_4_5")
        shares = table[(table["benchmark"] == benchmark) & (table["split"] == "test")]["share"]
        np.testing.assert_allclose(100 * shares, expected, atol=0.06)

    def test_the_counts_are_the_published_ones(self) -> None:
        studies = kept.Studies(STUDIES)
        counted = pd.read_csv(published.FOLDER / "datasets.csv")
        for benchmark, split, pairs in counted.itertuples(index=False):
            if (benchmark, split) == ("charades", "train"):
                pairs -= 4  # of which nothing is left when they are cut off at the video's end
            assert studies.pairs(benchmark, split) == pairs

    @pytest.mark.parametrize(
        ("benchmark", "name", "percent"),
        [
            ("charades", "prior", 22.9),
            ("charades", "action_prior", 28.3),
            ("activitynet", "prior", 10.8),
            ("activitynet", "action_prior", 23.1),
        ],
    )
    def test_the_priors_reach_what_otani_et_al_print(
        self, benchmark: str, name: str, percent: float
    ) -> None:
        table = kept_no_video.means(kept.Studies(STUDIES))
        row = kept_no_video.value(table, benchmark, name, "all", "R@1, IoU=0.5")
        assert row["value"] == pytest.approx(percent, abs=1.0)

    def test_they_were_counted_with_the_parameters_of_the_repository(self) -> None:
        about, parameters = kept.Studies(STUDIES).about, params.load(paths.PARAMS)
        assert about["evaluation"] == parameters.evaluation.model_dump(mode="json")
        assert about["seeds"] == list(parameters.seeds)
        assert about["preparation"]["rare"] == parameters.preparation.rare.model_dump(mode="json")
        for name, choices in about["models"].items():
            assert choices == parameters.models[name].choices

    def test_the_verdict_is_plain(self) -> None:
        verdict = multiverse.verdict(kept.Studies(STUDIES))
        assert verdict.startswith("The paper’s distribution cannot be recovered")

    def test_a_missing_table_says_what_to_run(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="run `python -m mgsl study`"):
            multiverse.draw(str(tmp_path))


class TestDrawn:
    """The figures."""

    @pytest.fixture(autouse=True)
    def _inside(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        report_workspace.build(tmp_path, ["embedded", "charades_actions"])

    def test_every_caption_says_that_no_video_was_used(self) -> None:
        for drawing in (
            no_video.draw(STUDIES),
            multiverse.draw(STUDIES),
            figures_4_5.draw(["embedded"], STUDIES),
        ):
            assert "real annotations; no video and no features were used" in drawing.caption

    def test_what_was_run_on_a_benchmark_stands_beside_it(self) -> None:
        both = figures_4_5.draw(["embedded", "charades_actions"], STUDIES)
        assert "Charades-STA (charades_actions): real data" in both.caption
        assert "Embedded" not in both.caption
        labels = [label.get_text() for label in both.figure.axes[3].get_yticklabels()]
        assert labels[:5] == [
            "2D-TAN, paper", "DRN, paper", "MGSL-Net, paper", "prior", "action prior",
        ]  # fmt: skip
        assert labels.count("MGSL-Net (literal)") == 1
        said = [[text.get_text() for text in axes.texts] for axes in both.figure.axes[3:]]
        assert [any("ours" in text for text in texts) for texts in said] == [False, False, True]
        assert "ours: charades_actions" in said[2]
        place = -labels.index("MGSL-Net (literal)")
        assert any(line.get_ydata()[0] == place for line in both.figure.axes[5].lines)
        assert figures_4_5.shown(["embedded", "charades_actions"]) == (
            "Datasets of this report whose recall is shown: charades_actions. Not shown, as they "
            "are no benchmark of the paper: embedded (simulated)."
        )

    def test_a_second_dataset_of_a_benchmark_has_rows_of_its_own(self) -> None:
        sources = [Results("charades_actions"), Results("charades_actions")]
        rows = figures_4_5._rows(sources)
        assert [row.run for row in rows if not row.name] == [0, 1]
        first, second = ([row.name for row in rows if row.run == run] for run in (0, 1))
        assert first == second
        assert "prior" not in first
