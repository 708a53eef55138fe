"""Acquisition functions over a belief, and how they are maximized over pools and continuous spaces."""
