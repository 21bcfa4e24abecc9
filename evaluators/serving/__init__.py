"""Serving of language models on simulated accelerators."""
