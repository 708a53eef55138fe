"""Which codec each kind of parameter has, and which blocks of coordinates."""

from __future__ import annotations

from discovery.campaign import (
    BooleanParameter,
    CampaignSpec,
    CategoricalParameter,
    CompositionParameter,
    ContinuousParameter,
    DiscreteParameter,
    MoleculeParameter,
    Parameter,
)
from discovery.errors import NotSupportedError
from discovery.space.codecs import (
    Codec,
    Part,
    boolean_codec,
    categorical_codec,
    continuous_codec,
    discrete_codec,
)
from discovery.space.composition import CompositionCodec, composition_codec
from discovery.space.descriptors import descriptor_source, read_descriptors
from discovery.space.molecule import MoleculeCodec, molecule_codec


def parts_of(codec: Codec) -> tuple[Part, ...]:
    """Return the blocks of one parameter."""
    if isinstance(codec, MoleculeCodec | CompositionCodec):
        return codec.parts
    return (Part(codec.name, codec.kind, codec.n_dims),)


def codec_of(parameter: Parameter, spec: CampaignSpec) -> Codec:
    """Return the codec of a parameter; reads descriptor files.

    Raises:
        ConfigurationError: If a descriptor file does not fit.
        NotSupportedError: If the parameter is of a kind that is not built.
    """
    match parameter:
        case ContinuousParameter():
            return continuous_codec(parameter)
        case DiscreteParameter():
            return discrete_codec(parameter)
        case CategoricalParameter(descriptors=path):
            table = None if path is None else read_descriptors(parameter, descriptor_source(spec, path))
            return categorical_codec(parameter, table)
        case BooleanParameter():
            return boolean_codec(parameter)
        case MoleculeParameter():
            return molecule_codec(parameter, spec)
        case CompositionParameter():
            return composition_codec(parameter, spec)
    raise NotSupportedError(f"{parameter.name!r}: {parameter.type} parameters are not supported yet.")
