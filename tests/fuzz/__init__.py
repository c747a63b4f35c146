"""Coverage-guided fuzzing of the SMS codec, and its corpus."""
