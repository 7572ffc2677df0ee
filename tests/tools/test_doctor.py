"""The checklist: each point is ok, a note or a problem, and says what to do."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
import requests

from mgsl import numerics, paths
from mgsl.data import sources
from mgsl.tools import doctor, lock, promise
from mgsl.tools.doctor import Check

Checks = Callable[[], Iterator[Check]]
CONTENT = b"published"
SOURCE = sources.Source(
    datasets=("charades_actions",),
    repository="owner/name",
    commit="c0ffee",
    path="file.txt",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    git_blob="",
    terms="",
    citation="",
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what the doctor reads, with a cache of its own and no mirror."""
    for name in (paths.PARAMS, doctor.REQUIREMENTS):
        shutil.copy(name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MGSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MGSL_MIRROR", raising=False)
    monkeypatch.setattr(
        sources, "catalogue", lambda name: [SOURCE] if name in SOURCE.datasets else []
    )
    return tmp_path


def states(check: Checks) -> list[str]:
    return [finding.state for finding in check()]


def told(check: Checks) -> str:
    return "\n".join(f"{finding.state} {finding.what}\n{finding.advice}" for finding in check())


def test_whatever_is_not_ok_says_what_to_do() -> None:
    for check in (doctor.python, doctor.packages, doctor.disk, doctor.places, doctor.parameters):
        for finding in check():
            assert finding.state == "ok" or finding.advice, finding


def test_the_checklist_is_printed_and_a_problem_fails_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = Check("ok", "a"), Check("problem", "b", "do this\nor that")
    monkeypatch.setattr(doctor, "CHECKS", [lambda: iter([good])])
    assert doctor.examine()
    monkeypatch.setattr(doctor, "CHECKS", [lambda: iter([good]), lambda: iter([bad])])
    capsys.readouterr()
    assert not doctor.examine()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["ok       a", "problem  b"]
    assert [line.strip() for line in lines[2:4]] == ["do this", "or that"]
    assert lines[-1] == "problems: 1, notes: 0, ok: 1"


def test_a_version_that_is_not_the_locked_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    locked = doctor.read_lock(doctor.REQUIREMENTS)
    installed: dict[str, str | None] = dict(locked)
    monkeypatch.setattr(doctor, "_installed", installed.get)
    assert states(doctor.packages) == ["ok"]
    installed["numpy"] = "0.1"
    assert f"numpy 0.1 (locked: {locked['numpy']})" in told(doctor.packages)
    assert states(doctor.packages) == ["note"]
    installed["einops"] = None
    assert states(doctor.packages) == ["problem", "note"]
    assert "not installed: einops\npip install -r requirements.txt" in told(doctor.packages)


def test_the_build_of_a_version_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promise.importlib.metadata, "version", lambda _: "2.13.0+cpu")
    assert promise.installed("torch") == "2.13.0"


def test_a_machine_that_keeps_the_promise_is_told_with_its_kernels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(promise, "_gpu", lambda: iter(()))
    if numerics.current().reproducible:
        assert states(doctor.same_bytes) == ["ok"]
        assert "torch AVX2, NumPy AVX2, OpenBLAS in numpy Haswell" in told(doctor.same_bytes)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("kernels", {"torch": "AVX512", "OpenBLAS in scipy": "SkylakeX"}, "kernels for SkylakeX"),
        ("kernels", {"torch": "DEFAULT"}, "torch took its kernels for DEFAULT, not AVX2"),
        ("kernels", {"torch": "AVX2"}, "NumPy has another BLAS than OpenBLAS"),
        ("installed", None, "torch None, locked is"),
        ("REQUIREMENTS", Path("none.txt"), "none.txt is missing"),
        ("CONDA", Path("other.yml"), "other.yml has 2.7"),
    ],
)
def test_why_the_promise_is_not_kept_is_told_with_what_to_do(
    name: str, value: object, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = numerics.Numerics(True, numerics.PROMISE)
    monkeypatch.setattr(promise.numerics, "current", lambda: kept)
    Path("other.yml").write_text("dependencies: [python=2.7]")
    replacement = value if isinstance(value, Path) else lambda *_: value
    monkeypatch.setattr(promise, name, replacement)
    assert set(states(doctor.same_bytes)) == {"note"}
    assert reason in told(doctor.same_bytes)
    assert all(finding.advice for finding in doctor.same_bytes())


@pytest.mark.parametrize("reason", ["this processor has no AVX2", "numpy had been loaded before"])
def test_a_promise_that_numerics_cannot_keep_is_told_once(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numerics, "current", lambda: numerics.Numerics(False, reason))
    assert states(doctor.same_bytes) == ["note"]
    assert reason in told(doctor.same_bytes)


def test_a_lock_that_does_not_fit_the_tree_is_told_file_by_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert states(doctor.committed_lock) == ["note"]  # the copy has none
    monkeypatch.setattr(lock, "misfits", lambda: [])
    assert states(doctor.committed_lock) == ["ok"]
    monkeypatch.setattr(lock, "misfits", lambda: ["mgsl/spans.py is not what train ran with"])
    assert "mgsl/spans.py is not what" in told(doctor.committed_lock)


def test_an_old_python_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "version_info", (3, 11, 9, "final", 0))
    assert states(doctor.python) == ["ok"]
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 1, "final", 0))
    assert told(doctor.python) == "problem Python 3.10.1\ninstall Python 3.11 or newer"


def test_a_python_that_is_not_tested_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "version_info", (3, 99, 0, "final", 0))
    assert "note Python 3.99.0 is not tested\nit may work; tested is" in told(doctor.python)


def test_a_folder_that_is_not_the_repository_is_a_problem(elsewhere: Path) -> None:
    (elsewhere / "requirements.txt").unlink()
    (elsewhere / "params.yaml").unlink()
    assert states(doctor.packages) == ["problem"]
    assert states(doctor.parameters) == ["problem"]
    assert "repository's root" in told(doctor.packages)
    assert "repository's root" in told(doctor.parameters)


def test_a_misspelt_parameter_is_a_problem(elsewhere: Path) -> None:
    assert states(doctor.parameters) == ["ok"]
    text = (elsewhere / "params.yaml").read_text()
    (elsewhere / "params.yaml").write_text(text.replace("drop_last:", "drop_lsat:"))
    assert states(doctor.parameters) == ["problem"]
    assert "drop_lsat: unknown key; did you mean 'drop_last'?" in told(doctor.parameters)


@pytest.mark.parametrize(("free_gb", "state"), [(100, "ok"), (3, "note"), (0.2, "problem")])
def test_little_disk_space_is_told(
    free_gb: float, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil._ntuple_diskusage(10**12, 0, int(free_gb * 1e9))  # type: ignore[attr-defined]
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    assert states(doctor.disk) == ["ok", state]


def test_a_folder_that_cannot_be_written_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    assert states(doctor.disk)[0] == "problem"
    assert "Permission denied" in told(doctor.disk)


def test_the_doctor_leaves_nothing_behind(elsewhere: Path) -> None:
    before = sorted(elsewhere.rglob("*"))
    for check in (doctor.disk, doctor.places, doctor.published_files):
        list(check())
    assert sorted(elsewhere.rglob("*")) == before


def test_published_files_are_missing_then_mirrored_then_cached(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "charades_actions: of 1 files 1 missing" in told(doctor.published_files)
    assert "MGSL_MIRROR" in told(doctor.published_files)
    assert "owner/name/file.txt" in told(doctor.published_files)
    mirror = elsewhere / "mirror"
    (mirror / "owner/name").mkdir(parents=True)
    (mirror / "owner/name/file.txt").write_bytes(CONTENT)
    monkeypatch.setenv("MGSL_MIRROR", str(mirror))
    assert "ok charades_actions: of 1 files 1 mirrored" in told(doctor.published_files)
    sources.fetch([SOURCE], elsewhere / "raw")
    sources.cached(SOURCE).parent.mkdir(parents=True, exist_ok=True)
    sources.cached(SOURCE).write_bytes(CONTENT)
    assert "ok charades_actions: of 1 files 1 cached" in told(doctor.published_files)
    assert "1 files, 0.0 MB" in told(doctor.places)


def test_a_damaged_file_is_a_problem(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = elsewhere / "mirror"
    (mirror / "owner/name").mkdir(parents=True)
    (mirror / "owner/name/file.txt").write_bytes(CONTENT[::-1])
    monkeypatch.setenv("MGSL_MIRROR", str(mirror))
    assert "problem charades_actions: of 1 files 1 damaged" in told(doctor.published_files)
    assert SOURCE.sha256 in told(doctor.published_files)


def test_a_mirror_that_is_no_folder_is_told_once(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGSL_MIRROR", str(elsewhere / "nowhere"))
    assert states(doctor.places)[0] == "problem"
    assert "nowhere" in told(doctor.places)
    assert states(doctor.published_files) == []


def test_the_embedded_dataset_needs_nothing() -> None:
    assert "ok embedded: generated, comes with the package" in told(doctor.published_files)


def test_torch_and_the_tools_are_found() -> None:
    assert states(doctor.device) == ["ok"]
    assert "problem" not in states(doctor.tools)  # the copy is no repository: a note


@pytest.mark.parametrize("lacking", ["git", "dvc"])
def test_a_missing_tool_is_a_problem(lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_succeeds", lambda *command: lacking not in command)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None if name == lacking else name)
    assert "problem" in states(doctor.tools)
    assert lacking in told(doctor.tools)


def test_features_that_a_person_must_place_are_noted(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MGSL_FEATURES", str(elsewhere))
    assert set(states(doctor.features_by_hand)) == {"note"}
    with h5py.File(elsewhere / "tacos_c3d.hdf5", "w"):
        pass
    (elsewhere / "activitynet_c3d.hdf5").touch()
    assert "problem activitynet_c3d: features in" in told(doctor.features_by_hand)
    assert f"ok tacos_c3d: features in {elsewhere}/tacos_c3d.hdf5" in told(doctor.features_by_hand)
    assert f"{elsewhere}/charades_i3d.hdf5" in told(doctor.features_by_hand)


@pytest.mark.parametrize(
    ("answer", "state", "fine"), [(True, "reachable", True), (False, "missing", False)]
)
def test_every_source_is_listed_with_where_it_is_to_be_had(
    answer: bool,
    state: str,
    fine: bool,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    mirrored = replace(SOURCE, path="mirrored.txt")
    damaged = replace(SOURCE, path="damaged.txt", sha256="", git_blob="0" * 40, size=None)
    mirror = elsewhere / "mirror"
    (mirror / "owner/name").mkdir(parents=True)
    for source in (mirrored, damaged):
        (mirror / source.place).write_bytes(CONTENT)
    monkeypatch.setenv("MGSL_MIRROR", str(mirror))
    monkeypatch.setattr(sources, "reachable", lambda _: answer)
    monkeypatch.setattr(sources, "catalogue", lambda: [SOURCE, mirrored])
    assert doctor.list_sources() is fine
    output = capsys.readouterr().out
    assert f"{state:<9}           9  owner/name/file.txt  (charades_actions)" in output
    assert "mirrored            9  owner/name/mirrored.txt" in output
    monkeypatch.setattr(sources, "catalogue", lambda: [damaged])
    assert not doctor.list_sources()
    assert "has git blob id" in capsys.readouterr().out


def test_without_a_network_it_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def refuse(source: sources.Source) -> bool:
        asked.append(source)
        raise requests.ConnectionError

    monkeypatch.setattr(sources, "reachable", refuse)
    monkeypatch.setattr(sources, "catalogue", lambda: [SOURCE, replace(SOURCE, path="b.txt")])
    assert not doctor.list_sources()
    assert len(asked) == 1
    assert "2 missing, the network cannot be reached" in capsys.readouterr().out
