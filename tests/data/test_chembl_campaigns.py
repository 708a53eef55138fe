"""Every protein target has a campaign file that loads and whose history is all the others."""

import pandas as pd
import pytest

from data.chembl_campaigns import DEFAULT_TARGET, FOLDER, chembl_campaign, targets, write_chembl_campaign
from discovery.campaign import load_spec
from discovery.errors import ConfigurationError
from discovery.space import SearchSpace


def test_the_default_is_chosen_by_rule():
    """The default target is the first by name, and the committed file is what the default writes."""
    assert min(targets()) == DEFAULT_TARGET and len(targets()) == 30
    assert (FOLDER / f"{DEFAULT_TARGET}.yaml").read_text(encoding="utf-8") == chembl_campaign()


@pytest.mark.parametrize("target", targets())
def test_every_target_has_a_campaign(target, tmp_path):
    """Written to any folder, the file loads and finds its tables; the target is not its own history."""
    spec = load_spec(write_chembl_campaign(tmp_path / "some where" / "campaign.yaml", target))
    paths = [spec.resolve(path) for path in (spec.candidates, *spec.experience.history)]
    assert sorted(path.stem for path in paths) == targets() and paths[0].stem == target
    assert all(path.is_file() for path in paths)
    assert spec.budget.experiments == 60 and spec.acquisition.batch_size == 10


def test_candidates_of_a_campaign_are_molecules():
    """The first candidates are read as molecules and are all different."""
    spec = load_spec(FOLDER / f"{DEFAULT_TARGET}.yaml")
    space = SearchSpace.from_spec(spec)
    table = pd.read_parquet(spec.resolve(spec.candidates)).head(20)
    assert not space.check(table)
    assert len(set(space.keys(table))) == 20


def test_a_protein_can_be_left_out():
    """The stricter history has no other measure on the same protein."""
    text = chembl_campaign("chembl237_ki", leave_protein_out=True)
    assert "chembl237_ec50" not in text and text.count("    - ") == 28


def test_an_unknown_target_is_refused():
    """Anything else is refused with what came."""
    with pytest.raises(ConfigurationError, match="'chembl1'"):
        chembl_campaign("chembl1")
