"""The table of all families of meta-learning: what each is, what it makes of a support, and what it is for.

Nothing is imported before it is asked for. `discovery.registry` reads the table, and adds what plug-ins bring.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One choice of a table.

    Attributes:
        target: Where it is, as `module:attribute`; empty where the name alone is enough.
        description: One line for people: what it is.
        family: Of a learner: its family of meta-learning.
        output: Of a learner: what it makes of a support.
        use: Of a learner: what it is for, in one line.
    """

    target: str
    description: str
    family: str = ""
    output: str = ""
    use: str = ""


def _by_gradients(name: str, description: str, use: str) -> Entry:
    return Entry(f"discovery.meta.gradient_based:{name}", description, "optimization-based", "GP on a network", use)


LEARNERS = {
    "meta_gp": Entry(
        "discovery.meta.meta_gp:MetaGP",
        "Bank of exact Gaussian processes whose whole prior is meta-learned.",
        "Bayesian",
        "GP posterior",
        "what every campaign begins with: a few earlier tasks, or a simulator",
    ),
    "molecule_gp": Entry(
        "discovery.meta.molecules:MoleculeGP",
        "The same for molecules: fragments compared, sources trusted by nearness.",
        "Bayesian",
        "GP posterior",
        "molecules, with other targets as history",
    ),
    "deep_kernel": Entry(
        "discovery.meta.deep_kernel:DeepKernelGP",
        "Gaussian processes on features that networks learn from many tasks.",
        "metric-based",
        "GP posterior",
        "a dozen related earlier tasks and more",
    ),
    "in_context": Entry(
        "discovery.meta.in_context:InContext",
        "Transformer that reads measurements as its context; trained once, shipped.",
        "memory-based",
        "mixture of joint Gaussians",
        "no experience of one's own: the prior that ships",
    ),
    "maml": _by_gradients(
        "Maml", "Network a few gradient steps away from every task.", "tasks that differ in shape, some hundred of them"
    ),
    "fomaml": _by_gradients(
        "Fomaml", "MAML that does not differentiate through its steps.", "the same, trained several times faster"
    ),
    "reptile": _by_gradients(
        "Reptile", "Network that follows where the steps of tasks lead.", "the same, at the least cost per step"
    ),
    "anil": _by_gradients(
        "Anil", "Network whose last layer alone adapts, in closed form.", "the gradient family's first choice: a ridge"
    ),
    "meta_sgd": _by_gradients(
        "MetaSgd", "MAML that learns the size of every weight's step.", "few steps that have to count"
    ),
}
