"""What the laboratory remembers: one DuckDB file with campaigns, measurements, proposals, trials, evidence and models.

The only room that opens the database, and the only stateful thing in the project. Next in the tour:
`discovery.store.store`.
"""

from discovery.store.connection import store_path
from discovery.store.records import (
    CampaignRow,
    IngestReport,
    Lease,
    MeasurementRow,
    ModelVersion,
    ProposalRow,
    TrialRow,
)
from discovery.store.store import Store

__all__ = [
    "CampaignRow",
    "IngestReport",
    "Lease",
    "MeasurementRow",
    "ModelVersion",
    "ProposalRow",
    "Store",
    "TrialRow",
    "store_path",
]
