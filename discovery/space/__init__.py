"""The border between tables of raw values and the unit cube: encoding, constraints, candidates.

Next in the tour: `discovery.ingest`.
"""

from discovery.space.blocks import Block
from discovery.space.cells import CellFault
from discovery.space.measured import MeasuredPool
from discovery.space.pool import CandidatePool
from discovery.space.space import SearchSpace
from discovery.space.stream import Pool, StreamedPool
from discovery.space.union import AlignedSpace, align

__all__ = [
    "AlignedSpace",
    "Block",
    "CandidatePool",
    "CellFault",
    "MeasuredPool",
    "Pool",
    "SearchSpace",
    "StreamedPool",
    "align",
]
