"""The endings of PostgreSQL's objects, before those of compression and encryption."""

PLAIN = ".sql"
CUSTOM = ".dump"
GLOBALS = ".globals.sql"
