"""Stage 3: scoring the candidates."""
