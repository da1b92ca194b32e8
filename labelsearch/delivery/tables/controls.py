"""Whether tiers beat the controls, and what the controls are."""

from labelsearch.delivery.tables.table import Table, cell
from labelsearch.results.controls import FittedControl, TierAgainst
from labelsearch.results.ensembles import tier_name
from labelsearch.results.record import plain_fields
from labelsearch.results.run import Results


def _interval(row: TierAgainst) -> str:
    return "-" if row.low_bp is None or row.high_bp is None else f"[{row.low_bp:+.1f} {row.high_bp:+.1f}]"


def _words(row: TierAgainst) -> str:
    if row.low_bp is None or row.high_bp is None:
        return "cannot be told"
    return "better" if row.low_bp > 0 else "worse" if row.high_bp < 0 else "no difference shown"


def against_sentence(results: Results) -> str:
    """Whether any tier did better than the control with the best past score; empty without controls."""
    found = results.ensembles.against
    if found.best is None:
        return "No control could be fitted." if results.controls.fitted else ""
    what = f"{found.best}, the control with the best score on past"
    better = [row for row in found.tiers if _words(row) == "better"]
    if all(_words(row) == "cannot be told" for row in found.tiers):
        return f"It cannot be told whether a tier did better than {what}: there are too few days, or nothing differs."
    largest = max(better or found.tiers, key=lambda row: row.mean_bp)
    shown = f"{tier_name(largest.size)}, by {largest.mean_bp:+.1f} bp a day {_interval(largest)} on future"
    if not better:
        return f"No tier did better than {what}: at best {shown}."
    names = ", ".join(tier_name(row.size) for row in better)
    return f"{names} did better than {what}: {shown}."


def against_table(results: Results) -> Table | None:
    """Every tier less the control with the best score on past; None without one."""
    found = results.ensembles.against
    if found.best is None:
        return None
    rows = tuple((tier_name(row.size), f"{row.mean_bp:+.1f}", _interval(row), _words(row)) for row in found.tiers)
    note = (
        f"{against_sentence(results)} The mean difference of daily returns on future, in basis points, with 95% over "
        "blocks of the same days for both; each interval is for one tier alone. Controls are simple ways to use the "
        "same outputs, fitted on past: docs/ENSEMBLES.md."
    )
    columns = ("tier", f"less {found.best}", "95% interval", "in words")
    data = {"against": found, **plain_fields(results.controls)}
    return Table("Tiers against controls", columns, rows, note=note, key="controls", data=data)


def control_table(results: Results) -> Table | None:
    """How each control was fitted; None where none was asked for."""
    found = results.controls
    if not found.fitted:
        return None
    rows = tuple((control.title, cell(control.score, "+.2f"), *_fitted(control)) for control in found.fitted)
    note = (
        f"Stackings predict the return over {found.horizon_bars} bars from the next open. Explained: share of the "
        "squared error, or of the log loss, on held-out stretches of past; below 0 the mean of past does better."
    )
    columns = ("control", "past score", "explained %", "weighs", "what was chosen on past")
    return Table("Controls", columns, rows, note=note, prose=True)


def _fitted(control: FittedControl) -> tuple[str, str, str]:
    """Explained, number of inputs or strategies, and what was chosen."""
    stack, members = control.fit.stack, control.fit.members
    if stack is not None:
        chosen = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in stack.choice.items())
        slope, shift, *thresholds = stack.params
        signal = f"signal {slope:.2f} z {shift:+.2f}, thresholds {', '.join(f'{x:.2f}' for x in thresholds)}"
        return f"{100 * stack.held_out:+.3f}", str(len(stack.inputs)), f"{chosen}; {signal}"
    if members is not None:
        return "-", str(len(members.rows)), f"shares of {', '.join(f'{100 * share:.0f}%' for share in members.shares)}"
    return "-", "-", f"left out: {control.fit.reason}"
