"""A training run: from a job to a run directory with a finished model in it."""

from __future__ import annotations

import platform
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch

from nmt.data.batching import CHUNK_PAIRS, TrainingBatches, evaluation_batches
from nmt.errors import UserError, enough_memory
from nmt.evaluation import Scores
from nmt.models.seq2seq import Seq2Seq, build
from nmt.search import Beam, Greedy
from nmt.training.checkpoint import LAST
from nmt.training.config import Precision
from nmt.training.corpus import Corpus, read_corpus
from nmt.training.finish import finish, how_to_go_further, is_written
from nmt.training.interruption import terminable
from nmt.training.job import Job
from nmt.training.loop import Trainer
from nmt.training.memory import batches_an_epoch, largest_batches
from nmt.training.precision import has_bf16, resolve_precision
from nmt.training.processes import ONE_PROCESS, Processes
from nmt.training.randomness import seed_generators
from nmt.training.reporting import Reporter
from nmt.training.run_directory import CHECKPOINTS, TOKENIZER, check_run_directory, held, write_settings, write_tokenizers
from nmt.training.teachers import load_teachers
from nmt.training.validation import Validator, evenly
from nmt.translator import forbidden_ids

_VALIDATION_TOKENS = 4000  # in a batch of the validation set
_FEW_PASSES = 15  # with 9, less dropout was worth more than all else; with 32 it was worth nothing


@terminable()
def run_training(job: Job, processes: Processes = ONE_PROCESS) -> Scores | None:
    """Train, and leave config.yaml, train.log, metrics.jsonl, tensorboard/, checkpoints/ and model/ in the run directory.

    Returns the finished model's scores on the validation set; None if the run to go on with was finished already, which is
    said. Whatever the user got wrong is a ``UserError``; nothing is written to the run directory before the data has been
    read and the largest batch tried. Each of the ``processes`` is given the same job.
    """
    with ExitStack() as end:
        if processes.is_leader:
            check_run_directory(Path(job.run_dir), job.resume)
            if job.resume:
                end.enter_context(held(Path(job.run_dir)))
        return _run(job, processes, end)


def _run(job: Job, processes: Processes, end: ExitStack) -> Scores | None:
    """``run_training``, which holds the directory of a run that goes on; that of a new one is held to the ``end``, too."""
    run_dir = Path(job.run_dir)
    job.check()
    device = processes.device(job.device)
    if job.num_threads is not None:
        torch.set_num_threads(job.num_threads)
    described = describe(device, processes.size)
    seed_generators(job.seed)
    reporter = Reporter(job.training.progress, silent=not processes.is_leader)
    precision = resolve_precision(job.training.precision, device)
    reporter.line(f"device {described}, {precision}, torch {torch.__version__}")
    if precision is Precision.bf16 and not has_bf16(device):
        reporter.line("warning: this device is not known to have instructions for bf16, and without them fp32 is faster")
    if job.schedule.warmup_steps >= job.training.max_steps:
        steps = f"{job.schedule.warmup_steps} of {job.training.max_steps}"
        reporter.line(f"warning: the warm-up takes {steps} steps, so the learning rate has no time after its peak")
    corpus = read_corpus(job, run_dir / TOKENIZER, reporter, processes)
    forbidden_ids(job.search, corpus.tokenizers.target)  # one that does not exist shows now, not when all is trained
    model = build(job.model, len(corpus.tokenizers.source), len(corpus.tokenizers.target), corpus.tokenizers.joint).to(device)
    reporter.line(f"model: {model.parameter_count:,} parameters, {job.model.describe()}")
    if not job.resume:
        _tell_passes(job, corpus, reporter)
    processes.diverge(job.seed)
    trainer = _trainer(job, corpus, model, reporter, device, processes)
    if job.resume:
        trainer.resume()
        if not processes.agree_on(trainer.state.progress.step):
            raise UserError("all processes must go on from the same checkpoint, but some read another one: share `run_dir`")
        reporter.line(f"resumed at step {trainer.state.progress.step}")
        if processes.broadcast(trainer.finished and is_written(job, trainer)):
            reporter.line(how_to_go_further(job, trainer))
            return None
    trainer.rehearse(largest_batches(corpus.encoded, job.training.batch_tokens, job.training.batch_sentences))
    processes.wait()  # nothing is written unless all have room
    if not job.resume:
        if processes.is_leader:
            end.enter_context(held(run_dir))
            check_run_directory(run_dir, job.resume)  # another run may have begun there meanwhile
            write_tokenizers(run_dir, corpus.tokenizers)
        trainer.save(LAST)
    if processes.is_leader:
        write_settings(run_dir, job.config_yaml)  # from here on it holds a run that can go on
        reporter.open(run_dir, trainer.state.progress.step)
    # An update splits its batches; what else needs memory can't.
    with enough_memory(
        "model, optimiser and validation must fit into memory, but do not: go on with `resume=true` and a lower "
        "`training.validation_beam`, or begin anew with smaller sizes in `model`"
    ):
        trainer.run()
    with enough_memory(
        "the search must fit into memory, but does not: training is done, and `resume=true` with a lower `search.beam_size` "
        "writes the model"
    ):
        return finish(job, corpus, trainer, described)


def _tell_passes(job: Job, corpus: Corpus, reporter: Reporter) -> None:
    """How often the corpus is passed decides how much dropout pays."""
    training = job.training
    batches = training.max_steps * training.accumulate
    passes = batches / batches_an_epoch(corpus.encoded, training.batch_tokens, training.batch_sentences)
    reporter.line(f"{training.max_steps:,} updates: {passes:.1f} passes over the training set")
    if passes < _FEW_PASSES and max(job.model.dropout, job.model.embedding_dropout) > 0.1:
        less = "`model.dropout=0.1 model.embedding_dropout=0.1 model.word_dropout=0`"
        reporter.line(f"note: in less than {_FEW_PASSES} passes little is learned by heart, and {less} may learn more")


def describe(device: torch.device, processes: int = 1) -> str:
    """The device as a person knows it, the first one of several processes."""
    cpu = f"{platform.machine()}, {torch.get_num_threads()} threads"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu
    return f"{device} ({name})" + (f" in each of {processes} processes" if processes > 1 else "")


def _trainer(job: Job, corpus: Corpus, model: Seq2Seq, reporter: Reporter, device: torch.device, processes: Processes) -> Trainer:
    training = job.training
    batches = TrainingBatches(
        corpus.encoded,
        corpus.tokenizers,
        training.batch_tokens,
        job.seed,
        training.subword_alpha,
        pin=device.type == "cuda",
        samplers=_samplers(len(corpus.encoded), device),
        batch_sentences=training.batch_sentences,
    )
    limit = training.validation_sentences
    validator = Validator(
        batches=evaluation_batches(corpus.encoded_validation, _VALIDATION_TOKENS),
        sources=evenly(corpus.validation.sources(), limit),
        references=evenly(corpus.validation.targets(), limit),
        tokenizers=corpus.tokenizers,
        search=Greedy() if training.validation_beam == 1 else Beam(beam_size=training.validation_beam),
        target_language=job.data.target,
        tokenize=training.validation_tokenize,
        device=device,
        max_source_length=job.max_source_length,
        processes=processes,
    )
    languages = job.data.source, job.data.target
    teachers, fingerprint = load_teachers(training.teachers, languages, corpus.tokenizers, device)
    if not processes.agree_on(fingerprint):
        raise UserError("all processes must learn from the same `training.teachers`, but some found others: share their folders")
    if teachers:
        reporter.line(f"teachers: {len(teachers)}, {training.distillation:g} of the loss")
    fingerprints = replace(corpus.fingerprints, teachers=fingerprint)
    checkpoints = Path(job.run_dir) / CHECKPOINTS
    return Trainer(
        training, job.schedule, model, batches, validator, reporter, checkpoints, device, fingerprints, processes, teachers
    )


def _samplers(pairs: int, device: torch.device) -> int:
    """0 for what is sampled in a moment; one samples faster than a CPU trains, but not than a GPU does."""
    if pairs <= CHUNK_PAIRS:
        return 0
    return 1 if device.type == "cpu" else 4
