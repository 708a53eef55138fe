"""An explanation in sentences: gain, stance, drivers and lesson, short enough for a card.

Nothing heavy is imported: what is said was computed before. Next in the tour: `discovery.report.explanation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from discovery.errors import counted
from discovery.review.card import value_text

if TYPE_CHECKING:
    from discovery.review.explanation import Driver, Explanation

N_NAMED = 3  # parameters that a sentence names
NOTHING = 0.005  # of the range between start and end, or of a share: less is not worth a word


def reasons(explanation: Explanation) -> tuple[str, ...]:
    """Return an explanation in a few sentences, the most important first."""
    said = (gain_sentence(explanation), stance_sentence(explanation), drivers_sentence(explanation))
    return tuple(filter(None, (*said, lesson_sentence(explanation))))


def gain_sentence(explanation: Explanation) -> str:
    """Say how much better the best is expected to become by this experiment alone; empty before any measurement."""
    gain, best, unit, name = explanation.gain, explanation.best, _unit(explanation), explanation.card.outcome
    if gain is None:
        return ""
    if explanation.goal == "hits":
        return f"It is a hit with {100 * gain:.0f} % probability."
    assert best is not None
    if explanation.goal == "match":
        return (
            f"Expected gain: {gain:.2g}{unit} nearer to what is wanted than the best {name} so far, {best:.3g}{unit}, "
            "by this experiment alone."
        )
    beyond = "below" if explanation.goal == "minimize" else "above"
    return (
        f"Expected gain: {gain:.2g}{unit} {beyond} the best {name} so far, {best:.3g}{unit}, by this experiment alone."
    )


def stance_sentence(explanation: Explanation) -> str:
    """Say where it stands between exploiting and exploring, by what, and how much of the gain is a bet."""
    stance = explanation.stance
    level = stance.exploring
    verb = "explores" if level >= 0.65 else "exploits" if level <= 0.35 else "does both"
    said = (
        f"It {verb} ({level:.2f} between exploiting, 0, and exploring, 1): its mean is better than that of "
        f"{100 * stance.better_than:.0f} % of the candidates, and it is less well known than "
        f"{100 * stance.less_known_than:.0f} % of them."
    )
    return " ".join(filter(None, (said, _bet(explanation))))


def drivers_sentence(explanation: Explanation) -> str:
    """Name the parameters that matter most, and what they add."""
    drivers, unit = explanation.drivers, _unit(explanation)
    least = NOTHING * max(abs(drivers.end - drivers.start), *(abs(part.effect) for part in drivers.parts))
    named = [part for part in drivers.parts if abs(part.effect) > least][:N_NAMED]
    if not named:
        return "Nothing drives the prediction: it is that of a typical candidate."
    effects = ", ".join(f"{driver_words(explanation, part)} {part.effect:+.2g}{unit}" for part in named)
    return (
        f"What drives it, from a typical candidate ({drivers.start:.3g}{unit}) to this one ({drivers.end:.3g}{unit}): "
        f"{effects}."
    )


def lesson_sentence(explanation: Explanation) -> str:
    """Say what the experiment would teach; empty where that was not asked for."""
    lesson, unit = explanation.lesson, _unit(explanation)
    if lesson is None:
        return ""
    said = (
        f"What it would teach: the standard deviation at the {counted(lesson.n_best, 'best candidate')} is expected to "
        f"go from {lesson.sd_now:.2g}{unit} to {lesson.sd_after:.2g}{unit} ({-100 * lesson.reduction:+.0f} %)"
    )
    if lesson.open < NOTHING:
        return f"{said}."
    share = lesson.information / lesson.open
    most = max(lesson.by_hypothesis, key=lambda name: lesson.by_hypothesis[name])
    about = f", mostly about {most}" if share >= NOTHING else ""
    return f"{said}, and {100 * share:.0f} % of what is open about which hypothesis is right to be settled{about}."


def driver_words(explanation: Explanation, driver: Driver) -> str:
    """Return a parameter with its value and unit."""
    units = {setting.name: setting.unit for setting in explanation.card.settings}
    return f"{driver.parameter} {short_text(driver.value)} {units.get(driver.parameter, '')}".rstrip()


def short_text(value: object) -> str:
    """Write a value to be compared with others: numbers with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else value_text(value)


def _bet(explanation: Explanation) -> str:
    """Say how much of the gain would be there if the mean were the truth."""
    gain, certain = explanation.gain, explanation.stance.certain_gain
    if gain is None or certain is None or gain <= 0:
        return ""
    share = min(1.0, certain / gain)
    if share < NOTHING:
        return "All of the gain is a bet on what is not known: the mean itself is no better than the best so far."
    return f"{100 * share:.0f} % of the gain would be there if the mean were the truth; the rest is a bet."


def _unit(explanation: Explanation) -> str:
    return f" {explanation.card.unit}" if explanation.card.unit else ""
