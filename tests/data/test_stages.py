"""The bench of staged measurements: worlds, simple ways and the table."""

import numpy as np
import pandas as pd
import pytest

from data.stages import COSTS, MOST, WAYS, cascade, chance, main, receptor, run_one, simulated, table, world_of


@pytest.mark.parametrize("link", [0.0, 0.7, 0.95])
def test_simulated_outcomes_have_so_much_in_common(link):
    """Over many worlds, the cheap and the dear outcome correlate as asked."""
    found = [np.corrcoef(w.cheap, w.dear)[0, 1] for w in (simulated(link, seed) for seed in range(40))]
    assert np.mean(found) == pytest.approx(link, abs=0.12)


def test_a_seed_draws_the_same_world():
    """Ways are compared on the same candidates and outcomes."""
    one, again = world_of("loose", 3), world_of("loose", 3)
    assert one.frame.equals(again.frame)
    assert np.array_equal(one.dear, again.dear)
    assert one.is_best.sum() == one.n_best


def test_the_receptor_has_both_outcomes():
    """Molecules whose binding and function were both measured are many, and the two go together."""
    world = receptor()
    assert len(world.frame) == len(world.cheap) == len(world.dear) > 500
    assert world.frame["smiles"].is_unique
    assert 0.7 < pd.Series(world.cheap).corr(pd.Series(world.dear), method="spearman") < 0.8


def test_a_cascade_pays_for_the_whole_screen():
    """A perfect screen costs all candidates once and one dear test more."""
    world = simulated(0.7, 0)
    perfect = type(world)(world.spec, world.frame, world.dear, world.dear, world.n_best)
    start = np.arange(3)
    assert cascade(perfect, start, 0) == len(world.dear) * COSTS[0] + COSTS[1]
    costs = [chance(world, start, seed) for seed in range(300)]
    assert np.mean(costs) == pytest.approx(COSTS[1] * (len(world.dear) + 1) / (world.n_best + 1), rel=0.1)


def test_staged_proposals_find_what_a_close_proxy_shows():
    """In one simulated world, staged proposals cost less than the dear stage alone can cost at most."""
    assert sum(COSTS) * 3 < run_one("close", "staged", 0) < MOST


def test_the_table_says_what_was_not_reached():
    """A row per world, median and mean over seeds, and how many gave up."""
    rows = [("close", way, seed, MOST if way == "chance" else 50.0 + seed) for way in WAYS for seed in range(3)]
    found = table(pd.DataFrame(rows, columns=["world", "way", "seed", "cost"]))
    assert "| close | 51 (51) |" in found
    assert "600 (600, 3 not reached) |" in found


def test_an_unknown_world_is_refused(capsys):
    """What is not there is named, with what there is."""
    with pytest.raises(SystemExit):
        main(["--worlds", "moon"])
    assert "there is no 'moon'" in capsys.readouterr().err
