"""The campaign file: one YAML that says everything, read into one frozen value.

`load_spec` reads and checks a file, `CampaignSpec` is what every other room works with. Next in the tour:
`discovery.space`.
"""

from discovery.campaign.constraints import (
    BatchConstraint,
    CardinalityConstraint,
    Constraint,
    ExcludeConstraint,
    LinearConstraint,
    NonlinearConstraint,
    SimplexConstraint,
    parse_linear,
)
from discovery.campaign.experience import (
    CampaignRef,
    Experience,
    FileRef,
    SimulatorRef,
    held_in,
    history_file,
    history_name,
)
from discovery.campaign.expressions import Expression
from discovery.campaign.files import check_files, dump_spec, load_spec, write_template
from discovery.campaign.laboratories import (
    PLATES,
    CommandExperiment,
    Control,
    HttpExperiment,
    ManualExperiment,
    Plate,
    SimulatorExperiment,
    TableExperiment,
    row_number,
)
from discovery.campaign.materials import CompositionParameter, MixtureParameter
from discovery.campaign.parameters import (
    BooleanParameter,
    CategoricalParameter,
    ContinuousParameter,
    DiscreteParameter,
    MoleculeParameter,
    Parameter,
    category_text,
    truth_of,
)
from discovery.campaign.sections import Budget, HypothesisRef, Objective, Outcome
from discovery.campaign.spec import MAX_PRODUCT, CampaignSpec
from discovery.campaign.stages import StageSpec
from discovery.campaign.supported import check_supported

__all__ = [
    "MAX_PRODUCT",
    "PLATES",
    "BatchConstraint",
    "BooleanParameter",
    "Budget",
    "CampaignRef",
    "CampaignSpec",
    "CardinalityConstraint",
    "CategoricalParameter",
    "CommandExperiment",
    "CompositionParameter",
    "Constraint",
    "ContinuousParameter",
    "Control",
    "DiscreteParameter",
    "ExcludeConstraint",
    "Experience",
    "Expression",
    "FileRef",
    "HttpExperiment",
    "HypothesisRef",
    "LinearConstraint",
    "ManualExperiment",
    "MixtureParameter",
    "MoleculeParameter",
    "NonlinearConstraint",
    "Objective",
    "Outcome",
    "Parameter",
    "Plate",
    "SimplexConstraint",
    "SimulatorExperiment",
    "SimulatorRef",
    "StageSpec",
    "TableExperiment",
    "category_text",
    "check_files",
    "check_supported",
    "dump_spec",
    "held_in",
    "history_file",
    "history_name",
    "load_spec",
    "parse_linear",
    "row_number",
    "truth_of",
    "write_template",
]
