"""An explanation adds up, tells exploring from exploiting, and says what would be learned."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from discovery.acquisition.discrimination import information
from discovery.acquisition.gaussians import Mixture
from discovery.campaign import CampaignSpec, Objective
from discovery.cycle import Observations, adapt
from discovery.review import make_card
from discovery.review.explanation import explain, typical_rows
from discovery.review.foresight import Foresight
from discovery.review.page import review_page
from discovery.review.reasons import reasons
from discovery.review.teaching import hypothesis_information
from discovery.space import CandidatePool
from discovery.space.stream_reading import open_stream

HERE = {"catalyst": "B", "temperature": 70.0, "time": 45.0}


@pytest.fixture(scope="module")
def told(scene, make_proposal):
    """Return a function that explains a configuration."""

    def tell(configuration=HERE, scene=scene, **wanted):
        proposal = make_proposal(configuration)
        return explain(proposal, make_card(proposal, scene.measured, scene.spec, scene.space), scene, **wanted)

    return tell


def test_effects_sum_to_the_prediction(told) -> None:
    """From a typical candidate, all effects lead to the stored prediction, and all gains to the expected gain."""
    found = told(lesson=False)
    drivers = found.drivers
    assert drivers.start + sum(part.effect for part in drivers.parts) == pytest.approx(found.card.mean)
    assert drivers.gain_start + sum(part.gain for part in drivers.parts) == pytest.approx(found.gain)
    sizes = [abs(part.effect) for part in drivers.parts]
    assert sizes == sorted(sizes, reverse=True) and drivers.is_exact


def test_it_is_the_same_again(told) -> None:
    """The same proposal has the same explanation."""
    assert told() == told()


def test_near_the_best_is_exploiting_and_far_from_all_is_exploring(told, scene, space, make_proposal) -> None:
    """Beside the best measurement the number is low; where little is known and little expected it is high."""
    best = space.decode(scene.observed.X).iloc[int(np.argmax(scene.observed.y))].to_dict()
    field = typical_rows(scene, make_proposal(HERE))
    seen = scene.foresight.at(field)
    strange = space.decode(field[[int(np.argmax(seen.sd - seen.mean))]]).iloc[0].to_dict()
    near, far = (told(configuration, lesson=False).stance for configuration in (best, strange))
    assert near.exploring < 0.35
    assert far.exploring > 0.65
    assert near.better_than > far.better_than and near.less_known_than < far.less_known_than


def test_a_lesson_reduces_what_is_not_known(told) -> None:
    """A new place is expected to make the best candidates better known, and settles no more than is open."""
    lesson = told().lesson
    assert 0 < lesson.sd_after < lesson.sd_now
    assert 0 < lesson.information < lesson.open
    assert sum(lesson.by_hypothesis.values()) == pytest.approx(lesson.information)


def test_a_repetition_teaches_less(told, scene, space) -> None:
    """What was measured almost without noise teaches hardly anything when it is measured again."""
    again = space.decode(scene.observed.X).iloc[0].to_dict()
    assert told(again).lesson.reduction < told().lesson.reduction


def test_information_is_that_of_the_belief(scene, space) -> None:
    """The information is at most the entropy of the weights and zero for hypotheses that agree."""
    x = space.encode(pd.DataFrame([HERE]))[0]
    parts = hypothesis_information(scene.foresight.belief, x)
    assert set(parts) == {"no_transfer", "history"} and min(parts.values()) >= 0
    same = Mixture(
        torch.zeros(1, 2, dtype=torch.float64),
        torch.ones(1, 2, dtype=torch.float64),
        torch.log(torch.tensor([0.5, 0.5], dtype=torch.float64)),
    )
    assert float(information(same, [1, 1]).sum()) == pytest.approx(0.0, abs=1e-12)


def test_plots_come_on_demand(told) -> None:
    """Slices, maps and measured points are there where they are asked for, and only there."""
    bare, full = told(lesson=False), told(lesson=False, plots=True)
    assert (bare.slices, bare.maps, bare.points, bare.lesson) == ((), (), (), None)
    assert (len(full.slices), len(full.maps), len(full.points)) == (3, 3, 9)
    assert replace(full, slices=(), maps=(), points=()) == bare


def test_what_is_given_is_not_compared(scene, told, small_spec, space) -> None:
    """Candidates are compared under the context of the proposal: what is given cannot make it better or worse."""
    data = small_spec.model_dump(mode="json", exclude_none=True)
    data["parameters"][1]["context"] = True
    spec = type(small_spec).from_mapping(data)
    assert told(lesson=False, scene=replace(scene, spec=spec)).stance != told(lesson=False).stance


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        ({"goal": "maximize"}, "above the best yield so far"),
        ({"goal": "minimize"}, "below the best yield so far"),
        ({"goal": "match", "target": 40.0}, "nearer to what is wanted than the best yield so far"),
        ({"goal": "hits", "threshold": 60.0}, "It is a hit with"),
    ],
)
def test_the_gain_is_said_in_words(objective, said, told, scene, belief, observed) -> None:
    """Every goal has its sentence, and every sentence ends."""
    wanted = Objective(name="yield", **objective)
    spec = scene.spec.model_copy(update={"objectives": (wanted,)})
    sentences = reasons(told(scene=replace(scene, spec=spec, foresight=Foresight.of(belief, wanted, observed.y))))
    assert said in sentences[0]
    assert len(sentences) == 4 and all(sentence.endswith(".") for sentence in sentences)


def test_before_any_measurement_nothing_is_gained(told, scene) -> None:
    """Without measurements there is a prediction and what drives it, and no gain, best or bet."""
    none = Observations(scene.observed.X[:0], np.zeros(0), None, ())
    belief = adapt(scene.foresight.belief.hypotheses, none)
    empty = replace(
        scene,
        observed=none,
        measured=scene.measured.head(0),
        foresight=Foresight.of(belief, Objective(name="yield"), none.y),
    )
    found = told(scene=empty)
    assert (found.gain, found.best, found.stance.certain_gain, found.drivers.gain_end) == (None, None, None, None)
    assert "gain" not in " ".join(reasons(found))


def test_the_review_page_has_the_short_version(told) -> None:
    """On the page of the form every reason is a line of its own, in place of the flag."""
    found = told(lesson=False)
    text = review_page([found.card], {found.card.proposal_id: found})
    assert all(f"- {sentence}" in text for sentence in reasons(found))
    assert found.card.intent not in text and f"`discovery explain FILE {found.card.proposal_id}`" in text


def test_large_pools_are_compared_in_part(scene, space, small_spec, make_proposal, tmp_path) -> None:
    """Pools in memory and streamed ones give a few hundred of their own rows, the same ones for the same proposal."""
    frame = space.decode(space.sample(3000, np.random.default_rng(1)))
    frame.to_csv(tmp_path / "all.csv", index=False)
    data = small_spec.model_dump(mode="json", exclude_none=True) | {"candidates": "all.csv"}
    spec = CampaignSpec.from_mapping(data, tmp_path)
    pools = (CandidatePool.from_spec(spec, space), open_stream(tmp_path / "all.csv", space, "all.csv"))
    for pool in pools:
        rows = typical_rows(replace(scene, pool=pool), make_proposal(HERE))
        assert 400 <= len(rows) <= 512
        assert set(map(bytes, rows)) <= set(map(bytes, pools[0].X))
        assert np.array_equal(rows, typical_rows(replace(scene, pool=pool), make_proposal(HERE)))
