"""A small adapter for the sandbox's tests: float64 numbers in, as many int64 out."""

import numpy


def answer(function, payload, parameters):
    values = numpy.frombuffer(payload, dtype="<f8").copy()
    return numpy.asarray(function(values, **parameters), dtype="<i8").tobytes()
