"""
What things cost, beside what a user would pick instead: ``make bench``, or ``python -m benchmarks --help``.

Every module here but :mod:`~benchmarks.report` and :mod:`~benchmarks.programs` is a benchmark of its own, which can be
run alone too. A figure is worth something beside its peer only: both are measured in one run, taking turns in short
rounds, so that what else the machine does hits them alike.
"""
