"""Training: loss, schedule, averaging, checkpoints, the loop, and the job that turns a configuration into a model directory."""
