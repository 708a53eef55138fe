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


ON_NETWORK = "GP on a network"
"""Output of learners that have nothing to say before they were taught."""
CHOOSES, ACTS = "acquisition function", "policy for control tasks"
"""Outputs of learners that predict nothing, and can be no hypothesis."""
FORMER = {"in_context": "prior_fitted"}
"""Names that checkpoints of earlier releases have, and what they are now."""
FROM_HISTORY = ("deep_kernel", "multi_task", "rgpe", "hierarchical")
"""Learners that no simulator can teach."""


def _by_gradients(name: str, description: str, use: str) -> Entry:
    return Entry(f"discovery.meta.gradient_based:{name}", description, "optimization-based", ON_NETWORK, use)


def _by_metric(name: str, description: str, use: str) -> Entry:
    return Entry(f"discovery.meta.metric_based:{name}", description, "metric-based", ON_NETWORK, use)


def _by_memory(name: str, description: str, use: str) -> Entry:
    return Entry(f"discovery.meta.memory_based:{name}", description, "memory-based", ON_NETWORK, use)


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
    "prior_fitted": Entry(
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
    "prototypical": _by_metric(
        "Prototypical",
        "Asks whether a configuration is nearer to the hits or to the rest.",
        "hits among candidates, few of each kind",
    ),
    "prototypical_mahalanobis": _by_metric(
        "PrototypicalMahalanobis",
        "The same with a covariance of each class.",
        "the same, where the classes differ in width",
    ),
    "matching": _by_metric(
        "Matching", "Outcomes of the nearest measurements, in a learned embedding.", "a metric that people can follow"
    ),
    "pacoh": Entry(
        "discovery.meta.pacoh:Pacoh",
        "Several priors of a Gaussian process that keep apart, each with a mean and features of its own.",
        "Bayesian",
        ON_NETWORK,
        "few related tasks, where one prior would be too sure",
    ),
    "multi_task": Entry(
        "discovery.meta.multi_task:MultiTask",
        "One process over earlier tasks and the campaign, with a learned positive covariance between tasks.",
        "multi-task",
        "GP posterior",
        "a few earlier tasks, of which some are more alike than others",
    ),
    "neural_process": _by_memory(
        "NeuralProcess", "Attention over measurements, without a step of adaptation.", "many tasks of irregular shape"
    ),
    "recurrent": _by_memory(
        "Recurrent", "Measurements read in sequence into one state.", "a memory of fixed size; to compare with"
    ),
    "memory": Entry(
        "discovery.meta.retrieval:Memory",
        "Looks up what similar past tasks led to, and starts from there.",
        "memory-based",
        ON_NETWORK,
        "many past tasks of a few kinds",
    ),
    "rgpe": Entry(
        "discovery.meta.rgpe:Rgpe",
        "Posteriors of earlier tasks, weighted by how well they rank what is measured, with a guard.",
        "Bayesian",
        "GP posterior",
        "a few earlier tasks on other scales, where only their ranking can be trusted",
    ),
    "hierarchical": Entry(
        "discovery.meta.hierarchical:Hierarchical",
        "Finds groups of earlier tasks; each has a prior of its own, and the belief says which applies.",
        "hierarchical",
        "GP posterior",
        "a history that mixes kinds of tasks",
    ),
    "pseudo_tasks": Entry(
        "discovery.meta.pseudo_tasks:PseudoTasksGP",
        "A process trained on tasks made up from candidates alone: random functions, clusters, descriptors.",
        "unsupervised",
        "GP posterior",
        "candidates and no outcome at all",
    ),
    "policy": Entry(
        "discovery.acquisition.policy_training:PolicyLearner",
        "Acquisition function trained on simulated campaigns; LogEI where it did not beat it on others.",
        "reinforcement-learning-based",
        CHOOSES,
        "`acquisition: {name: policy}`",
    ),
    "rl2": Entry(
        "discovery.meta.rl2:Rl2",
        "Recurrent policy that explores and then exploits, within the episodes of one task.",
        "reinforcement-learning-based",
        ACTS,
        "sequential control: robots, bandits",
    ),
}
