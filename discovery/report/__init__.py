"""What people read when a backtest or a campaign is done: tables in the terminal, one self-contained page in HTML.

Both show the same grids, made once in `grids`. Next in the tour: `discovery.cli`.
"""
