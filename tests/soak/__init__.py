"""Bad weather at length: `python -m tests.soak --minutes 5 --seed 7`. Not part of the default run."""
