"""One order at the open: the same decisions in the same order as vectorbt."""

from numba import njit

from strategies.trade.rules import slippage_nb

# Tolerances of vectorbt's `utils.math_`: amounts below ABS_TOL count as nothing. Here that is money alone, in units of
# the starting cash; what is held is judged by its value, because a unit may cost 1e-8 or 1e11.
REL_TOL = 1e-9
ABS_TOL = 1e-12


@njit(cache=True, inline="always")
def is_close_nb(a: float, b: float, least: float) -> bool:
    """Equality of two finite numbers in vectorbt's sense; a difference of up to ``least`` is none."""
    return abs(a - b) <= max(REL_TOL * max(abs(a), abs(b)), least)


@njit(cache=True, inline="always")
def minus_nb(a: float, b: float) -> float:
    """``a - b`` of non-negative money, exactly 0 where vectorbt takes the difference for rounding error."""
    return 0.0 if is_close_nb(a, b, ABS_TOL) else a - b


@njit(cache=True, inline="always")
def quantity_after_nb(quantity: float, sold: float, least: float) -> float:
    """What is held after a sale, of either sign, exactly 0 where vectorbt takes the difference for rounding error."""
    return 0.0 if is_close_nb(quantity, sold, least) else quantity - sold


@njit(cache=True)
def fill_nb(
    cash: float,
    quantity: float,
    target: float,
    price: float,
    fee: float,
    half_spread: float,
    impact: float,
    short: bool,
) -> tuple:
    """Fill one target-percent order; the same decisions in the same order as vectorbt.

    Unless ``short``, no more is sold than is held. The size follows from the price; what is paid or got is worse than
    it by a share, ``half_spread`` and ``impact`` times the square root of the value that the order is for at this
    price (more than is bought where cash ends, by its costs).

    Returns
    -------
    tuple
        (cash, quantity, traded value, fee paid, slippage); traded value 0 where the order is no fill.
    """
    least = ABS_TOL / price  # units worth ABS_TOL
    cash = 0.0 if is_close_nb(cash, 0.0, ABS_TOL) else cash
    quantity = 0.0 if is_close_nb(quantity, 0.0, least) else quantity
    equity = cash + quantity * price
    if equity <= ABS_TOL:
        return cash, quantity, 0.0, 0.0, 0.0
    size = target * equity / price - quantity
    if size > 0.0:
        if cash <= 0.0 or size <= least:  # below 0 where funding was paid by what is held
            return cash, quantity, 0.0, 0.0, 0.0
        slippage = slippage_nb(half_spread, impact, size * price)
        price = price * (1.0 + slippage)
        value = size * price
        paid = value * fee
        total = value + paid
        if not (total < cash or is_close_nb(total, cash, ABS_TOL)):  # all cash goes, the fee included
            value = cash / (1.0 + fee)
            size = value / price
            paid = cash - value
            total = cash
        return minus_nb(cash, total), quantity_after_nb(quantity, -size, least), value, paid, slippage
    size = -size if short else min(quantity, -size)
    if size <= least:
        return cash, quantity, 0.0, 0.0, 0.0
    slippage = slippage_nb(half_spread, impact, size * price)
    value = size * (price * (1.0 - slippage))
    paid = value * fee
    return cash + minus_nb(value, paid), quantity_after_nb(quantity, size, least), value, paid, slippage
