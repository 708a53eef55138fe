"""Closed-loop discovery campaigns: a meta-learned belief proposes, people review, the laboratory measures.

`import discovery` loads neither torch nor Prefect; heavy rooms are imported where they are used.
Next in the tour: `discovery.session`.
"""

__version__ = "0.1.0"
