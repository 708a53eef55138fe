"""Replays of measured campaigns, few-shot scores, and the methods that are compared.

Nothing here proposes experiments to a laboratory: a method is shown the outcomes of the rows that it has chosen and
no others, and what it did is written as the JSON of the command line's contract. Next in the tour: `discovery.report`.
"""
