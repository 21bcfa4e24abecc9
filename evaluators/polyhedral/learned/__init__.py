"""A learned cost model of schedules and a beam search by it, in the manner of LOOPer (Merouani et al. 2024).

The moves that the search and the training data know (``moves``), numbers that tell a schedule (``features``), the
model's trees (``trees``), its training from measured schedules (``training``), and the search (``beam``).
"""
