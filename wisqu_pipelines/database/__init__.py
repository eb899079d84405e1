"""The databases: declarative bases, sessions, transactions."""
