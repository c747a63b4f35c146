"""Running channels: lanes builds them, supervise keeps them; budgets, balance, ussd, traces."""
