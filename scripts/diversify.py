"""Train a model on its corpus and on translations of it, by models of both directions: data diversification (Nguyen et al.
2020, https://arxiv.org/abs/1911.01986), which needs nothing but the corpus.

    python scripts/diversify.py DIR [--teachers N] [--teacher SETTING=VALUE …] SETTING=VALUE …

Settings are those of `nmt train`, for all models; those of --teacher are for the teachers alone. DIR gets their runs, `forward1`
and `backward1` (from the target's language to the source's) and so on; in `synthetic` what they make of the training set, each
pair a real sentence and its translation; and in `student` the run of the model that learns from all. Stopped, the same
command goes on with the run or the translation that it was at; a run that was begun keeps its settings, and a translation that
is done stays: delete it from `synthetic` if its model has learned more since.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from nmt.atomic import atomic_directory
from nmt.cli import main as nmt
from nmt.cli import report
from nmt.cli.overrides import in_grammar
from nmt.data.config import DataConfig
from nmt.data.corpus import load_pairs
from nmt.errors import UserError
from nmt.translator import Translator

_WINDOW = 4096  # sentences translated at a time


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", metavar="DIR", type=Path, help="where all runs go")
    parser.add_argument("--teachers", type=int, default=1, metavar="N", help="models of each direction, of seeds 1 to N (1)")
    parser.add_argument("--teacher", action="append", default=[], metavar="SETTING=VALUE", help="a setting of the teachers alone")
    parser.add_argument("settings", metavar="SETTING=VALUE", nargs="*", help="settings of `nmt train`")
    chosen = parser.parse_intermixed_args()
    if chosen.teachers < 1:
        parser.error(f"--teachers must be at least 1, but is {chosen.teachers} instead")
    for setting in (*chosen.settings, *chosen.teacher):
        if setting.partition("=")[0] in ("run_dir", "resume", "data.synthetic"):
            parser.error(f"settings must leave run_dir, resume and data.synthetic alone, but there is {setting}")
    try:
        diversify(chosen.directory, chosen.settings, [*chosen.settings, *chosen.teacher], chosen.teachers)
    except UserError as error:
        sys.exit(report(error))
    except KeyboardInterrupt:
        sys.exit(130)


def diversify(directory: Path, settings: Sequence[str], of_teachers: Sequence[str], teachers: int) -> None:
    """All runs, in ``directory``."""
    learned = _learned_from(directory / "student")
    if learned is not None and len(learned) != 2 * teachers:
        raise UserError(
            f"`--teachers` must be {len(learned) // 2}, as `{directory / 'student'}` was begun with, but is {teachers} instead"
        )
    synthetic = []
    for number in range(1, teachers + 1):
        seeded = [*of_teachers, f"seed={number}"]
        forward = train(directory / f"forward{number}", seeded)
        settled = OmegaConf.load(forward / "config.yaml")
        data, tokenizers = DataConfig(**settled.data), settled.tokenizer
        swapped = [f"data.source={data.target}", f"data.target={data.source}"]
        if tokenizers.source_path is not None:
            swapped += [f"tokenizer.source_path={tokenizers.target_path}", f"tokenizer.target_path={tokenizers.source_path}"]
        backward = train(directory / f"backward{number}", [*seeded, *swapped])
        for teacher in (forward, backward):
            folder = directory / "synthetic" / teacher.name
            if not folder.exists():
                translate(teacher, data, folder)
            synthetic.append(str(folder / "pairs"))
    train(directory / "student", [*settings, f"data.synthetic={in_grammar(synthetic)}"])


def _learned_from(student: Path) -> Sequence[str] | None:
    """What pairs a student was begun with; None if there is none yet."""
    config = student / "config.yaml"
    return list(OmegaConf.load(config).data.synthetic) if config.is_file() else None


def train(run_dir: Path, settings: Sequence[str]) -> Path:
    """Begin the run, or go on with what is left of it."""
    going_on = (run_dir / "config.yaml").is_file()
    code = nmt(["train", f"run_dir={run_dir}", *(["resume=true"] if going_on else settings)])
    if code:
        sys.exit(code)
    return run_dir


def translate(teacher: Path, data: DataConfig, folder: Path) -> None:
    """Write `pairs.SOURCE` and `pairs.TARGET`: what the teacher makes of one side of the training set, and that side.

    Pairs that are in the training set already are left out.
    """
    translator = Translator.from_pretrained(teacher / "model", str(OmegaConf.load(teacher / "config.yaml").device))
    real = load_pairs(data, data.train)
    sources, targets = real.sources(), real.targets()
    is_forward = teacher.name.startswith("forward")
    read = sources if is_forward else targets
    part = folder.with_name(f"{folder.name}.part")
    written = translations(translator, read, part)
    made = zip(read, written, strict=True) if is_forward else zip(written, read, strict=True)
    known = set(zip(sources, targets, strict=True))
    new = [pair for pair in made if pair not in known]
    with atomic_directory(folder) as partial:
        for side, language in enumerate((data.source, data.target)):
            lines = (_one_line(pair[side]) for pair in new)
            (partial / f"pairs.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    part.unlink()


def translations(translator: Translator, texts: Sequence[str], part: Path) -> list[str]:
    """Of all ``texts``; they are kept in ``part`` window by window, and those that are there already are not done again."""
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("a+b") as file:
        file.seek(0)
        lines = file.read().split(b"\n")[:-1]
        del lines[len(lines) // _WINDOW * _WINDOW :]
        file.truncate(sum(len(line) + 1 for line in lines))
        written = [line.decode() for line in lines]
        for start in range(len(written), len(texts), _WINDOW):
            window = [_one_line(str(translation)) for translation in translator.translate(texts[start : start + _WINDOW])]
            file.write("".join(f"{line}\n" for line in window).encode())
            file.flush()
            written += window
            print(f"{part.stem}: {len(written):,} of {len(texts):,} sentences translated", file=sys.stderr)
    return written


def _one_line(text: str) -> str:
    return " ".join(text.split("\n"))


if __name__ == "__main__":
    main()
