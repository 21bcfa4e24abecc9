"""Hostile candidates as data, what they are tried on, and the defences that are switched off to see them bite."""
