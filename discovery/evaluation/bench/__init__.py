"""The benchmark: families of measured campaigns, methods replayed on every task of them, and what the paired runs say.

`families` holds what can be run, `suites` what a suite runs, `runner` makes and keeps the runs, `statistics` compares.
Nothing in here chooses experiments; replays go through `discovery.evaluation.backtest`.
"""
