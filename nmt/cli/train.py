"""``nmt train``: a Hydra app around ``nmt.training.run.run_training``."""

import os
import sys
from collections.abc import Callable, Collection, Sequence
from itertools import filterfalse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig

from nmt.cli import of_system, report
from nmt.cli.compose import HYDRA_VERSION, config_directory, hydra_errors, register, to_settings
from nmt.cli.messages import wrong_choice
from nmt.cli.overrides import quote_text
from nmt.cli.resume import CHOICES, check_unchanged, saved_overrides, to_text
from nmt.config.train import TrainConfig
from nmt.errors import UsageError, UserError, enough_memory

if TYPE_CHECKING:  # `--help` and `--cfg` don't wait for it
    from nmt.training.job import Job

_MODEL_FITS = "the model and a batch must fit into memory, but do not: lower `training.batch_tokens`, or the sizes of `model`"


def run(arguments: Sequence[str]) -> int:
    """Train once, or in a sweep (``-m``) once for each combination of settings; returns the exit code.

    A job of a sweep that fails does not stop the others. Of several processes that torchrun started together, only the
    first reads the settings, and hands its job to the others: what depends on the moment is the same in all.
    """
    several = "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"
    return _run_together(arguments) if several else _run(arguments, _train)


def _train(job: "Job") -> Any:
    from nmt.training.run import run_training

    return run_training(job)


def _run_together(arguments: Sequence[str]) -> int:
    from nmt.training.distributed import several_processes
    from nmt.training.run import run_training

    jobs: list[Job] = []
    code = 0
    with several_processes() as processes:
        try:
            if processes.is_leader:
                if not {"-m", "--multirun"}.isdisjoint(arguments):
                    raise UsageError(f"`-m` must run in one process, but torchrun started {processes.size}")
                code = _run(arguments, jobs.append)
        finally:
            job = processes.broadcast(jobs[0] if jobs else None)
        if job is not None:
            run_training(job, processes)
    return code


def _run(arguments: Sequence[str], train: Callable[["Job"], Any]) -> int:
    sweep = not {"-m", "--multirun"}.isdisjoint(arguments)
    arguments = [_with_home(argument) for argument in arguments]
    overrides = []
    for override in filter(_is_override, arguments):
        # Every job of a sweep gets a folder of its own in run_dir, which has one value therefore.
        overrides += quote_text([override], TrainConfig, sweep=sweep and not override.startswith("run_dir="))
    run_dir = None
    if not sweep and _typed(overrides, "resume").lower() == "true":
        run_dir = _typed(overrides, "run_dir")
        if run_dir:
            overrides = saved_overrides(run_dir, overrides) + overrides
    with hydra_errors(TrainConfig):
        _check_recipe(overrides)
        fixed = _fixed_settings(overrides) if sweep else {}
    if "run_dir" in fixed:
        overrides.append(f"hydra.sweep.dir={fixed['run_dir']}")
    codes = [0]

    def job(config: DictConfig) -> Any:
        try:
            with enough_memory(_MODEL_FITS):
                return train(_job(config, fixed, run_dir))
        except (UserError, OSError) as error:
            codes.append(report(error if isinstance(error, UserError) else of_system(error)))
            return None

    with hydra_errors(TrainConfig):
        # Overrides first: Hydra's own parser does not take some before its options and some after.
        _run_hydra(job, [*overrides, *filterfalse(_is_override, arguments)])
    return max(codes)


def _typed(overrides: Sequence[str], name: str) -> str:
    """What was typed as the value of a setting, as Hydra reads it: the last one counts."""
    with hydra_errors(TrainConfig):
        typed = [override for override in overrides if override.partition("=")[0] == name]
        values = [override.value() for override in OverridesParser.create().parse_overrides(typed)]
    return str(values[-1]) if values else ""


def _check_recipe(overrides: Sequence[str]) -> None:
    """The recipe is optional in conf/train.yaml: Hydra takes a name that there is not for none. Raises ``UsageError``."""
    folder = Path(config_directory()) / "recipe"
    choices = sorted(str(file.relative_to(folder).with_suffix("")) for file in folder.rglob("*.yaml"))
    typed = [override for override in overrides if override.partition("=")[0] == "recipe"]
    for override in OverridesParser.create().parse_overrides(typed):
        swept = override.is_choice_sweep()
        for name in override.sweep_string_iterator() if swept else [override.value()]:
            if name not in ("null", *choices) and (swept or not override.is_sweep_override()):
                raise UsageError(wrong_choice("recipe", choices, name))


def _with_home(argument: str) -> str:
    """`run_dir=~/x` as other paths are read: not every shell puts in the home folder there."""
    name, is_setting, value = argument.partition("=")
    return f"{name}={os.path.expanduser(value)}" if is_setting and name == "run_dir" else argument


def _is_override(argument: str) -> bool:
    return "=" in argument and not argument.startswith("-")


def _run_hydra(job: Callable[[DictConfig], Any], arguments: Sequence[str]) -> None:
    register("train", TrainConfig, CHOICES)
    app = hydra.main(version_base=HYDRA_VERSION, config_path=config_directory(), config_name="train")(job)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise errors to us instead of printing them
    ours = sys.argv
    sys.argv = ["nmt train", *arguments]
    try:
        app()
    finally:
        sys.argv = ours


def _fixed_settings(overrides: list[str]) -> dict[str, str]:
    """The settings on the command line that all jobs of a sweep share, with their values in Hydra's grammar."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    last = {override.key_or_group: override for override in parsed}
    fixed = [override for override in last.values() if not override.is_sweep_override()]
    return {override.key_or_group: override.get_value_element_as_str() for override in fixed}


def _job(config: DictConfig, fixed: Collection[str], resumed: str | None) -> "Job":
    """What Hydra composed; ``resumed`` is the directory whose settings went into it."""
    from nmt.training.job import Job

    if HydraConfig.get().mode is RunMode.MULTIRUN:
        config.run_dir = os.path.join(config.run_dir, _job_name(HydraConfig.get().overrides.task, fixed))
    settings = to_settings(config, TrainConfig)
    if settings.resume and settings.run_dir != resumed:
        raise UsageError("`resume=true` must stand as such beside the `run_dir=DIR` of a run, but does not")
    config_yaml = to_text(config, settings)
    if settings.resume:
        check_unchanged(settings.run_dir, config_yaml)
    return Job(
        run_dir=settings.run_dir,
        resume=settings.resume,
        seed=settings.seed,
        device=settings.device.value,
        num_threads=settings.num_threads,
        data=settings.data,
        tokenizer=settings.tokenizer,
        model=settings.model,
        training=settings.training,
        schedule=settings.schedule,
        search=settings.search,
        config_yaml=config_yaml,
    )


def _job_name(overrides: Sequence[str], fixed: Collection[str]) -> str:
    """What sets a job of a sweep apart from the others, as the name of a folder: ``seed=2,training.max_steps=100``."""
    return ",".join(text.replace("/", "_") for text in sorted(overrides) if text.partition("=")[0] not in fixed)
