"""The command line: helps, says what is wrong in one message, and exits accordingly."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from mgsl import cli, params, paths, stages
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.models import MODELS
from mgsl.prepared import write_summary
from mgsl.queries import Query, write_queries
from mgsl.resolving import resolve

ROOT = Path.cwd()
COMMANDS = sorted(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]
QUERIES = [
    Query(
        qid=f"v{i}-0",
        video=f"v{i}",
        sentence="a man opens the door",
        split="test",
        start_s=2.0,
        end_s=6.0,
        duration_s=20.0,
        tokens=("a", "man", "opens", "the", "door"),
        tags=("DT", "NN", "VBZ", "DT", "NN"),
        frequency=[3, 20, 70, 200][i],
        bin=i,
        rare=i == 0,
    )
    for i in range(4)
]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with params.yaml and a prepared dataset of four test queries."""
    shutil.copy(ROOT / paths.PARAMS, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    configs = {name: kind.Config for name, kind in MODELS.items()}
    for name, part in resolve(params.load(paths.PARAMS), "embedded", configs).files().items():
        write_json(paths.config("embedded", name), part.model_dump(mode="json"))
    write_queries(paths.prepared("embedded") / "queries.jsonl", QUERIES)
    about = {
        "dataset": "embedded",
        "title": "Embedded",
        "features": "simulated from the annotated events",
        "simulated": True,
        "bins": ["<10", "10-49", "50-99", ">=100"],
    }
    write_summary(paths.prepared("embedded"), about)
    return tmp_path


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, arguments)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "mgsl", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """`cli.main` in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["mgsl", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0)


def answers(changes: dict[str, list[list[float]] | None] | None = None) -> list[dict[str, Any]]:
    """Right answers to all queries, but for the changes."""
    windows = {query.qid: [[2.0, 6.0, 0.9], [0.0, 1.0, 0.1]] for query in QUERIES} | (changes or {})
    return [{"qid": q, "pred_relevant_windows": w} for q, w in windows.items() if w is not None]


def write_lines(rows: list[dict[str, Any]]) -> str:
    Path("predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "predictions.jsonl"


def test_the_help_lists_every_command_with_what_it_does() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    for name in COMMANDS:
        assert name in result.output
    assert "dvc repro" in result.output
    assert "params.yaml" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_explains_itself(name: str) -> None:
    result = invoke(name, "--help")
    assert result.exit_code == 0
    command = typer.main.get_command(cli.app).commands[name]  # type: ignore[attr-defined]
    assert command.help
    assert command.help.splitlines()[0].endswith((".", ","))
    for parameter in command.params:
        described = getattr(parameter, "help", None)
        assert described, f"{name}: {parameter.name}"
        assert described.split()[0] in result.output


@pytest.mark.parametrize("name", [name for name in COMMANDS if hasattr(stages, name)])
def test_a_command_calls_the_function_of_its_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "dataset": "embedded",
        "name": "printed",
        "seed": 3,
        "device": "cpu",
        "exhibit": "table_1",
        "output": Path("out.jsonl"),
        "rounds": 3,
        "seconds": 1.5,
        "subject": "slots",
        "again": True,
        "anew": True,
        "only": ["tgn", "drn"],
    }
    command = typer.main.get_command(cli.app).commands[name]  # type: ignore[attr-defined]
    wanted = {p.name: given[p.name] for p in command.params}
    called: list[dict[str, Any]] = []
    monkeypatch.setattr(stages, name, lambda **arguments: called.append(arguments))
    words = [word for p in command.params for word in as_words(p, given[p.name])]
    assert invoke(name, *words).exit_code == 0
    assert called == [wanted]


def as_words(parameter: Any, value: Any) -> list[str]:
    """How a command line gives an option or argument its value."""
    if parameter.param_type_name == "argument":
        return [str(value)]
    if parameter.is_flag:
        return [f"--{parameter.name}"] if value else []
    values = value if parameter.multiple else [value]
    return [word for one in values for word in (f"--{parameter.name}", str(one))]


def test_every_stage_of_dvc_is_a_command() -> None:
    yaml = (ROOT / "dvc.yaml").read_text()
    run_by_dvc = {line.split()[4] for line in yaml.splitlines() if "cmd: python -m mgsl" in line}
    assert run_by_dvc <= set(COMMANDS)
    assert {"configure", "download", "prepare", "train", "evaluate"} <= run_by_dvc


@pytest.mark.parametrize(
    "arguments",
    [
        ["tarin"],
        ["train", "--name", "mgsl_net"],
        ["train", "--dataset", "embedded", "--name", "mgsl_net", "--seed", "-1"],
        ["train", "--dataset", "embedded", "--name", "mgsl_net", "--seed", "one"],
        ["train", "--dataset", "embedded", "--name", "printed", "--seed", "0", "--device", "tpu"],
        ["score", "--dataset", "embedded"],
    ],
)
def test_a_wrong_command_line_is_refused(arguments: list[str]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("cause", "code", "message"),
    [
        (UserError("slots 0: give more"), 2, "error: slots 0: give more\n"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
    ],
)
def test_a_stage_that_stops_says_why_and_shows_no_traceback(
    cause: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop() -> None:
        raise cause

    monkeypatch.setattr(stages, "configure", stop)
    assert main(monkeypatch, "configure") == code
    output = capsys.readouterr()
    assert message in output.err
    assert "Traceback" not in output.err
    assert not output.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--dataset", "nowhere", "--name", "mgsl_net", "--seed", "0"], "nowhere"),
        (["train", "--dataset", "embedded", "--name", "mgls_net", "--seed", "0"], "mgls_net"),
        (["prepare", "--dataset", "nowhere"], "nowhere"),
        (["download", "--dataset", "nowhere"], "nowhere"),
        (["evaluate", "--dataset", "nowhere"], "nowhere"),
        (["score", "--dataset", "nowhere", "--predictions", "x.jsonl"], "nowhere"),
        (["score", "--dataset", "embedded", "--predictions", "x.jsonl"], "x.jsonl is missing"),
        (["describe", "nowhere"], "nowhere"),
    ],
)
def test_a_name_that_does_not_exist_is_told(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(monkeypatch, *arguments) == 2
    output = capsys.readouterr()
    assert output.err.startswith("error: ")
    assert message in output.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["describe", "embedded"],
        ["download", "--dataset", "embedded"],
        ["score", "--dataset", "embedded", "--predictions", "x.jsonl"],
        ["study"],
    ],
)
def test_a_command_in_another_folder_is_sent_to_the_root_and_writes_nothing(
    arguments: list[str],
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    below = project / "notebooks"
    below.mkdir()
    monkeypatch.chdir(below)
    assert main(monkeypatch, *arguments) == 2
    assert f"run mgsl from the repository's root: `cd {project}`" in capsys.readouterr().err
    assert not list(below.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--dataset", "embeded"],
        ["prepare", "--dataset", "embeded"],
        ["describe", "embeded"],
        ["score", "--dataset", "embeded", "--predictions", "x.jsonl"],
    ],
)
def test_a_misspelt_dataset_is_told_with_those_that_there_are(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert "no dataset 'embeded'; did you mean 'embedded'?; there is: embedded, charad" in error


def test_the_real_command_refuses_slots_0_and_writes_nothing(project: Path) -> None:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("slots: null", "slots: 0"))
    shutil.rmtree(paths.ARTIFACTS)
    done = run("configure")
    assert done.returncode == 2
    assert done.stderr.startswith("error: params.yaml is not usable:\n  memory.slots: ")
    assert "Traceback" not in done.stderr
    assert not paths.ARTIFACTS.exists()


def test_configure_writes_a_part_for_everything_that_runs() -> None:
    shutil.rmtree(paths.ARTIFACTS / "configs")
    assert invoke("configure").exit_code == 0
    folder = paths.ARTIFACTS / "configs/embedded"
    assert {path.stem for path in folder.iterdir()} == {*paths.PARTS, "runs"}
    names = {path.stem for path in (folder / "runs").iterdir()}
    assert names == {*params.load(paths.PARAMS).names()}


def test_what_looks_after_features_in_every_repro_loads_no_library_for_tables() -> None:
    script = (
        "import sys, mgsl.cli; "
        "from mgsl.data import datasets, feature_files, glove; "
        "print(*({'pandas', 'torch', 'scipy'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_a_prediction_file_is_scored_for_people() -> None:
    path = write_lines(answers({"v0-0": [[10.0, 12.0, 0.5]]}))
    result = invoke("score", "--dataset", "embedded", "--predictions", path)
    assert result.exit_code == 0, result.output
    lines = {line.split()[0]: line.split() for line in result.output.splitlines() if line.split()}
    assert "SIMULATED" in result.output
    assert lines["all"][1:3] == ["4", "75.00"]
    assert lines["rare"][1:3] == ["1", "0.00"]
    assert lines["common"][1:3] == ["3", "100.00"]
    assert {"<10", "10-49", "50-99", ">=100"} <= lines.keys()


def test_two_prediction_files_are_compared_query_by_query() -> None:
    right = Path(write_lines(answers())).rename("right.jsonl")
    wrong = write_lines(answers({"v0-0": [[10.0, 12.0, 0.5]]}))
    files = ("--predictions", str(right), "--against", wrong)
    result = invoke("score", "--dataset", "embedded", *files)
    assert result.exit_code == 0, result.output
    lines = {line.split()[0]: line.split() for line in result.output.splitlines() if line.split()}
    assert "the first file less the second, in percentage points" in result.output
    assert lines["all"][1:3] == ["4", "+25.00"]
    assert lines["rare"][1:3] == ["1", "+100.00"]
    assert lines["common"][1:3] == ["3", "+0.00"]
    document = json.loads(invoke("score", "--dataset", "embedded", *files, "--json").output)
    recall = document["groups"]["common"]["metrics"]["R@1, IoU=0.5"]
    assert recall == {"value": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}


def test_both_formats_give_the_same_json() -> None:
    rows = answers()
    path = write_lines(rows)
    document = {
        row["qid"]: [{"timestamp": w[:2], "score": w[2]} for w in row["pred_relevant_windows"]]
        for row in rows
    }
    Path("other.json").write_text(json.dumps({"results": document}))
    first, second = (
        invoke("score", "--dataset", "embedded", "--predictions", name, "--json")
        for name in (path, "other.json")
    )
    assert first.exit_code == second.exit_code == 0
    assert first.output == second.output
    scores = json.loads(first.output)
    assert scores["groups"]["rare"]["metrics"]["R@1, IoU=0.7"]["value"] == 1
    assert scores["simulated"] is True


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (answers({"v9-0": [[0.0, 1.0, 1.0]]}), "unknown: v9-0"),
        (answers() + answers()[:1], "repeated: v0-0"),
        (answers({"v2-0": [[float("nan"), 1.0, 1.0]]}), "not finite"),
        (answers({"v2-0": [[6.0, 2.0, 1.0]]}), "ends before it starts"),
        ([], "is empty"),
    ],
)
def test_a_bad_prediction_file_is_refused_by_what_is_wrong(
    rows: list[dict[str, Any]],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write_lines(rows)
    assert main(monkeypatch, "score", "--dataset", "embedded", "--predictions", path) == 2
    assert message in capsys.readouterr().err


def test_a_gap_is_a_miss_or_refused_as_the_command_line_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_lines(answers({"v1-0": None, "v2-0": []}))
    words = ("score", "--dataset", "embedded", "--predictions", path)
    assert "2 of 4 queries have no answer and count as misses: v1-0, v2-0" in invoke(*words).output
    document = json.loads(invoke(*words, "--json").output)
    assert document["groups"]["all"]["metrics"]["R@1, IoU=0.5"]["value"] == 0.5
    assert len(document["notes"]) == 1
    assert main(monkeypatch, *words, "--missing", "refuse") == 2
    assert "has no window for v1-0, v2-0" in capsys.readouterr().err


def test_the_command_line_sets_the_rule_and_says_it() -> None:
    path = write_lines(answers({q.qid: [[2.0, 4.0, 0.9]] for q in QUERIES}))  # tIoU 0.5
    words = ("score", "--dataset", "embedded", "--predictions", path, "--json")
    values = {}
    for options in ((), ("--strict", "--nms", "none"), ("--no-strict", "--nms", "0.3")):
        document = json.loads(invoke(*words, *options).output)
        recall = document["groups"]["all"]["metrics"]["R@1, IoU=0.5"]["value"]
        values[options[1:]] = recall, document["rule"].partition(";")[0]
    targets = "targets cut at the end of their video"
    assert values == {
        (): (1.0, f"A hit is tIoU >= m in seconds, {targets}, after NMS at m - 0.05"),
        ("--nms", "none"): (0.0, f"A hit is tIoU > m in seconds, {targets}, without NMS"),
        ("--nms", "0.3"): (1.0, f"A hit is tIoU >= m in seconds, {targets}, after NMS at 0.3"),
    }
    assert invoke(*words, "--targets", "cut").exit_code == 2


def test_the_split_command_writes_one_table_or_all(monkeypatch: pytest.MonkeyPatch) -> None:
    from mgsl.tools import split

    tables = {"train": "a", "test": "b"}
    monkeypatch.setattr(split, "of_dataset", lambda dataset, preparation, raw: tables)
    assert invoke("split", "--dataset", "embedded", "--output", "t.csv").exit_code == 0
    assert Path("t.csv").read_text() == "b"
    options = ("--split", "train", "--output", "t.csv")
    assert invoke("split", "--dataset", "embedded", *options).exit_code == 0
    assert Path("t.csv").read_text() == "a"
    assert invoke("split").exit_code == 0
    names = {f"{name}_{part}.csv" for name in split.NAMES.values() for part in tables}
    assert {path.name for path in paths.SPLITS.iterdir()} == names


def test_the_doctor_fails_the_command_where_there_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mgsl.tools import doctor

    monkeypatch.setattr(doctor, "examine", lambda: True)
    assert invoke("doctor").exit_code == 0
    monkeypatch.setattr(doctor, "examine", lambda: False)
    assert invoke("doctor").exit_code == 1


def test_configure_removes_states_that_no_configuration_can_use(project: Path) -> None:
    kept = paths.unfinished("embedded", "mgsl_net", 0, "0" * 16)
    useless = [
        paths.unfinished("embedded", "no_such", 0, "0" * 16),
        paths.unfinished("no_such", "mgsl_net", 0, "0" * 16),
        paths.UNFINISHED / "foreign.pt",
    ]
    paths.UNFINISHED.mkdir(parents=True)
    for path in (kept, *useless):
        path.touch()
    stages.configure()
    assert list(paths.UNFINISHED.iterdir()) == [kept]
