"""The one orchestrator with I/O: what the command line, flows and the web call, and nothing below it.

`Campaign` ties the store to the pure rooms: it reads measurements, runs a cycle, stores proposals, carries out trials
and ingests results. Next in the tour: `discovery.ingest.readers` on the way in.
"""

from discovery.session.campaign import Campaign
from discovery.session.progress import CampaignProgress
from discovery.session.records import Decision, DecisionReport, Replay, ReviewReport

__all__ = ["Campaign", "CampaignProgress", "Decision", "DecisionReport", "Replay", "ReviewReport"]
