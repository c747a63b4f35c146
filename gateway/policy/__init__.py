"""Rules of who may get what, and when: decision, subject, chain, rules; beside them texts and words of replies."""
