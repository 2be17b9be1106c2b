"""Vocabulary: targets, names, trees, errors. Imports nothing of ours from above."""
