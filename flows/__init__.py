"""Prefect flows over the library: one flow per file, named like the verb; the library itself knows nothing of Prefect.

Call `flows.runtime.prefect_runtime` before anything here imports Prefect. Next in the tour: `flows.campaign`.
"""
