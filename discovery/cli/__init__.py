"""The command line: one file per noun, each command a few calls into the library, heavy imports inside commands.

Results go to stdout, progress and errors to stderr. Next in the tour: `discovery.cli.main`.
"""
