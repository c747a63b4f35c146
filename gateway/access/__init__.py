"""Who may come in, whichever door: passwords, and the turnstile that slows down guessers."""
