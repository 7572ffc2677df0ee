"""What a reader of the repository relies on: names exist, links lead somewhere, layers hold."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import mgsl
from mgsl import params, paths
from mgsl.cli import app
from mgsl.data.annotations.charades import read_charades, read_charades_videos
from mgsl.data.datasets import DATASETS
from mgsl.documents import read_yaml
from mgsl.models import MODELS
from mgsl.tools import doctor

CODE = sorted(Path("mgsl").rglob("*.py"))
PAGES = [
    Path("README.md"),
    Path("CONTRIBUTING.md"),
    Path("CHANGELOG.md"),
    *sorted(Path("docs").glob("*.md")),
]
PARAMS = params.load(paths.PARAMS)
EXHIBITS = Path("mgsl/reporting/exhibits")
NUM_EQUATIONS = 14
LONGEST = 300  # lines of a file
LONGER = {  # and why: each is one whole that is read from top to bottom
    "mgsl/cli.py": 470,  # every command, with its help
    "mgsl/params.py": 330,  # every key of params.yaml
    "mgsl/stages.py": 330,  # every stage
    "mgsl/models/mgsl_net.py": 505,  # a method is complete in its file
    "mgsl/models/memory.py": 390,  # the memory is read beside the paper
    "mgsl/training/loop.py": 320,  # the one loop
    "mgsl/models/drn.py": 335,  # a method is complete in its file
    "mgsl/models/scdm.py": 360,  # a method is complete in its file
    "mgsl/data/embedded/generate.py": 310,  # a dataset is generated in its file
}
LARGEST_MB = 4  # the annotations of the embedded dataset
NO_TORCH = [  # what computes nothing with it starts without it
    "mgsl.cli",
    "mgsl.stages",
    "mgsl.params",
    "mgsl.tools.doctor",
    "mgsl.tools.ground",
    "mgsl.tools.ablation.outcome",
    "mgsl.rarity",
    *(
        ".".join(path.with_suffix("").parts)
        for folder in ("evaluation", "reporting")
        for path in sorted(Path("mgsl", folder).rglob("*.py"))
        if path.stem != "__init__"
    ),
    "mgsl.data.preparing",
    "mgsl.tools.describe",
    "mgsl.data.datasets",
    "mgsl.data.sources",
]
NOT_IMPORTED = {  # dependencies that no line of the package imports, and what they are for
    "dvc": "python -m dvc runs the pipeline",
    "jupyterlab": "shows the notebooks to a person",
    "seaborn": "the design asks for it by name",
}


@cache
def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this folder is no git repository")
    return [path for name in done.stdout.split("\0") if name and (path := Path(name)).is_file()]


@cache
def pyproject() -> dict[str, Any]:
    return tomllib.loads(Path("pyproject.toml").read_text())


def imports_of(path: Path) -> set[str]:
    """Dotted names that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def equations(text: str) -> set[int]:
    """The numbers of `# Eq. 3, 4` and `# Eq. 5-8`."""
    numbers = set()
    for cited in re.findall(r"# Eq\. ([\d, -]+)", text):
        for part in cited.split(","):
            first, _, last = part.strip().partition("-")
            numbers |= set(range(int(first), int(last or first) + 1))
    return numbers


def test_every_equation_has_its_line_and_its_test() -> None:
    written = set().union(*(equations(path.read_text()) for path in CODE))
    tested = {
        int(number)
        for path in Path("tests").rglob("test_*.py")
        for number in re.findall(r"^@pytest\.mark\.equation\((\d+)\)", path.read_text(), re.M)
    }
    assert written == tested == set(range(1, NUM_EQUATIONS + 1))


def test_every_question_that_code_cites_is_answered() -> None:
    page = Path("docs/open_questions.md").read_text()
    answered = {int(number) for number in re.findall(r"^\*\*Q(\d+)\.", page, re.M)}
    assert answered == set(range(1, 26))
    for letter in "ACFG":
        assert re.search(rf"^## {letter}\. ", page, re.M)
    for path in [*CODE, paths.PARAMS]:
        for number in re.findall(r"\bQ(\d+)\b", path.read_text()):
            assert int(number) in answered, f"{path} cites Q{number}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_parameter_that_a_page_names_exists(page: Path) -> None:
    document = read_yaml(paths.PARAMS)
    for key in re.findall(r"`([a-z_]+(?:\.[a-z_0-9]+)+)`", page.read_text()):
        first, *rest = key.split(".")
        if first not in document or rest[-1] in ("yaml", "py", "csv"):
            continue
        value = document[first]
        for part in rest:
            assert part in value, f"{page} names {key}"
            value = value[part]


def test_every_reading_that_the_questions_name_exists() -> None:
    """Of choices, and of configurations of them, whose names the page writes alone."""
    page = Path("docs/open_questions.md").read_text()
    known = set(re.findall(r"\w+", paths.PARAMS.read_text()))
    known |= {command.callback.__name__ for command in app.registered_commands if command.callback}
    for word in re.findall(r"`([a-z][a-z_0-9]*)`", page):
        defined = any(re.search(rf"def {word}\(", path.read_text()) for path in CODE)
        assert word in known or defined, f"the page names {word}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", link):
            assert (page.parent / link.partition("#")[0]).exists(), f"{page} links to {link}"


def test_every_promise_is_held_by_tests_that_exist() -> None:
    page = Path("docs/reliability.md").read_text()
    rows = [line for line in page.splitlines() if re.match(r"\| (?!what |input |:)", line)]
    assert len(rows) > 20
    for row in rows:
        tests = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row)
        assert tests, row
        for path, name in tests:
            assert Path(path).is_file(), path
            assert f"def {name}(" in Path(path).read_text() or not name, f"{path} has no {name}"


def test_files_are_short() -> None:
    lengths = {path.as_posix(): len(path.read_text().splitlines()) for path in CODE}
    too_long = {name: n for name, n in lengths.items() if n > LONGER.get(name, LONGEST)}
    assert not too_long


def test_no_file_is_large() -> None:
    assert not [path for path in tracked() if path.stat().st_size > LARGEST_MB * 1e6]


def test_a_checkout_has_the_same_bytes_on_every_system() -> None:
    tracked()  # skips where there is no git
    lines = subprocess.run(
        ["git", "ls-files", "--eol"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for line in lines:
        (index, tree, *attributes), path = line.partition("\t")[0].split(), line.partition("\t")[2]
        assert tree in ("w/", index.replace("i/", "w/")), path
        binary = index == "i/-text"
        assert attributes == (["attr/-text"] if binary else ["attr/text=auto", "eol=lf"]), path


def test_no_file_names_a_package_index_or_a_folder_of_one_machine() -> None:
    hosts = ["pypi" + ".org", "python" + "hosted", "ana" + "conda.org", "download.py" + "torch"]
    options = ["--index" + "-url", "--extra-index" + "-url", "--find" + "-links"]
    folders = ["/" + name + "/" for name in ("work", "home", "root", "Users")]
    for path in tracked():
        content = path.read_bytes()
        for text in (*hosts, *options, *folders):
            assert text.encode() not in content, f"{path} names {text}"


@pytest.mark.parametrize("path", sorted(paths.NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_a_notebook_is_thin_and_holds_no_output(path: Path) -> None:
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for cell in code:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            kinds = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.If)
            assert not isinstance(node, kinds), ast.unparse(node)
    assert sum("parameters" in cell["metadata"].get("tags", []) for cell in code) == 1
    assert notebook["cells"][0]["cell_type"] == "markdown"


def test_conda_and_the_lock_describe_one_environment() -> None:
    environment = read_yaml(Path("environment.yml"))
    assert environment["name"] == "mgsl"
    *packages, last = environment["dependencies"]
    assert last == {"pip": [f"-r {doctor.REQUIREMENTS}", "-e ."]}
    assert "pip" in packages
    (python,) = (name.partition("=")[2] for name in packages if name.startswith("python="))
    assert (
        Version(python)
        in Requirement(f"python{pyproject()['project']['requires-python']}").specifier
    )
    assert python == pyproject()["tool"]["mypy"]["python_version"]
    locked = doctor.read_lock(doctor.REQUIREMENTS)
    assert not {name.partition("=")[0] for name in packages} & locked.keys()


def test_all_who_name_a_python_name_the_same() -> None:
    project = pyproject()["project"]
    oldest = ".".join(map(str, doctor.OLDEST_PYTHON))
    assert project["requires-python"] == f">={oldest}"
    assert pyproject()["tool"]["mypy"]["python_version"] == oldest
    assert pyproject()["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    makefile = Path("Makefile").read_text()
    assert f"sys.version_info < {doctor.OLDEST_PYTHON}" in makefile
    assert f"Python {oldest} or newer" in makefile
    tested = [".".join(map(str, version)) for version in doctor.TESTED_PYTHONS]
    kind = "Programming Language :: Python :: "
    assert project["classifiers"] == [f"{kind}{version}" for version in tested]
    assert f"make PYTHON=python{tested[-1]}" in makefile
    for page in ("README.md", "CONTRIBUTING.md", "docs/reliability.md"):
        assert f"Python {', '.join(tested)} (newer ones are not tested)" in Path(page).read_text()


def test_every_dependency_is_locked_within_its_range() -> None:
    project = pyproject()["project"]
    locked = {
        name.lower().replace("_", "-"): Version(version)
        for name, version in doctor.read_lock(doctor.REQUIREMENTS).items()
    }
    for line in project["dependencies"] + project["optional-dependencies"]["develop"]:
        wanted = Requirement(line)
        assert locked[wanted.name.lower()] in wanted.specifier, line


def test_every_import_is_a_dependency_and_every_dependency_is_imported() -> None:
    listed = [Requirement(line).name for line in pyproject()["project"]["dependencies"]]
    names = {name: {"ruamel.yaml": "ruamel"}.get(name, name.replace("-", "_")) for name in listed}
    # Of nbconvert and ipykernel, and of jinja2.
    below = {"nbformat", "jupyter_client", "traitlets", "IPython", "markupsafe"}
    imported = {name.partition(".")[0] for path in CODE for name in imports_of(path)}
    assert not imported - {*names.values(), *below, "mgsl", *sys.stdlib_module_names}
    unused = {name for name, module in names.items() if module not in imported}
    assert unused <= NOT_IMPORTED.keys() <= {*listed}


def test_what_needs_no_torch_starts_without_it() -> None:
    script = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
    script += "    assert 'torch' not in sys.modules, name\n"
    done = subprocess.run(
        [sys.executable, "-c", script, *NO_TORCH], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]


def test_no_code_but_the_models_asks_for_a_method_by_name() -> None:
    for path in CODE:
        if path.parent.name != "models":
            assert not re.search(rf"[!=]= \"({'|'.join(MODELS)})\"", path.read_text()), path


def test_everything_that_params_name_exists() -> None:
    folder = Path("mgsl/reporting/read/published")
    listed = pd.concat(pd.read_csv(folder / file) for file in ("methods.csv", "ablations.csv"))[
        "name"
    ]
    assert listed.is_unique
    assert set(PARAMS.data) == set(DATASETS)
    assert set(PARAMS.models) == set(MODELS)
    for name in MODELS:
        assert Path("mgsl/models", f"{name}.py").is_file()
        assert MODELS[name].__module__ == f"mgsl.models.{name}"
    for name in [*MODELS, *(name for block in PARAMS.models.values() for name in block.ablations)]:
        assert name in set(listed)


def test_an_exhibit_is_a_notebook_and_a_module_or_folder_of_its_name() -> None:
    modules = {path.stem if path.suffix == ".py" else path.name for path in EXHIBITS.iterdir()}
    modules -= {"__init__", "__pycache__"}
    assert modules == set(PARAMS.exhibit_names())
    for name in PARAMS.exhibit_names():
        assert (paths.NOTEBOOKS / f"{name}.ipynb").is_file()


def test_no_exhibit_imports_another() -> None:
    package = ".".join(EXHIBITS.parts)
    for path in EXHIBITS.rglob("*.py"):
        own = path.relative_to(EXHIBITS).with_suffix("").parts[0]
        for name in imports_of(path):
            if name.startswith(f"{package}."):
                assert name.split(".")[3] == own, f"{path} imports {name}"


def test_every_path_of_the_pipeline_exists_or_is_made_by_it() -> None:
    lists = read_yaml(paths.PARAMS)
    stages = read_yaml(Path("dvc.yaml"))["stages"]
    made = {"artifacts", "reports", "data"}
    for name, stage in stages.items():
        for dep in stage.get("deps", []):
            values = lists["methods"] if "item.name" in dep else lists["datasets"]
            for value in values:
                path = Path(re.sub(r"\$\{item[^}]*\}", value, dep))
                assert path.parts[0] in made or path.exists(), f"{name}: {dep}"


def test_every_stage_of_the_studies_was_run() -> None:
    lists = read_yaml(Path("studies/params.yaml"))
    stages = read_yaml(Path("studies/dvc.yaml"))["stages"]
    wanted = set()
    for name, stage in stages.items():
        if "matrix" in stage:
            wanted |= {f"{name}@{dataset}" for dataset in lists["datasets"]}
        elif "foreach" in stage:
            wanted |= {f"{name}@{study}" for study in lists["studies"]}
        else:
            wanted.add(name)
    assert wanted == set(read_yaml(Path("studies/dvc.lock"))["stages"])


def test_pre_commit_fetches_nothing() -> None:
    repositories = read_yaml(Path(".pre-commit-config.yaml"))["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    hooks = {hook["entry"].split()[0] for hook in repositories[0]["hooks"]}
    assert hooks == {"ruff", "mypy"}


def test_the_citation_is_complete_and_of_this_version() -> None:
    citation = read_yaml(Path("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["type"] == "software"
    assert citation["version"] == pyproject()["project"]["version"] == mgsl.__version__
    assert citation["license"] == pyproject()["project"]["license"] == "MIT"
    (paper,) = citation["references"]
    assert [author["family-names"] for author in paper["authors"]] == [
        "Liu", "Qu", "Di", "Cheng", "Xu", "Zhou",
    ]  # fmt: skip
    assert paper["year"] == 2022
    assert f"## {mgsl.__version__}" in Path("CHANGELOG.md").read_text()


@pytest.mark.mirror
def test_every_moment_of_charades_is_an_annotated_action(mirror: Path) -> None:
    """Docs and README say so: it decides what a number on `charades_actions` means."""
    actions = {
        row["id"]: [text.split() for text in row["actions"].split(";") if text]
        for _, row in read_charades_videos(mirror)
    }
    published = read_charades(mirror)
    assert len(published) == 16_128
    for a in published:
        assert any(
            abs(float(start) - a.start_s) <= 0.051 and abs(float(end) - a.end_s) <= 0.051
            for _, start, end in actions[a.video]
        ), a
