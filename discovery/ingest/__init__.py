"""Files and rows into checked measurements: good rows may land, and every bad one says which cell is wrong and why.

Knows nothing of the store. Next in the tour: `discovery.ingest.readers`.
"""

from discovery.ingest.checks import check_rows
from discovery.ingest.readers import read_rows
from discovery.ingest.records import CheckedRows, ControlReading, RawRows, RejectedRow

__all__ = ["CheckedRows", "ControlReading", "RawRows", "RejectedRow", "check_rows", "read_rows"]
