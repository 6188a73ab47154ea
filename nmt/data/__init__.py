"""Corpora in, batches of ids out."""
