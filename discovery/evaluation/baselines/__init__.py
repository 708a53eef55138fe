"""What a user would pick instead: other packages and standard models as methods of a backtest, one per file.

None of them learns from this project's simulators or hypotheses. Packages that are needed for them alone are optional
and loaded when a method is prepared. Next in the tour: `discovery.evaluation.methods`, whose tables name them.
"""
