"""The campaign's laboratory: trials are carried out, and results come in, asked for or not."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

from discovery.errors import InputError
from discovery.experiments import Adapter, adapter_for, carry_out
from discovery.ingest import read_rows
from discovery.session.base import CampaignPart
from discovery.session.controls import keep_controls
from discovery.session.failures import Failure, fail_proposal, keep_failures
from discovery.session.happenings import note_results
from discovery.session.results import link_by_key, reported_rows
from discovery.session.staging import link_by_stage
from discovery.store import IngestReport, TrialRow

if TYPE_CHECKING:
    import pandas as pd

    from discovery.ingest import CheckedRows


class Laboratory(CampaignPart):
    """How experiments are made and their results ingested."""

    @cached_property
    def _adapter(self) -> Adapter:
        return adapter_for(self.spec, self.space)

    def experiment(self, owner: str | None = None, adapter: Adapter | None = None) -> list[TrialRow]:
        """Carry out every approved proposal that has no result yet; what was recorded is never run again.

        Trials that a laboratory has and has not answered yet are asked after; where it needs longer than the file says
        (`experiment.wait`) they stay, are counted in `progress().n_running`, and the next call asks on.

        Args:
            owner: Who carries it out; default this process.
            adapter: What carries it out; default what the campaign file says, on this machine.

        Returns:
            The trials that ended in this call: running ones with their reports, failed and abandoned ones.

        Raises:
            ConfigurationError: If the campaign file names no experiment, or what it says does not work: a program that
                is not there, an address or a secret that the laboratory refuses.
            LeaseError: If another live process carries one out.
        """
        adapter = adapter or self._adapter
        ids = self._book().to_run["proposal_id"].tolist()
        return carry_out(self.store, ids, adapter, self.spec, owner)

    def ingest_results(self) -> IngestReport:
        """Turn what trials have reported into measurements; a second time changes nothing.

        A report that does not fit the campaign, because its file has changed since, ends its trial for good.
        """
        source = "experiment" if self.spec.experiment is None else f"experiment:{self.spec.experiment.type}"
        with self.store.transaction():
            rows = reported_rows(self.store, self.spec)
            if rows.empty:
                return IngestReport(0, 0, 0, ())
            checked = self.check(read_rows(rows))
            report = self.store.add_measurements(self.name, checked, source, self._other_keys())
            note_results(self, report)
            for row_number, cells in groupby(checked.rejected, lambda cell: cell.row_number):
                reason = "; ".join(f"{cell.column} {cell.reason}, got {cell.value}" for cell in cells)
                self.store.fail_trial(rows["trial_id"].iloc[row_number - 1], reason, retryable=False)
        return report

    def tell(self, results: str | os.PathLike[str] | pd.DataFrame, source: str | None = None) -> IngestReport:
        """Take results, also of configurations that nobody proposed.

        Rows that name a proposal are linked to it, whatever became of it; rows that name none are linked to the
        proposal of their configuration where there is one. What was read in controls is kept beside them.

        Args:
            results: A CSV, Excel, Parquet or JSON-lines file, or a DataFrame.
            source: Where they come from, for the records; default the file's name.

        Raises:
            InputError: If a column is missing; then nothing is ingested.
        """
        return self.land(self.check(read_rows(results)), source)

    def land(self, checked: CheckedRows, source: str | None = None) -> IngestReport:
        """Take rows that are checked, as `tell` does.

        Args:
            checked: What `check` gave.
            source: Where they come from, for the records; default the file's name.
        """
        with self.store.transaction():
            if not self.spec.acquisition.allow_replicates:
                book = self._book()
                checked = link_by_stage(checked, book.frame, self.spec) if self.spec.stages else checked
                checked = checked if self.spec.stages else link_by_key(checked, book.frame)
            report = self.store.add_measurements(self.name, checked, source or "", self._other_keys())
            report = replace(report, n_failed=keep_failures(self.store, checked))
            keep_controls(self.store, self.name, checked)
            note_results(self, report)
        return report

    def fail(self, which: str, reason: str, *, infeasible: bool = False) -> TrialRow:
        """Say that an experiment gave no result.

        Args:
            which: The proposal, or one of its trials.
            reason: Why, for people.
            infeasible: Whether it cannot succeed with this configuration: the proposal is given up, and what is like it
                is proposed less. Else it may be tried again, and nothing is learned.

        Returns:
            The trial, FAILED or ABANDONED.

        Raises:
            InputError: If there is no such proposal or trial of this campaign, or no reason is given.
            StatusError: If the proposal is not approved, has a result, or was given up already.
        """
        if not reason.strip():
            raise InputError(f"A failure of {which} must say why; got an empty reason.")
        with self.store.transaction():
            known = self.store.trials(self.name).set_index("trial_id")["proposal_id"]
            proposal = self._proposal(str(known.get(which, which)))
            return fail_proposal(self.store, proposal.proposal_id, Failure(reason.strip(), infeasible))
