"""The end of a run: the best model's scores, and its directory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nmt.evaluation import Scores, score
from nmt.model_directory import EVALUATION, ONNX, SEARCH, read_search, save_model_directory
from nmt.models.torch_model import TorchModel
from nmt.plain_data import read_json
from nmt.shortlist import Shortlist, learn_shortlist
from nmt.training.card import Facts, write_card
from nmt.training.corpus import Corpus
from nmt.training.job import Job
from nmt.training.loop import Trainer
from nmt.training.reporting import duration
from nmt.training.run_directory import MODEL
from nmt.training.validation import translate
from nmt.translator import Translator
from nmt.version import __version__

_MOST_PAIRS, _MOST_LINKS = 2**19, 2**25  # that the shortlist is learned from


def finish(job: Job, corpus: Corpus, trainer: Trainer, device: str) -> Scores:
    """Score the best model on the validation set with the job's search, and write the model directory.

    ``device`` is what its card names.
    """
    run_dir, reporter = Path(job.run_dir), trainer.reporter
    steps, seconds = trainer.state.progress.step, trainer.state.progress.seconds
    step = trainer.checkpoints.restore_best()
    is_best = step == trainer.state.progress.best_step
    translator = Translator(TorchModel(trainer.model, trainer.device), corpus.tokenizers, job.search, job.max_source_length)
    translations = translate(translator, corpus.validation.sources(), trainer.processes)
    references = corpus.validation.targets()
    scores = score(translations, references, tokenize=job.training.validation_tokenize, target_language=job.data.target)
    if not trainer.processes.is_leader:
        return scores
    if (run_dir / MODEL / ONNX).exists():
        reporter.line("what `nmt export` wrote was of the model before: export again")
    languages = (job.data.source, job.data.target)
    facts = Facts(
        languages=languages,
        corpus=job.data.path or str(job.data.form),
        pairs=len(corpus.encoded),
        parameters=trainer.model.parameter_count,
        step=step,
        is_best=is_best,
        steps=steps,
        minutes=seconds / 60,
        device=device,
        version=__version__,
        config_yaml=job.config_yaml,
    )
    save_model_directory(
        run_dir / MODEL,
        job.model,
        trainer.model,
        corpus.tokenizers,
        job.search,
        languages=languages,
        max_source_length=job.max_source_length,
        evaluation={
            "validation": scores.to_json(),
            "step": step,
            "steps": steps,
            "data": {"train": corpus.train.fingerprint, "validation": corpus.validation.fingerprint},
        },
        shortlist=_shortlist(corpus),
        card=write_card(facts, job.model, scores),
    )
    kept = f"best at step {step}" if is_best else f"the weights are those of step {step}"
    reporter.line(f"trained {steps} steps in {duration(seconds)}; {kept}; model in {run_dir / MODEL}")
    reporter.line(f"validation BLEU {scores.bleu.score:.2f}  {scores.bleu.signature}")
    return scores


def _shortlist(corpus: Corpus) -> Shortlist:
    """From as many pairs as a minute and 500 MB allow."""
    encoded, tokenizers = corpus.encoded, corpus.tokenizers
    rng = np.random.default_rng(0)
    few = len(encoded) <= _MOST_PAIRS
    members = np.arange(len(encoded)) if few else np.unique(rng.integers(len(encoded), size=_MOST_PAIRS))
    sources, targets = encoded.ids(members)
    order = rng.permutation(len(members))
    enough = order[np.cumsum((sources.lengths * targets.lengths)[order]) <= _MOST_LINKS]
    sides = sources.take(enough), targets.take(enough)
    return learn_shortlist(*sides, len(tokenizers.source), len(tokenizers.target), tokenizers.joint)


def is_written(job: Job, trainer: Trainer) -> bool:
    """Whether the model directory is what the finished training gave, with the job's search."""
    model = Path(job.run_dir) / MODEL
    evaluation = model / EVALUATION
    if not evaluation.exists():
        return False
    steps = read_json(evaluation).get("steps")
    return steps == trainer.state.progress.step and read_search(model / SEARCH) == job.search


def how_to_go_further(job: Job, trainer: Trainer) -> str:
    """What to say of a run that has come to its end."""
    progress, ways = trainer.state.progress, []
    if progress.step >= job.training.max_steps:
        ways.append("`training.max_steps` above that")
    if trainer.out_of_patience:
        ways.append(f"`training.patience` above {progress.bad_validations}, or 0 for no end,")
    reason = ", as BLEU grew no more" if trainer.out_of_patience else ""
    verb = "let" if len(ways) > 1 else "lets"
    return f"this run is finished at step {progress.step}{reason}: {' and '.join(ways)} {verb} it go further"
