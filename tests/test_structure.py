"""The house: imports go down the list, never in circles, and DVC knows what each stage imports."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from mgsl.tools import lock

STAGES = "mgsl.stages"
LAYERS = (  # each may import itself and what stands after it; all may import the plain modules
    "mgsl.__main__",
    "mgsl.cli",
    "mgsl.study_stages",
    STAGES,
    "mgsl.reporting.site",
    "mgsl.reporting.exhibits",
    "mgsl.reporting.draw",
    "mgsl.reporting.read",
    "mgsl.tools",
    "mgsl.studies",
    "mgsl.conformance",
    "mgsl.inspection",
    "mgsl.training",
    "mgsl.models",
    "mgsl.data",
    "mgsl.evaluation",
)
MAY_NOT_IMPORT = {  # beside that
    "mgsl.reporting": ["torch", "mgsl.models", "mgsl.training"],
    "mgsl.models": ["mgsl.data", "mgsl.evaluation"],
    "mgsl.models.memory": ["mgsl.models"],
    "mgsl.training": ["mgsl.evaluation"],
    "mgsl.data": ["mgsl.evaluation"],
    "mgsl.evaluation": ["torch"],
    "mgsl.spans": ["torch"],
}
PLUMBING = {  # of every stage: what it is told stands in its configuration, which is a dependency
    "mgsl": "the version",
    STAGES: "reads, calls, writes",
    "mgsl.paths": "where files lie",
    "mgsl.errors": "messages",
    "mgsl.files": "writes whole files or none",
    "mgsl.prepared": "refuses what `prepare`, which depends on it, has not written",
    "mgsl.processes": "starts and ends them; no two write the same",
    "mgsl.params": "the types of params.yaml",
    "mgsl.recipes": "those of how a method is trained",
    "mgsl.fields": "of numbers within their range",
    "mgsl.configs": "the types of the configuration",
    "mgsl.parsing": "checks it against them",
    "mgsl.lists": "and its lists",
    "mgsl.documents": "reads what is written",
    "mgsl.families": "which entries of params.yaml concern a dataset",
}
_READERS = [  # a dataset is one entry, and `prepare` reads what `download` brings
    "mgsl.data.annotations",
    "mgsl.data.embedded",
    "mgsl.data.planted",
    "mgsl.data.text",
    "mgsl.numerics",
    "mgsl.rarity",
]
NOT_RUN = {  # imported by a stage for what another one does: not followed
    "download": _READERS,
    "identify": _READERS,
    "report": ["mgsl.tools.ground", "mgsl.tools.ablation"],  # for a person, whom no exhibit has
}


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name; a folder's is its __init__."""
    return {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(Path("mgsl").rglob("*.py"))
    }


def imports(tree: ast.AST) -> dict[str, str]:
    """What is imported anywhere in a piece of code: its name there, and the module it is of."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                module = whole if whole in modules() else node.module
                names[alias.asname or alias.name] = module
        elif isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
    return names


@cache
def graph() -> dict[str, set[str]]:
    """What each module imports, of the package."""
    return {
        name: set(imports(ast.parse(path.read_text())).values()) & modules().keys()
        for name, path in modules().items()
    }


def inside(module: str, places: Iterable[str]) -> bool:
    return any(f"{module}.".startswith(f"{place}.") for place in places)


def closure(roots: Iterable[str], cut: Iterable[str] = ()) -> set[str]:
    """What is loaded for some modules, folders' __init__ among it, without what is cut off."""
    loaded: set[str] = set()
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        if module in graph() and module not in loaded and module not in cut:
            loaded.add(module)
            waiting += graph()[module]
            waiting += [module.rpartition(".")[0]] if "." in module else []
    return loaded


@cache
def stage_functions() -> dict[str, ast.FunctionDef]:
    tree = ast.parse(modules()[STAGES].read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def imported_by_stage(name: str) -> set[str]:
    """What the function of a stage imports, or uses of what `mgsl.stages` imports at its top."""
    tree = ast.parse(modules()[STAGES].read_text())
    top = imports(ast.Module([node for node in tree.body if not is_function(node)], []))
    functions, used = [name], set()
    for function in functions:  # grows
        node = stage_functions()[function]
        names = {leaf.id for leaf in ast.walk(node) if isinstance(leaf, ast.Name)}
        used |= {top[name] for name in names & top.keys()} | set(imports(node).values())
        functions += sorted(names & stage_functions().keys() - set(functions))
    return used


def is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef)


def needed_by_stage(title: str, method: str | None = None) -> set[str]:
    """The modules that decide what a stage writes; of the methods, for one of them alone."""
    roots = imported_by_stage(title)
    if title == "report":  # notebooks import exhibits
        roots |= {module for module in modules() if inside(module, ["mgsl.reporting"])}
    cut = {module for module in modules() if inside(module, NOT_RUN.get(title, []))}
    if method is not None:
        roots.add(f"mgsl.models.{method}")
        cut.add("mgsl.models")  # which looks up the one method
    return {
        module
        for module in closure(roots, cut) - PLUMBING.keys()
        if len(ast.parse(modules()[module].read_text()).body) > 1  # more than a docstring
    }


def covered(module: str, deps: Iterable[str]) -> bool:
    path = modules()[module].as_posix()
    return any(path == dep or path.startswith(f"{dep}/") for dep in deps)


def cells() -> list[tuple[str, frozenset[str]]]:
    """Every stage: its title, and what it depends on."""
    return [(name.partition("@")[0], stage.dependencies) for name, stage in lock.expanded().items()]


@pytest.mark.parametrize(("title", "deps"), cells(), ids=[*lock.expanded()])
def test_a_stage_depends_on_all_code_that_decides_what_it_writes(
    title: str, deps: frozenset[str]
) -> None:
    needed = needed_by_stage(title)
    assert not sorted(module for module in needed if not covered(module, deps))


def test_no_stage_depends_on_a_file_that_it_does_not_import() -> None:
    needed: Mapping[str, set[str]] = defaultdict(set)
    listed: Mapping[str, set[str]] = defaultdict(set)
    for title, deps in cells():
        needed[title] |= {modules()[module].as_posix() for module in needed_by_stage(title)}
        listed[title] |= {dep for dep in deps if re.match(r"mgsl/.*\.py$", dep)}
    for title, files in listed.items():
        plumbing = {modules()[module].as_posix() for module in PLUMBING}
        assert not files - needed[title] - plumbing, title


def test_imports_go_down_the_list() -> None:
    def layer(module: str) -> int:
        places = [place for place, name in enumerate(LAYERS) if inside(module, [name])]
        return places[0] if places else len(LAYERS)

    upward = {
        (module, imported)
        for module, names in graph().items()
        for imported in names
        if layer(imported) < layer(module)
    }
    assert not upward


@pytest.mark.parametrize("place", MAY_NOT_IMPORT)
def test_a_part_keeps_away_from_what_it_need_not_know(place: str) -> None:
    for module, path in modules().items():
        if inside(module, [place]):
            names = imports(ast.parse(path.read_text())).values()
            assert not [name for name in names if inside(name, MAY_NOT_IMPORT[place])], module


def test_imports_go_in_no_circle() -> None:
    list(TopologicalSorter(graph()).static_order())  # raises CycleError, which names the circle


def test_no_two_modules_have_one_name_and_no_two_classes() -> None:
    places: Mapping[str, set[str]] = defaultdict(set)
    for module, path in modules().items():
        if path.name != "__init__.py":
            places[path.stem].add(module)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[f"class {node.name}"].add(module)
    assert not {name: modules_of for name, modules_of in places.items() if len(modules_of) > 1}


def test_variables_are_called_by_what_they_hold() -> None:
    """What is found or chosen has a name of its own: `rows`, `config`, `path`."""
    kept = {  # another name would make trainings out of date
        "mgsl.data.loading": {"mine"},
        "mgsl.evaluation.predictions": {"asked"},
        "mgsl.models.parts.interactor": {"asked"},
        "mgsl.training.checkpoint": {"asked"},
    }
    for module in modules():
        vague = {"found", "chosen", "told", "seen", "mine", "asked"} - kept.get(module, set())
        for node in ast.walk(ast.parse(modules()[module].read_text())):
            if isinstance(node, ast.arg):
                assert node.arg not in vague, f"{module}, line {node.lineno}"
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                assert node.id not in vague, f"{module}, line {node.lineno}"
