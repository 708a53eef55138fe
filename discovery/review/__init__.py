"""What a person reads about a proposal, and what they decide; `discovery.review.card` is the last of the tour."""

from discovery.review.card import HypothesisView, Neighbor, ProposalCard, Setting, make_card, render_text
from discovery.review.decisions import Edit, check_edit, parse_edit

__all__ = [
    "Edit",
    "HypothesisView",
    "Neighbor",
    "ProposalCard",
    "Setting",
    "check_edit",
    "make_card",
    "parse_edit",
    "render_text",
]
