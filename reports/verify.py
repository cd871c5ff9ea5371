"""Co-verification of the RTL's units: what to run, and the runs."""

from __future__ import annotations

import shlex
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from reports.rtl_backend import sources_told
from rtl_models.processes import SILENCE
from rtl_models.toolchain import find_toolchain, require_modules
from sim.datapath import TrainingDatapath
from sim.errors import InputError, whole_number, writable

if TYPE_CHECKING:
    from rtl_models.benches.bench import Configuration, Result

TRANSACTIONS = 5000
"""Outputs compared, by default, under each configuration: enough for every bench to close its coverage."""
MOST_TRANSACTIONS = 10**8
SHOWN = 4
"""Failed configurations of a unit that get waves and a picture."""


class Request(msgspec.Struct, frozen=True):
    """What is to be verified: a unit under some configurations, in one simulation.

    Attributes:
        unit: name of the unit.
        configurations: its parameters, as `rtl_models.benches.bench.Configuration`.
        seed: of the stimuli.
        transactions: outputs to compare under each configuration.
        source: the datapath as it was named, None for the unit's default configurations.
        rtl: folder of the sources, None for the package's own.
        dut: the TOML file of a module of the user's that stands for the unit, None for the unit itself.
    """

    unit: str
    configurations: list[Any]
    seed: int
    transactions: int = TRANSACTIONS
    source: str | None = None
    rtl: Path | None = None
    dut: Path | None = None

    @property
    def label(self) -> str:
        """The unit, or the user's module, as messages and folders name it."""
        return self.unit if self.dut is None else self.configurations[0].name

    def rerun(self, configuration: str) -> str:
        """Return the command line that repeats one configuration, or all of them, with the same stimuli."""
        stimuli = ["--seed", str(self.seed), "-n", str(self.transactions)]
        if self.dut is not None:
            return shlex.join(["bittrue", "verify", "--dut", str(self.dut), *stimuli])
        is_one = self.source is None and any(one.name == configuration for one in self.configurations)
        words = ["bittrue", "verify", *([] if self.source is None else [self.source]), "--unit", self.unit]
        words += ["--configuration", configuration] if is_one else []
        words += stimuli
        words += [] if self.rtl is None else ["--rtl", str(self.rtl)]
        return shlex.join(words)


class Finding(msgspec.Struct):
    """A result, and what was made of it.

    Attributes:
        result: of the bench.
        rerun: the command line that repeats just this.
        shows_parameters: whether the table names the parameters rather than the configuration.
        waves: file of all signals over time, empty if there is none.
        picture: file of the picture of the cycles before the first difference, empty if there is none.
    """

    result: Result
    rerun: str
    shows_parameters: bool = False
    waves: str = ""
    picture: str = ""


def default_seed(name: str) -> int:
    """Return the seed of stimuli where none is given: one that only the name decides, of a unit or of a test.

    Example:
        >>> default_seed("requantizer") != default_seed("mac")
        True
    """
    return zlib.crc32(name.encode()) & 0xFFFF


def require_sources(rtl: Path | None) -> None:
    """Refuse a folder without SystemVerilog.

    Raises:
        InputError: if there is none.
    """
    from rtl_models.elaborate import sources

    if rtl is not None and not sources(rtl):
        raise InputError(f"rtl: got {str(rtl)!r}; allowed: a folder of SystemVerilog sources")


def requests(
    units: Sequence[str] = (),
    datapath: TrainingDatapath | None = None,
    *,
    source: str | None = None,
    configuration: str | None = None,
    seed: int | None = None,
    transactions: int = TRANSACTIONS,
    rtl: Path | None = None,
) -> list[Request]:
    """Return what is to be verified.

    Args:
        units: names of units; all of them by default, or all that the datapath uses.
        datapath: sets the parameters; by default every unit's own list of configurations.
        source: the datapath as the user named it, for the command line that repeats a failure.
        configuration: one of a unit's list instead of all.
        seed: of the stimuli; by default the unit's name decides.
        transactions: outputs to compare under each configuration.
        rtl: folder of the sources in place of the package's.

    Raises:
        InputError: for a name that does not exist, a datapath that a unit cannot realise, or a missing tool.
    """
    require_modules()
    from rtl_models.benches.units import BENCHES, CONFIGURATIONS

    _check_stimuli(seed, transactions)
    require_sources(rtl)
    for unit in units:
        unit_name(unit)
    if configuration is not None and (len(units) != 1 or datapath is not None):
        raise InputError(f"configuration: got {configuration!r}; allowed: with one --unit and without a datapath")
    found = []
    for unit in dict.fromkeys(units or BENCHES):
        if datapath is None:
            chosen = CONFIGURATIONS[unit]
            if configuration is not None:
                chosen = [one for one in chosen if one.name == configuration]
            if not chosen:
                names = ", ".join(one.name for one in CONFIGURATIONS[unit])
                raise InputError(f"configuration: got {configuration!r}; allowed: {names}")
        elif units or not BENCHES[unit].unused(datapath):
            chosen = [of_datapath(unit, datapath)]
        else:
            continue
        number = default_seed(unit) if seed is None else seed
        found.append(Request(unit, list(chosen), number, transactions, source, rtl))
    return found


def foreign_request(dut: Path, *, seed: int | None = None, transactions: int = TRANSACTIONS) -> Request:
    """Return what is to be verified of a module of the user's.

    Args:
        dut: the TOML file that binds it to a block.
        seed: of the stimuli; by default the name of the unit that it stands for decides.
        transactions: outputs to compare.

    Raises:
        InputError: for a bad file, sources that are refused, ports that do not fit the block, or a missing tool.
    """
    require_modules()
    from rtl_models.benches.foreign import foreign_bench
    from rtl_models.foreign import ForeignModule

    _check_stimuli(seed, transactions)
    bench = foreign_bench(ForeignModule.load(dut))
    number = default_seed(bench.unit_name) if seed is None else seed
    return Request(bench.unit_name, [bench.configuration], number, transactions, dut=dut)


def _check_stimuli(seed: int | None, transactions: int) -> None:
    whole_number("transactions", transactions, 1, MOST_TRANSACTIONS)
    if seed is not None:
        whole_number("seed", seed, 0, 2**32 - 1)


def unit_name(unit: str) -> str:
    """Return a unit's name.

    Raises:
        InputError: if no unit has it.
    """
    from rtl_models.benches.units import BENCHES

    if unit not in BENCHES:
        raise InputError(f"unit: got {unit!r}; allowed: {', '.join(BENCHES)}")
    return unit


def of_datapath(unit: str, datapath: TrainingDatapath) -> Configuration:
    """Return a unit's configuration under a datapath.

    Raises:
        InputError: if the unit cannot realise it.
    """
    from rtl_models.benches.bench import Configuration
    from rtl_models.benches.units import BENCHES

    reason = BENCHES[unit].unused(datapath)
    if reason:
        raise InputError(f"{datapath.name}: {reason}")
    configuration = Configuration(datapath.name, datapath)
    BENCHES[unit].benches([configuration])
    return configuration


def run_verification(
    wanted: Sequence[Request],
    folder: Path,
    *,
    waves: bool = False,
    silence: float = SILENCE,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Finding]:
    """Yield what every bench finds out; a failed configuration runs once more, alone and with waves.

    Of a unit, the first `SHOWN` that fail do; the others say so.

    Args:
        wanted: what to verify.
        folder: for waves and pictures; made when there is something to keep.
        waves: keep the waves of what passes too.
        silence: seconds for which the time of a simulation may stand still.
        tell: called with a line when something starts.

    Raises:
        InputError: if a tool is missing, or the simulator refuses the sources.
    """
    find_toolchain()
    for request in wanted:
        tell(f"{request.label}: building and running {len(request.configurations)} configurations")
        kept, failed = folder / request.label if waves else None, 0
        for result in _run(request, kept, silence):
            finding = Finding(result, request.rerun(result.configuration), request.source is not None)
            if kept is not None:
                finding.waves = str(kept / "dump.vcd")
            failed += bool(result.failed_at)
            if failed > SHOWN and result.failed_at:
                result.failure += f"\n  no waves, no picture: those of the first {SHOWN} failed configurations are kept"
            elif result.failed_at:
                tell(f"{request.unit} {result.configuration}: running it again with waves")
                _investigate(request, finding, folder, silence)
            yield finding


def _run(request: Request, folder: Path | None, silence: float) -> list[Result]:
    """Return the results of a request; a simulation that ends before its benches do is one failure of all."""
    from rtl_models.benches.bench import Result
    from rtl_models.elaborate import RTL
    from rtl_models.verification import verify, verify_foreign

    counts = [request.transactions] * len(request.configurations)
    if folder is not None:
        with writable(folder):
            folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        place = (folder or Path(temporary)).resolve()
        options: dict[str, Any] = {"folder": place, "waves": folder is not None, "silence": silence}
        try:
            with sources_told(request.rtl):
                if request.dut is not None:
                    return [verify_foreign(request.dut, request.transactions, request.seed, **options)]
                rtl = (request.rtl or RTL).resolve()
                return verify(request.unit, request.configurations, counts, request.seed, rtl=rtl, **options)
        except AssertionError as error:
            names = [one.name for one in request.configurations]
            name = names[0] if len(names) == 1 else f"all {len(names)} configurations"
            return [Result(request.unit, name, {}, request.seed, failure=str(error))]


def _investigate(request: Request, finding: Finding, folder: Path, silence: float) -> None:
    """Run a failed configuration alone, keep its waves, and draw the cycles before the first difference."""
    from reports.waveforms import draw_failure
    from rtl_models.benches.foreign import foreign_bench
    from rtl_models.benches.units import BENCHES
    from rtl_models.foreign import ForeignModule

    result = finding.result
    number = [one.name for one in request.configurations].index(result.configuration)
    alone = msgspec.structs.replace(request, configurations=[request.configurations[number]])
    place = folder / f"{request.label}-{number}"
    try:
        again = _run(alone, place, silence)[0]
    except InputError as error:
        result.failure += f"\n  no waves, no picture: {error}"
        return
    waves = place / "dump.vcd"
    if not (again.failure and again.failed_at and waves.exists()):
        result.failure += "\n  it does not fail when it runs alone: the unit depends on registers that no reset sets"
        return
    finding.waves, finding.picture = str(waves), str(place / "failure.svg")
    if request.dut is None:
        bench = BENCHES[alone.unit].benches(alone.configurations)[0]
    else:
        bench = foreign_bench(ForeignModule.load(request.dut))
    draw_failure(bench, again, waves, Path(finding.picture))
