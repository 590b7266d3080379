"""Real servers for the tests, the demo and the benchmarks: README.md beside this file."""
