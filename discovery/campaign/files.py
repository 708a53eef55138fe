"""Campaign files: read YAML, TOML and JSON, write YAML and JSON, check the files that they name, start a new one.

YAML is read as version 1.2 says: `no`, `on` and `12:30` are text, `1e-3` is a number, and a key given twice is refused.
"""

from __future__ import annotations

import json
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from discovery.campaign.experience import history_file
from discovery.campaign.laboratories import TableExperiment
from discovery.campaign.parameters import CategoricalParameter
from discovery.campaign.spec import CampaignSpec
from discovery.campaign.supported import check_supported
from discovery.errors import ConfigurationError, NotSupportedError
from discovery.registry import PLUGGED

_PATTERNS = (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("tag:yaml.org,2002:float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ("tag:yaml.org,2002:null", r"null|Null|NULL|~|", "nN~\0"),
)


class _Loader(yaml.SafeLoader):
    """YAML 1.2 core schema, keys once."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012  (the class of PyYAML demands it)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice in one mapping."""
        keys = [key.value for key, _ in node.value]
        for (key, _), earlier in zip(node.value, range(len(keys)), strict=True):
            if key.value in keys[:earlier]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands there twice", key.start_mark
                )
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Writes text in quotes wherever YAML 1.1 or 1.2 would read it as something else."""


for _tag, _pattern, _first in _PATTERNS:
    _expression = re.compile(rf"^(?:{_pattern})$")
    _Loader.add_implicit_resolver(_tag, _expression, [c if c != "\0" else "" for c in _first])
    _Dumper.add_implicit_resolver(_tag, _expression, [c if c != "\0" else "" for c in _first])
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))


def load_spec(path: Path | str) -> CampaignSpec:
    """Read and check a campaign file; the format goes by the suffix.

    Args:
        path: A `.yaml`, `.yml`, `.toml` or `.json` file.

    Returns:
        The spec; relative paths in it start from the file's folder.

    Raises:
        ConfigurationError: If the file cannot be read, a key is wrong, or a file that it names does not exist.
        NotSupportedError: If it asks for what this release cannot do.
    """
    path = Path(path)
    data = _parse(path)
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path} must hold a mapping of keys to values; got {type(data).__name__}.")
    spec = CampaignSpec.from_mapping(data, path.resolve().parent, source=str(path))
    try:
        check_supported(spec)
        check_files(spec)
    except ConfigurationError as error:
        raise type(error)(f"{error.message.rstrip('.')} (in {path}).", error.hint) from None
    return spec


def _parse(path: Path) -> object:
    """Return the content of a YAML, TOML or JSON file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"Campaign file {path} cannot be read: {reason}.", "Check the path.") from None
    try:
        match path.suffix.lower():
            case ".yaml" | ".yml":
                return yaml.load(text, Loader=_Loader)  # a SafeLoader
            case ".toml":
                return tomllib.loads(text)
            case ".json":
                return json.loads(text)
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).replace('in "<unicode string>", ', "at ").split())
        raise ConfigurationError(f"{path} is not valid {path.suffix[1:].upper()}: {reason}.") from None
    raise ConfigurationError(f"Campaign file must end in .yaml, .yml, .toml or .json; got {path}.", "Rename it.")


def check_files(spec: CampaignSpec) -> None:
    """Check that every file that a spec names exists.

    Raises:
        ConfigurationError: Naming the key and the path of the first file that does not.
    """
    named: list[tuple[str, str]] = []
    for i, parameter in enumerate(spec.parameters):
        if isinstance(parameter, CategoricalParameter) and parameter.descriptors:
            named.append((f"parameters[{i}].descriptors", parameter.descriptors))
    for i, mixture in enumerate(spec.mixtures):
        if mixture.descriptors:
            named.append((f"mixtures[{i}].descriptors", mixture.descriptors))
    if spec.candidates:
        named.append(("candidates", spec.candidates))
    tables = [history_file(ref) for ref in spec.experience.history]
    named += [(f"experience.history[{i}]", path) for i, path in enumerate(tables) if path is not None]
    if isinstance(spec.experiment, TableExperiment):
        named.append(("experiment.path", spec.experiment.path))
    for key, path in named:
        if not path.startswith(PLUGGED) and not spec.resolve(path).is_file():
            raise ConfigurationError(
                f"{key} must be an existing file; got {path!r}, which is not in {spec.base_dir}.",
                "Paths are relative to the campaign file.",
            )


def dump_spec(spec: CampaignSpec, path: Path | str | None = None) -> str:
    """Return a spec as YAML, or write it as YAML or JSON by the suffix.

    Defaults are left out; what is read back equals the spec.

    Raises:
        NotSupportedError: If the suffix is neither `.yaml`, `.yml` nor `.json`.
    """
    suffix = ".yaml" if path is None else Path(path).suffix.lower()
    data = spec.model_dump(mode="json", exclude_defaults=True)
    if suffix in (".yaml", ".yml"):
        text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    elif suffix == ".json":
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    else:
        raise NotSupportedError(f"A campaign can be written as .yaml or .json; got {path}.")
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


def write_template(name: str, folder: Path | str = ".") -> list[Path]:
    """Start a campaign: write a commented campaign file and a small example of candidates.

    Args:
        name: Name of the campaign; letters, digits, `-` and `_`.
        folder: Where the files go.

    Returns:
        The files written.

    Raises:
        ConfigurationError: If the name cannot be a file's name, or a file is there already.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ConfigurationError(f"A campaign's name must be of letters, digits, - and _; got {name!r}.")
    templates = resources.files("discovery.campaign") / "templates"
    texts = {
        Path(folder) / f"{name}.yaml": (templates / "campaign.yaml").read_text(encoding="utf-8"),
        Path(folder) / f"{name}_candidates.csv": (templates / "candidates.csv").read_text(encoding="utf-8"),
    }
    for path in texts:
        if path.exists():
            raise ConfigurationError(
                f"A new campaign must not overwrite a file; {path} is there.", "Take another name."
            )
    Path(folder).mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_text(text.replace("CAMPAIGN_NAME", name), encoding="utf-8")
    return list(texts)
