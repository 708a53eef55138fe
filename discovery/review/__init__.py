"""What a person reads about a proposal, and what they decide; `discovery.review.card` is the last of the tour."""

from discovery.review.card import HypothesisView, Neighbor, ProposalCard, Setting, make_card, render_text
from discovery.review.decisions import Edit, Misfit, Verdict, check_edit, find_misfit, parse_edit

__all__ = [
    "Edit",
    "HypothesisView",
    "Misfit",
    "Neighbor",
    "ProposalCard",
    "Setting",
    "Verdict",
    "check_edit",
    "find_misfit",
    "make_card",
    "parse_edit",
    "render_text",
]
