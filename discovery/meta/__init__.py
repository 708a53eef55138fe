"""Learners and what they learn: banks of fully specified members, checkpoints, meta-training and refinement."""
