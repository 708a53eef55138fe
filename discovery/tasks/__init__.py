"""Tasks: functions to learn, from history and from simulators, one by one and as padded batches.

Next in the tour: `discovery.meta`.
"""

from discovery.tasks.distribution import TaskDistribution
from discovery.tasks.history import HistoryDistribution, HistoryTasks, MeasurementSource, read_history
from discovery.tasks.task import Task, TaskBatch

__all__ = [
    "HistoryDistribution",
    "HistoryTasks",
    "MeasurementSource",
    "Task",
    "TaskBatch",
    "TaskDistribution",
    "read_history",
]
