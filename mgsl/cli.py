"""The command line: parses, then calls one function."""

import io
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mgsl import numerics, params, paths, processes, stages
from mgsl.errors import UserError

app = typer.Typer(
    name="python -m mgsl",
    help="""Reproduce MGSL-Net (AAAI 2022) and its rivals: temporal sentence grounding, rare words.

    `dvc repro` runs the stages below in order, and only those whose inputs changed.
    What they do is set in params.yaml.""",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

ANYWHERE = {"--help", "doctor"}  # what may be asked for in any folder
STAGES, TOOLS = "The road, stage by stage", "Tools"


class Device(StrEnum):
    """Where to compute."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Scale(StrEnum):
    """Of the sizes and recipes."""

    embedded = "embedded"
    paper = "paper"


DatasetOption = Annotated[str, typer.Option(help="A dataset of params.yaml.")]
NameOption = Annotated[str, typer.Option(help="A method or an ablation of params.yaml.")]
NamesOption = Annotated[
    str | None,
    typer.Option(help="A method or an ablation; without it all that params.yaml lists."),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the weights and of the order.")]
SeedsOption = Annotated[
    int | None, typer.Option(min=0, help="One seed; without it all that params.yaml lists.")
]
DeviceOption = Annotated[Device, typer.Option(help="Where to compute; auto takes CUDA if any.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command(rich_help_panel=STAGES)
def configure() -> None:
    """Check params.yaml; write what each stage is told to artifacts/configs."""
    stages.configure()


@app.command(rich_help_panel=STAGES)
def configure_studies() -> None:
    """Check studies/params.yaml; write what each stage of studies/dvc.yaml is told."""
    from mgsl import study_stages

    study_stages.configure()


@app.command(rich_help_panel=STAGES)
def download(dataset: DatasetOption) -> None:
    """Bring a dataset's published files together and verify their digests.

    Files come from the cache (MGSL_CACHE), from a mirror (MGSL_MIRROR), or from the network.
    """
    stages.download(dataset=dataset)


@app.command(rich_help_panel=STAGES)
def identify(
    dataset: DatasetOption,
    anew: Annotated[
        bool, typer.Option("--anew", help="Digest all of them, also if nothing seems changed.")
    ] = False,
) -> None:
    """Record by their content the features and word vectors that stand outside of the folder."""
    stages.identify(dataset=dataset, anew=anew)


@app.command(rich_help_panel=STAGES)
def prepare(dataset: DatasetOption) -> None:
    """Turn published files into queries, words, vectors and features."""
    stages.prepare(dataset=dataset)


@app.command(rich_help_panel=STAGES)
def train(
    dataset: DatasetOption,
    name: NamesOption = None,
    seed: SeedsOption = None,
    again: Annotated[
        bool, typer.Option("--again", help="Train anew what is finished and would be kept.")
    ] = False,
    device: DeviceOption = Device.auto,
) -> None:
    """Train, keep the best epochs, predict the test queries; as many at once as there are cores.

    A finished training is kept while its configuration, data and code are the same and its files
    are whole; a killed one goes on after its last epoch. Without --name and --seed, trainings that
    params.yaml does not list are removed. For several processes:
    `torchrun --nproc-per-node 2 -m mgsl train ...`.
    """
    stages.train(dataset=dataset, name=name, seed=seed, again=again, device=device.value)


@app.command(rich_help_panel=STAGES)
def evaluate(dataset: DatasetOption) -> None:
    """Score every run's predictions, rare and common, with intervals."""
    stages.evaluate(dataset=dataset)


@app.command(rich_help_panel=STAGES)
def inspect(dataset: DatasetOption, device: DeviceOption = Device.auto) -> None:
    """Look into trained memories: what their slots hold, and what damage to them costs.

    Of which methods and ablations, params.yaml says under `inspected`.
    """
    stages.inspect(dataset=dataset, device=device.value)


@app.command(rich_help_panel=STAGES)
def trace() -> None:
    """Tell what models are made of and cost, and how far they are from their released code.

    Nothing is trained, and of datasets nothing is read but configurations: it takes seconds.
    """
    stages.trace()


@app.command(rich_help_panel=STAGES)
def report(
    exhibit: Annotated[
        str | None, typer.Option(help="A notebook of notebooks/, without .ipynb; else all.")
    ] = None,
) -> None:
    """Run the notebooks of all exhibits and write the front page, reports/index.html.

    Tables, figures and pages go to reports/exhibits.
    """
    stages.report(exhibit=exhibit)


@app.command(rich_help_panel=TOOLS)
def index() -> None:
    """Write the front page and the numbers of README.md alone, from the pages that stand."""
    stages.index()


@app.command(rich_help_panel=TOOLS)
def predict(
    dataset: DatasetOption,
    name: NameOption,
    seed: SeedOption,
    output: Annotated[Path, typer.Option(help="The prediction file to write.")],
    device: DeviceOption = Device.auto,
) -> None:
    """Answer the test queries with a checkpoint that `train` kept."""
    stages.predict(dataset=dataset, name=name, seed=seed, device=device.value, output=output)


@app.command(rich_help_panel=TOOLS)
def score(
    dataset: DatasetOption,
    predictions: Annotated[Path, typer.Option(help="The file, in one of the forms above.")],
    against: Annotated[
        Path | None, typer.Option(help="Another file: say what the first scores more.")
    ] = None,
    targets: Annotated[
        params.Targets | None,
        typer.Option(help="Moments as published, or clamped: cut at the end of their video."),
    ] = None,
    nms: Annotated[
        str | None,
        typer.Option(help="none; per_metric: at m - 0.05; or at this THRESHOLD, such as 0.5."),
    ] = None,
    strict: Annotated[
        bool | None, typer.Option("--strict/--no-strict", help="A hit is tIoU > m, not >= m.")
    ] = None,
    missing: Annotated[
        params.Unanswered | None,
        typer.Option(help="A query without an answer: it is a miss, or the file is refused."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score any model's predictions for the test queries: all, rare, common and four bins.

    A file has JSON lines, or is a list of, `{"qid", "pred_relevant_windows": [[start_s, end_s,
    score], ...]}`, as of Moment-DETR, with "vid" and "query" where its ids are numbers of its own;
    or it is `{"results": {qid: [{"timestamp": [start_s, end_s], "score": x}, ...]}}`; gzipped or
    not. What is not set here is taken from `score` and `evaluation` of params.yaml.

    With --against, two files are compared query by query: the difference of each metric, its
    paired interval over queries, and p. The numbers that CBP and TGN print of themselves on
    Charades-STA: `--targets published --nms none --strict`.
    """
    from mgsl.tools import score

    settings = params.load(paths.PARAMS)
    rules = score.with_options(settings.evaluation, nms=nms, strict=strict)
    options = settings.score.with_changes(targets=targets, missing=missing)
    files = [predictions, *([against] if against else [])]
    scores = score.score(dataset, files, rules, options)
    print(json.dumps(score.as_json(scores), indent=2) if as_json else score.as_text(scores))


@app.command(rich_help_panel=TOOLS)
def split(
    dataset: Annotated[
        str | None, typer.Option(help="A dataset of params.yaml; without it, all annotations.")
    ] = None,
    output: Annotated[
        Path, typer.Option(help="The CSV to write; without --dataset, the folder of all.")
    ] = paths.SPLITS,
    part: Annotated[
        str, typer.Option("--split", help="train, val or test, if it was published.")
    ] = "test",
) -> None:
    """Write which queries are rare, as CSV: rarest word, its frequency, its bin.

    From the published annotations alone, under the reading of `preparation.rare` in params.yaml,
    which stands in the first lines. The repository has those of all benchmarks in splits/.
    """
    from mgsl.tools import split

    preparation = params.load(paths.PARAMS).preparation
    if dataset is None:
        split.write_all(output, preparation, paths.STUDIED)
    else:
        split.write(dataset, part, output, preparation, paths.STUDIED)


@app.command(rich_help_panel=TOOLS)
def ground(
    checkpoint: Annotated[Path, typer.Option(help="A checkpoint.safetensors of `train`.")],
    features: Annotated[
        Path, typer.Option(help="The video's clips, in order: .npy, .npz, .pt or HDF5, one array.")
    ],
    duration: Annotated[float, typer.Option(help="How long the video is, in seconds.")],
    query: Annotated[str, typer.Option(help="The sentence.")],
    as_json: JsonOption = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the moments on a timeline: .png, .svg or .pdf.")
    ] = None,
    device: DeviceOption = Device.auto,
) -> None:
    """Find the five best moments of a video of your own for a sentence.

    The features must be of the kind that the checkpoint was trained on, whose dataset is prepared.
    """
    from mgsl.tools import ground

    answer = ground.ground(
        checkpoint, features, duration_s=duration, query=query, device=device.value
    )
    if plot:
        from mgsl.reporting.draw import answers, figures

        figures.save_as(answers.draw(answer), plot)
    if as_json:
        print(json.dumps(ground.as_json(answer), indent=2))
    else:
        print(ground.as_text(answer))


@app.command(rich_help_panel=TOOLS)
def describe(
    dataset: Annotated[
        str | None, typer.Argument(help="A prepared dataset; without it, all annotations.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print counts, durations, moment lengths, word frequencies, rare and common shares.

    Without a dataset: published, clamped and dropped pairs of every dataset beside the printed
    counts, its rare share and the coverage of word vectors, from the annotations alone.
    """
    from mgsl.tools import describe

    if dataset is not None:
        described = describe.describe(paths.prepared(dataset))
        text = describe.as_text(described)
    else:
        from mgsl.reporting.read import published
        from mgsl.tools import pair_counts

        preparation = params.load(paths.PARAMS).preparation
        described = pair_counts.count(preparation, published.pairs(), paths.STUDIED)
        text = pair_counts.as_text(described)
    print(json.dumps(described, indent=2) if as_json else text)


@app.command(rich_help_panel=TOOLS)
def doctor(
    list_sources: Annotated[
        bool, typer.Option("--sources", help="List every published file, and ask the network.")
    ] = False,
) -> None:
    """Check the installation, the mirror, the cache and the sources."""
    from mgsl.tools import doctor

    if not (doctor.list_sources() if list_sources else doctor.examine()):
        raise typer.Exit(1)


@app.command(rich_help_panel=TOOLS)
def rehearse(
    dataset: DatasetOption,
    scale: Annotated[
        Scale | None, typer.Option(help="Of sizes and recipes; without it, that of params.yaml.")
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            help="A method or an ablation; repeatable, or several with commas between. Without it, "
            "all methods that params.yaml lists."
        ),
    ] = None,
    limit_s: Annotated[
        float, typer.Option("--limit-s", min=1, help="Seconds for each; what takes longer, stops.")
    ] = 600.0,
    device: DeviceOption = Device.auto,
) -> None:
    """Try a dataset's trainings before its features are fetched: memory, hours, what would fail.

    Published queries and made-up features of the real shape are prepared, as many videos as are
    needed; each method then takes a training step and an evaluation batch at the full sizes of its
    recipe, in a process of its own. No result is kept. Exit code 1 if one fails.
    """
    from mgsl.tools import rehearse

    settings = params.load(paths.PARAMS)
    good = rehearse.rehearse(
        settings,
        dataset=dataset,
        scale=scale.value if scale else settings.scale,
        names=[name for entry in methods or () for name in entry.split(",")],
        device=device.value,
        limit_s=limit_s,
    )
    if not good:
        raise typer.Exit(1)


@app.command(rich_help_panel=TOOLS)
def study(
    name: Annotated[
        str,
        typer.Argument(help="A study of studies/params.yaml, or `annotations` (three minutes)."),
    ] = "annotations",
    device: DeviceOption = Device.auto,
) -> None:
    """Write one of the studies that take too long for every run: numbers kept in reports/studies.

    **annotations** of the three benchmarks: rarity, no video, what people reach (needs the
    published annotations). All others are stages of studies/dvc.yaml, which trains what they
    compare: `dvc repro studies/dvc.yaml` makes what is out of date, and
    `dvc repro studies/dvc.yaml:study@tables_embedded` one of them.
    """
    from mgsl import study_stages

    if name == "annotations":
        study_stages.annotations()
    else:
        study_stages.study(name, device.value)


@app.command(rich_help_panel=TOOLS)
def plan() -> None:
    """List the studies of studies/params.yaml: trainings, what is left, how long it takes here."""
    from mgsl.studies import plan
    from mgsl.tools import outlook

    rows = outlook.outlook(params.load(paths.PARAMS), plan.load())
    typer.echo(outlook.as_text(rows))


@app.command(rich_help_panel=TOOLS)
def cost(
    keep: Annotated[
        bool, typer.Option("--keep", help="Write it for the exhibit of costs.")
    ] = False,
) -> None:
    """Collect the processor time that the trainings of both pipelines took here."""
    from mgsl.tools import spending

    typer.echo(spending.collect(keep=keep).to_string(index=False))


@app.command(rich_help_panel=TOOLS)
def verify(
    target: Annotated[
        list[str] | None,
        typer.Argument(help="Stages, as `dvc repro` takes them; else all of dvc.yaml."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the copy, for a look at what differs.")
    ] = False,
) -> None:
    """Run the pipeline again in a scratch copy; say which results agree to the byte.

    Of those that do not, it says how many agree within the noise of training, and which verdicts of
    claims changed. Takes as long as a first `dvc repro`. Nothing here is changed. Exit code 1 if
    bytes differ; on a machine that does not promise them (see `doctor`), if results lie outside
    the noise or cannot be compared.
    """
    from mgsl.tools import verify

    if not verify.verify(target or [], keep=keep):
        raise typer.Exit(1)


@app.command(rich_help_panel=TOOLS)
def efficiency(
    rounds: Annotated[int, typer.Option(min=3, help="How often each method is timed.")] = 20,
    seconds: Annotated[
        float, typer.Option(min=0, help="A method that has taken longer is timed three times.")
    ] = 20.0,
) -> None:
    """Time an answer of each method on this machine; the exhibit table_2 shows it.

    Small sizes and the paper's for TACoS; one query at a time and several; what comes before and
    after the method, too. Times go to reports/studies, which is kept in git, since no two runs give
    the same; what is counted (parameters, multiply-adds) is part of `dvc repro`.
    """
    stages.efficiency(rounds=rounds, seconds=seconds)


def main() -> None:
    """Run a command; show a UserError as its message, and say what promise is not kept."""
    processes.heed_signals()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a question mark for what a terminal lacks
    if not (met := numerics.current()).reproducible:
        print(f"warning: {met.label}", file=sys.stderr)
    try:
        arguments = set(sys.argv[1:])
        if arguments and not arguments & ANYWHERE:
            paths.refuse_other_folders()
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == processes.INTERRUPTED:
            print(
                "interrupted: nothing half-written is left; run it again to go on", file=sys.stderr
            )
        raise
    except OSError as error:
        print(f"error: {error}; nothing half-written is left", file=sys.stderr)
        sys.exit(1)
