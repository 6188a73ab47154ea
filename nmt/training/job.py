"""The training job: from a configuration to a run directory with a finished model in it."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

import nmt
from nmt.atomic import synchronise
from nmt.data.batching import CHUNK_PAIRS, TrainingBatches
from nmt.data.corpus import DataConfig, Pairs, load_pairs
from nmt.data.encoded import EncodedPairs, cached_tokenizers
from nmt.errors import UserError
from nmt.evaluation import Scores, bleu, score
from nmt.model_directory import EVALUATION, SEARCH, SHORTEST_LIMIT, read_search, save_model_directory
from nmt.models.config import ModelConfig
from nmt.models.seq2seq import Seq2Seq, build
from nmt.plain_data import read_json
from nmt.search import Beam, Greedy, SearchStrategy
from nmt.tokenizer import TokenizerConfig, TokenizerKind, TokenizerPair
from nmt.training.card import Facts, write_card
from nmt.training.checkpoint import LAST, Fingerprints, has_checkpoint
from nmt.training.config import TrainingConfig
from nmt.training.distributed import ONE_PROCESS, Processes
from nmt.training.interruption import terminable
from nmt.training.loop import Trainer
from nmt.training.memory import is_out_of_memory, largest_batches
from nmt.training.randomness import seed_generators
from nmt.training.reporting import Reporter, duration
from nmt.training.schedule import Schedule
from nmt.training.validation import Validator, translate
from nmt.translator import Translator


@dataclass
class Job:
    """All that a training run is told. ``config_yaml`` is the resolved configuration as text, kept in the run directory."""

    run_dir: str
    resume: bool
    seed: int
    device: str
    num_threads: int | None
    data: DataConfig
    tokenizer: TokenizerConfig
    model: ModelConfig
    training: TrainingConfig
    schedule: Schedule
    search: SearchStrategy
    config_yaml: str


@dataclass
class _Corpus:
    train: Pairs
    validation: Pairs
    tokenizers: TokenizerPair
    encoded: EncodedPairs
    encoded_validation: EncodedPairs


@terminable()
def run_training(job: Job, processes: Processes = ONE_PROCESS) -> Scores | None:
    """Train, and leave config.yaml, train.log, metrics.jsonl, tensorboard/, checkpoints/ and model/ in the run directory.

    Returns the finished model's scores on the validation set; None if the run to go on with was finished already, which is
    said. Whatever the user got wrong is a ``UserError``; nothing is written to the run directory before the data has been
    read and the largest batch tried. Each of the ``processes`` is given the same job.
    """
    run_dir = Path(job.run_dir)
    if processes.is_leader:
        _check_run_directory(run_dir, job.resume)
    device = processes.device(job.device)
    if job.num_threads is not None:
        torch.set_num_threads(job.num_threads)
    seed_generators(job.seed)
    reporter = Reporter(job.training.progress, silent=not processes.is_leader)
    reporter.line(f"device {describe(device, processes.size)}, {job.training.precision}, torch {torch.__version__}")
    with processes.leader_first():
        corpus = _read(job, run_dir, reporter)
    _check_same(corpus, processes)
    model = build(job.model, len(corpus.tokenizers.source), len(corpus.tokenizers.target), corpus.tokenizers.joint).to(device)
    reporter.line(f"model: {_parameters(model):,} parameters, {job.model.describe()}")
    processes.diverge(job.seed)
    trainer = _trainer(job, run_dir, corpus, model, reporter, device, processes)
    _check_scoring(job, corpus.validation)
    if job.resume:
        trainer.resume()
        if len(set(processes.gather(trainer.state.progress.step))) > 1:
            raise UserError("all processes must go on from the same checkpoint, but some read another one: share `run_dir`")
        reporter.line(f"resumed at step {trainer.state.progress.step}")
        if trainer.finished and _is_written(run_dir / "model", job, trainer):
            reporter.line(_how_to_go_further(job, trainer))
            return None
    trainer.rehearse(largest_batches(corpus.encoded, job.training.batch_tokens, job.training.batch_sentences))
    processes.wait()  # nothing is written unless all have room
    if not job.resume:
        _begin(run_dir, corpus.tokenizers, trainer)
    if processes.is_leader:
        _write_settings(run_dir, job.config_yaml)
        reporter.open(run_dir, trainer.state.progress.step)
    try:
        trainer.run()
        return _finish(job, run_dir, corpus, trainer, reporter, device)
    except RuntimeError as error:  # an update splits its batches; what else needs memory can't
        if not is_out_of_memory(error):
            raise
        raise UserError(
            "model, optimiser and validation must fit into memory, but do not: begin anew with smaller sizes in `model`, "
            "or with a lower `training.validation_beam`"
        ) from error


def describe(device: torch.device, processes: int = 1) -> str:
    """The device as a person knows it, the first one of several processes."""
    cpu = f"{platform.machine()}, {torch.get_num_threads()} threads"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu
    return f"{device} ({name})" + (f" in each of {processes} processes" if processes > 1 else "")


def _check_run_directory(run_dir: Path, resume: bool) -> None:
    if (run_dir / "config.yaml").exists() and not resume:
        begun = has_checkpoint(run_dir / "checkpoints")
        way = "add `resume=true` to go on with it" if begun else "it has no checkpoint, remove it"
        raise UserError(f"`run_dir` must be a new directory, but `{run_dir}` holds a run already: {way}")
    if resume and not has_checkpoint(run_dir / "checkpoints"):
        raise UserError(f"`resume=true` needs a run with a checkpoint, but `{run_dir}` has none")


def _check_scoring(job: Job, validation: Pairs) -> None:
    """What would fail only after hours of training fails now: a tokeniser that is missing, a penalty without attention."""
    reference = validation.targets()[:1]
    bleu(reference, reference, tokenize=job.training.validation_tokenize, target_language=job.data.target)
    if not job.model.has_attention and asdict(job.search).get("coverage_penalty"):
        raise UserError("`search.coverage_penalty` must be 0 for a model without attention, but is above 0 instead")


def _read(job: Job, run_dir: Path, reporter: Reporter) -> _Corpus:
    """Read the corpus, train or load the tokenizers, encode both splits; say what was dropped."""
    train = load_pairs(job.data, job.data.train)
    validation = load_pairs(job.data, job.data.validation)
    tokenizers = TokenizerPair.load(run_dir / "tokenizer") if job.resume else cached_tokenizers(train, job.tokenizer)
    encoded = EncodedPairs.from_pairs(train, tokenizers, job.data.max_length)
    encoded_validation = EncodedPairs.from_pairs(validation, tokenizers, job.data.max_length)
    reporter.line(
        f"train: {len(encoded):,} pairs ({train.dropped_blank} with a blank side and {encoded.dropped_long}"
        f" over {job.data.max_length} pieces left out); validation: {len(validation):,} pairs"
        f" ({validation.dropped_blank} with a blank side left out, {encoded_validation.dropped_long} over"
        f" {job.data.max_length} pieces not in the loss)"
    )
    kind = "joint" if tokenizers.joint else f"source, {len(tokenizers.target)} target"
    reporter.line(f"tokenizer: {len(tokenizers.source)} {kind} pieces")
    return _Corpus(train, validation, tokenizers, encoded, encoded_validation)


def _check_same(corpus: _Corpus, processes: Processes) -> None:
    """Processes that read different files would train on nonsense without a word."""
    read = (corpus.train.fingerprint, corpus.validation.fingerprint, *corpus.tokenizers.fingerprints)
    processes.wait()  # longer than gathering does, for those that read from a slow disk
    if len(set(processes.gather(read))) > 1:
        raise UserError("all processes must read the same corpus and tokenizers, but some found others: share `data.path`")


def _begin(run_dir: Path, tokenizers: TokenizerPair, trainer: Trainer) -> None:
    """Make the run directory, but for its config.yaml: one that has it holds a run that can go on."""
    if trainer.processes.is_leader:
        with _writing(run_dir):
            (run_dir / "tokenizer").mkdir(parents=True, exist_ok=True)
            tokenizers.save(run_dir / "tokenizer")
            for file in (*(run_dir / "tokenizer").iterdir(), run_dir / "tokenizer"):
                synchronise(file)
    trainer.save(LAST)


def _write_settings(run_dir: Path, config_yaml: str) -> None:
    with _writing(run_dir):
        new = run_dir / ".config.yaml.saving"
        new.write_text(config_yaml, encoding="utf-8")
        synchronise(new)
        new.replace(run_dir / "config.yaml")
        synchronise(run_dir)


@contextmanager
def _writing(run_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror
        raise UserError(f"`run_dir` must be a directory that can be written to, but `{run_dir}` is not: {reason}") from error


def _subword_alpha(job: Job) -> float:
    """The strength of subword sampling, whose meaning depends on the kind of vocabulary."""
    bpe = job.tokenizer.kind is TokenizerKind.bpe
    alpha = job.training.subword_alpha
    if alpha is None:
        return 0.1 if bpe else 0.5
    if bpe and alpha >= 1:
        raise UserError(f"`training.subword_alpha` must be below 1 for BPE, but is {alpha} instead")
    return alpha


def _samplers(pairs: int, device: torch.device) -> int:
    """0 for what is sampled in a moment; one samples faster than a CPU trains, but not than a GPU does."""
    if pairs <= CHUNK_PAIRS:
        return 0
    return 1 if device.type == "cpu" else 4


def _max_source_length(job: Job) -> int:
    """What the translator cuts longer sources at."""
    return max(SHORTEST_LIMIT, job.data.max_length)


def _trainer(
    job: Job,
    run_dir: Path,
    corpus: _Corpus,
    model: Seq2Seq,
    reporter: Reporter,
    device: torch.device,
    processes: Processes,
) -> Trainer:
    training = job.training
    batches = TrainingBatches(
        corpus.encoded,
        corpus.tokenizers,
        training.batch_tokens,
        job.seed,
        _subword_alpha(job),
        pin=device.type == "cuda",
        samplers=_samplers(len(corpus.encoded), device),
        batch_sentences=training.batch_sentences,
    )
    search = Greedy() if training.validation_beam == 1 else Beam(beam_size=training.validation_beam)
    validator = Validator.from_pairs(
        corpus.validation,
        corpus.encoded_validation,
        corpus.tokenizers,
        search,
        job.data.target,
        training.validation_tokenize,
        training.validation_sentences,
        device,
        _max_source_length(job),
        processes,
    )
    texts = (corpus.train.fingerprint, corpus.validation.fingerprint)
    fingerprints = Fingerprints(*texts, *corpus.tokenizers.fingerprints)
    checkpoints = run_dir / "checkpoints"
    return Trainer(training, job.schedule, model, batches, validator, reporter, checkpoints, device, fingerprints, processes)


def _is_written(model: Path, job: Job, trainer: Trainer) -> bool:
    """Whether ``model`` is what the finished training gave, with the job's search."""
    evaluation = model / EVALUATION
    if not evaluation.exists():
        return False
    written, progress = read_json(evaluation), trainer.state.progress
    steps = (written.get("step"), written.get("steps"))
    return steps == (progress.best_step, progress.step) and read_search(model / SEARCH) == job.search


def _how_to_go_further(job: Job, trainer: Trainer) -> str:
    training, step = job.training, trainer.state.progress.step
    if step >= training.max_steps:
        return f"this run is finished at step {step}: `training.max_steps` above that lets it go further"
    how = f"`training.patience` above {training.patience}, or 0 for no end,"
    return f"this run is finished at step {step}, as BLEU grew no more: {how} lets it go further"


def _finish(job: Job, run_dir: Path, corpus: _Corpus, trainer: Trainer, reporter: Reporter, device: torch.device) -> Scores:
    """Score the best model on the validation set with the job's search, and write the model directory."""
    steps, seconds = trainer.state.progress.step, trainer.state.progress.seconds
    best_step = trainer.restore_best()
    translator = Translator(trainer.model, corpus.tokenizers, job.search, device, _max_source_length(job))
    translations = translate(translator, corpus.validation.sources(), trainer.processes)
    references = corpus.validation.targets()
    scores = score(translations, references, tokenize=job.training.validation_tokenize, target_language=job.data.target)
    if not trainer.processes.is_leader:
        return scores
    languages = (job.data.source, job.data.target)
    facts = Facts(
        languages=languages,
        corpus=job.data.path or str(job.data.form),
        pairs=len(corpus.encoded),
        parameters=_parameters(trainer.model),
        best_step=best_step,
        steps=steps,
        minutes=seconds / 60,
        device=describe(device, trainer.processes.size),
        version=nmt.__version__,
        config_yaml=job.config_yaml,
    )
    save_model_directory(
        run_dir / "model",
        job.model,
        trainer.model,
        corpus.tokenizers,
        job.search,
        languages=languages,
        max_source_length=_max_source_length(job),
        evaluation={
            "validation": scores.to_json(),
            "step": best_step,
            "steps": steps,
            "data": {"train": corpus.train.fingerprint, "validation": corpus.validation.fingerprint},
        },
        card=write_card(facts, job.model, scores),
    )
    reporter.line(f"trained {steps} steps in {duration(seconds)}; best at step {best_step}; model in {run_dir / 'model'}")
    reporter.line(f"validation BLEU {scores.bleu.score:.2f}  {scores.bleu.signature}")
    return scores


def _parameters(model: Seq2Seq) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
