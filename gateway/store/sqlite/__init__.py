"""SQLite behind the store's ports: file, migrate, engine, errors."""
