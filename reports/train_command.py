"""The command `bittrue train`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live

from algorithms.readers import SOURCES
from algorithms.training import DEFAULT_BACKEND, algorithm_names
from reports.options import DatapathArgument, JsonOption
from sim.errors import InputError, whole_number, writable

TRAINING = ("step", "epoch_length", "epochs")
"""Parameters that every algorithm has."""
_data, _training, _zipml, _result = (
    partial(typer.Option, rich_help_panel=panel) for panel in ("Data", "Algorithm", "ZipML", "Results")
)


def train(
    datapath: DatapathArgument = None,
    data: Annotated[
        str,
        _data("--data", help=f"A shipped data set ({', '.join(SOURCES)}), or the path of a file."),
    ] = "reference",
    loss: Annotated[str | None, _data(help="What is minimised; by default the data set's.")] = None,
    ridge: Annotated[float | None, _data(help="λ of the ridge term.")] = None,
    target: Annotated[str | None, _data(help="Column or key of the targets in a file.")] = None,
    center: Annotated[bool | None, _data("--center/--no-center", help="Subtract each column's mean.")] = None,
    scale: Annotated[str | None, _data(help="none, largest, column or unit_variance.")] = None,
    bias: Annotated[bool | None, _data("--bias/--no-bias", help="Append a column of ones.")] = None,
    drop_constant: Annotated[
        bool | None,
        _data("--drop-constant/--keep-constant", help="Leave out constant columns."),
    ] = None,
    held_out: Annotated[str | None, _data(help="Rows for the accuracy: none, test or fold.")] = None,
    folds: Annotated[int | None, _data(help="Number of folds, with --held-out fold.")] = None,
    fold: Annotated[int | None, _data(help="The fold that is held out, counted from 0.")] = None,
    split_seed: Annotated[int | None, _data(help="Seed of the shuffle before folding.")] = None,
    algorithm: Annotated[str, _training(help=f"One of {', '.join(algorithm_names())}.")] = "halp",
    step: Annotated[float | None, _training(help="Step size α; by default the data set's.")] = None,
    epoch_length: Annotated[int | None, _training(help="Inner steps an epoch, T.")] = None,
    epochs: Annotated[int | None, _training(help="Number of epochs.")] = None,
    gamma: Annotated[
        float | None,
        _training(help="γ: step and length that are not given come from theory."),
    ] = None,
    mu: Annotated[float | None, _training(help="HALP's μ: the offset spans ‖∇f‖/μ.")] = None,
    delta: Annotated[float | None, _training(help="δ of LP-SGD and LP-SVRG: the model's last bit.")] = None,
    option: Annotated[str, _training(help="Next centre: I, the last iterate, or II, a random one.")] = "I",
    power_of_two: Annotated[bool, _training("--power-of-two", help="HALP's scales are powers of two.")] = False,
    sampling: Annotated[
        str,
        _zipml(help="Roundings of a row a step takes: double, naive, symmetric, polynomial, refetch, nearest, full."),
    ] = "double",
    sample_bits: Annotated[int | None, _zipml(help="Bits of a rounding of a value.")] = None,
    levels: Annotated[str, _zipml(help="What rows are rounded to: uniform or optimal levels.")] = "uniform",
    model_bits: Annotated[int | None, _zipml(help="Bits of zipml_float's model; by default it is not rounded.")] = None,
    gradient_bits: Annotated[int | None, _zipml(help="Bits of zipml_float's gradients, likewise.")] = None,
    degree: Annotated[int | None, _zipml(help="Degree of the polynomial of --sampling polynomial.")] = None,
    radius: Annotated[float | None, _zipml(help="Largest margin that polynomial is made for.")] = None,
    averaged: Annotated[bool, _zipml("--averaged", help="Report the mean of zipml_float's later iterates.")] = False,
    seed: Annotated[int, _training(help="Every random choice is a function of it.")] = 0,
    backend: Annotated[
        str, _training(help="kernel (compiled), reference (Python integers) or rtl (the circuit).")
    ] = DEFAULT_BACKEND,
    json: JsonOption = None,
    figure: Annotated[Path, _result(help="Picture of the run.")] = Path("train.png"),
    profile: Annotated[
        Path | None,
        _result(metavar="FILE.json", help="Write what every node held to this file, and its picture beside it."),
    ] = None,
) -> None:
    """Train on a datapath, bit for bit as the circuit does, and draw the run."""
    from algorithms.data import prepare
    from algorithms.multiclass import OneVsRest
    from algorithms.points import LARGEST_EPOCH
    from algorithms.trace import EpochRecord
    from algorithms.training import algorithm_of
    from algorithms.training import train as run_training
    from reports.command_line import datapath_of, out
    from reports.figures import check_figure_path, draw_traces
    from reports.files import check_writable, write_json
    from reports.profile import Collector, draw_profile, picture_of, profile_table
    from reports.tables import closing_line, epochs_table

    check_figure_path(figure)
    picture = picture_of(profile, figure, json) if profile is not None else None
    check_writable(figure, json, profile, picture)
    if epoch_length is not None:
        whole_number("epoch_length", epoch_length, 1, LARGEST_EPOCH)
    chosen = algorithm_of(algorithm)
    if profile is not None and not chosen.on_engine:
        raise InputError(f"profile: got {str(profile)!r}; allowed: none, since {algorithm} does not run on the engine")
    path = datapath_of(datapath) if chosen.on_engine or datapath is not None else None
    problem, settings = prepare(
        data, loss, ridge, target=target, center=center, scale=scale, bias=bias, drop_constant=drop_constant,
        held_out=held_out, folds=folds, fold=fold, split_seed=split_seed,
    )  # fmt: skip
    given: dict[str, Any] = {"step": step, "epoch_length": epoch_length, "epochs": epochs, "mu": mu, "delta": delta}
    if settings is not None:
        known = {name for name in given if name in (*TRAINING, *chosen.own) and (gamma is None or name == "epochs")}
        given = {name: getattr(settings, name) if value is None and name in known else value
                 for name, value in given.items()}  # fmt: skip
    if given["epochs"] is None:
        raise InputError("epochs: got none; allowed: a whole number")
    kind = ", one-vs-rest" if isinstance(problem, OneVsRest) else ""
    arithmetic = f"datapath {path.name}" if path else "float32" if algorithm.endswith("32") else "float64"
    title = f"{algorithm} on {problem.name} {problem.shape}{kind}, {arithmetic}"
    records: list[EpochRecord] = []
    collector = Collector()
    with Live(epochs_table(title, records), console=out, auto_refresh=False, transient=True) as live:

        def show(record: EpochRecord) -> None:
            records.append(record)
            if out.is_terminal:
                live.update(epochs_table(title, records), refresh=True)

        trace = run_training(
            problem, algorithm, path, gamma=gamma, option=option, power_of_two=power_of_two, sampling=sampling,
            sample_bits=sample_bits, levels=levels, model_bits=model_bits, gradient_bits=gradient_bits,
            degree=degree, radius=radius, averaged=averaged, seed=seed,
            backend=backend, on_epoch=show, on_result=collector.add, profiled=profile is not None, **given,
        )  # fmt: skip
    out.print(epochs_table(title, records))
    out.print(closing_line(trace))
    if json is not None:
        write_json(json, trace.to_dict())
        out.print(f"trace: {json}", highlight=False, markup=False, soft_wrap=True)
    draw_traces([trace], figure)
    out.print(f"figure: {figure}", highlight=False, markup=False, soft_wrap=True)
    if profile is not None and picture is not None:
        held = collector.total(records)
        out.print(profile_table(held))
        with writable(profile):
            held.save(profile)
        draw_profile(held, picture)
        out.print(f"profile: {profile}, {picture}", highlight=False, markup=False, soft_wrap=True)
