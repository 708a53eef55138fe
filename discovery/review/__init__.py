"""What a person reads about a proposal, and what they decide; `discovery.review.card` is the last of the tour."""

from discovery.review.card import FurtherOutcome, HypothesisView, ProposalCard, Setting, make_card
from discovery.review.card_text import render_text
from discovery.review.decisions import Edit, Misfit, Verdict, check_edit, find_misfit, parse_edit
from discovery.review.neighbors import Neighbor, nearest

__all__ = [
    "Edit",
    "FurtherOutcome",
    "HypothesisView",
    "Misfit",
    "Neighbor",
    "ProposalCard",
    "Setting",
    "Verdict",
    "check_edit",
    "find_misfit",
    "make_card",
    "nearest",
    "parse_edit",
    "render_text",
]
