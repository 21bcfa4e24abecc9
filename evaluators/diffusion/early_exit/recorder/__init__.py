"""Records what a real masked-diffusion checkpoint does in full decoding (``discover record``, extra ``hf``).

:mod:`.questions` reads the data, :mod:`.checkpoint` loads the model, :mod:`.decoding` decodes and watches, and
:mod:`.session` goes through the questions and keeps the file.
"""
