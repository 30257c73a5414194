"""Stage 1: candidate generation, one model a file on one contract."""
