"""Stage: controls fitted on past, which the tiers are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

from labelsearch.engine.stage import Stage, Stored, Work
from labelsearch.labels.base import Label
from labelsearch.results.controls import Controls, FittedControl
from labelsearch.results.search import Strategies
from labelsearch.stages.search import TradingInputs
from strategies.tiers.controls.control import Control, Fit, Past, control_account, fit_controls, past_score

USUAL_HORIZON = 60  # bars, where prices alone decide how far labels look ahead


def stacking_horizon(labels: Sequence[Label]) -> int:
    """Bars over which stackings predict the return: the lower median of those that labels look ahead.

    That is what the classifiers were taught to see, and it is known before past is looked at: a horizon chosen there
    would be one more thing that fits it by chance.
    """
    ahead = sorted(label.lookahead for label in labels if label.lookahead)
    return ahead[(len(ahead) - 1) // 2] if ahead else USUAL_HORIZON


@dataclass(frozen=True)
class ControlInputs(TradingInputs):
    """All that the stage may know."""

    search: Stored[Strategies]
    controls_asked: tuple[Control, ...]
    stacking_bars: int


def run(inputs: ControlInputs, work: Work) -> Controls:
    """Fit the controls, and score them on past."""
    asked, strategies, names = inputs.controls_asked, inputs.search.value, inputs.outputs.value.columns
    work.progress(0, len(asked))
    problem = inputs.problem("past")
    past = Past(problem, names, inputs.stacking_bars, strategies.params, strategies.score)
    fits = fit_controls(past, asked, lambda done: work.progress(done, len(asked)))

    def score(fit: Fit) -> float | None:
        if fit.reason:
            return None
        return past_score(control_account(fit, problem.window, problem.rules, names, strategies.params), problem)

    fitted = tuple(
        FittedControl(control.name, control.title, fit, score(fit)) for control, fit in zip(asked, fits, strict=True)
    )
    return Controls(inputs.stacking_bars, names, fitted)


STAGE = Stage("controls", ControlInputs, Controls, run)
