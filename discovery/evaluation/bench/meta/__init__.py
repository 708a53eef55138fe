"""Checks of the families of meta-learning, one file each; `frame` says what a check takes and gives."""
