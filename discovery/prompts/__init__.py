"""Prompt templates (``*.j2``) and their rendering; a user's folder overrides them one by one, by file name."""
