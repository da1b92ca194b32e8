"""Slow plain twins of `strategies`: one strategy, one bar at a time, money as in a ledger."""

import itertools
import math
from functools import partial


def signal(weights, outputs, signal_map):
    """Desired long share of equity."""
    total = sum(w * o for w, o in zip(weights, outputs, strict=True))
    if signal_map == "logistic":
        return 1.0 / (1.0 + math.exp(-total))
    return min(max(total + (0.5 if signal_map == "half" else 0.0), 0.0), 1.0)


def trade(cash, quantity, target, price, fee, slippage=0.0, short=False):
    """(cash, quantity, traded value, fee paid) after a target-percent order, value 0 where nothing trades.

    ``slippage``: a share, or a function of the value of the order at the price.
    """
    size = (target * (cash + quantity * price) - quantity * price) / price
    if size < 0 and not short:
        size = -min(-size, quantity)
    share = slippage(abs(size) * price) if callable(slippage) else slippage
    dear, cheap = price * (1 + share), price * (1 - share)
    value = min(size * dear, cash / (1 + fee))
    if value > 0 and cash > 0:
        return cash - value * (1 + fee), quantity + value / dear, value, value * fee
    value = -size * cheap
    if value > 0 and (short or quantity > 0):
        return cash + value * (1 - fee), quantity - value / cheap, value, value * fee
    return cash, quantity, 0.0, 0.0


def _slippage(half_spread, impact, value):
    return min(half_spread + impact * math.sqrt(value), 0.5)


def simulate(row, window, rules):
    """One strategy; a dict of what `strategies.trade.simulate.State` holds, with a list of (bar, value) fills."""
    outputs, open_, close, costs = window.outputs, window.open, window.close, window.costs
    fee, short = rules.fee_share, rules.short
    weights, theta_buy, theta_sell, delta = row[:-3], row[-3], row[-2], row[-1]
    cash, quantity, pending = 1.0, 0.0, None
    fills, fees, positions, equities, peak, drawdown, equity = [], 0.0, [], [], 1.0, 0.0, 1.0
    spread = impact = funding = borrow = 0.0
    due_at_open, due_within = zip(*costs.funding, strict=True) if len(costs.funding) else ([0.0] * len(close),) * 2
    for t in range(len(close)):
        funding += quantity * due_at_open[t]
        cash -= quantity * due_at_open[t]
        if quantity < 0 and len(costs.borrow):
            borrow += -quantity * costs.borrow[t]
            cash -= -quantity * costs.borrow[t]
        if quantity != 0 and cash + quantity * open_[t] <= 0:  # an account that is ruined is out
            cash = quantity = 0.0
        if pending is not None and cash + quantity * open_[t] > 0:
            half = costs.half_spread[t] if len(costs.half_spread) else rules.half_spread
            root = costs.impact[t] if len(costs.impact) else 0.0
            before = quantity
            slippage = partial(_slippage, half, root)
            cash, quantity, value, paid = trade(cash, quantity, pending, open_[t], fee, slippage, short)
            fees += paid
            if value > 0:
                fills.append((t, value))
                moved = abs(quantity - before) * open_[t]
                lost = abs(value - moved)
                spread += moved * half
                impact += lost - moved * half
        funding += quantity * due_within[t]
        cash -= quantity * due_within[t]
        if quantity != 0 and cash + quantity * close[t] <= 0:
            cash = quantity = 0.0
        equity = cash + quantity * close[t]
        position = quantity * close[t] / equity if equity > 0 else 0.0
        positions.append(abs(position))
        equities.append(equity)
        has = (position + 1) / 2 if short else position
        peak = max(peak, equity)
        drawdown = max(drawdown, (peak - equity) / peak)
        s = signal(weights, outputs[t], rules.signal_map_name)
        buy = s > theta_buy and s - has > delta
        sell = s < theta_sell and has - s > delta
        pending = (2 * s - 1 if short else s) if buy or sell else None
    return {
        "equity": equity,
        "equities": equities,
        "cash": cash,
        "fills": fills,
        "fees": fees,
        "spread": spread,
        "impact": impact,
        "funding": funding,
        "borrow": borrow,
        "position_sum": sum(positions),
        "drawdown": drawdown,
        "pending": pending,
    }


def sharpe(returns):
    """Mean over sample standard deviation; 0 for returns that do not vary."""
    mean = math.fsum(returns) / len(returns)
    variance = math.fsum((r - mean) ** 2 for r in returns) / (len(returns) - 1)
    return mean / math.sqrt(variance) if variance > 1e-20 else 0.0


def cscv(n_strategies, edges, statistic):
    """(rank outside of the best inside, its value inside, outside) for every split, by its blocks inside.

    ``statistic(strategy, days)`` judges one strategy on a list of days.
    """
    n_blocks = len(edges) - 1
    found = {}
    for half in itertools.combinations(range(n_blocks), n_blocks // 2):
        chosen = [d for b in half for d in range(edges[b], edges[b + 1])]
        others = [d for d in range(edges[-1]) if d not in chosen]
        inside = [statistic(s, chosen) for s in range(n_strategies)]
        outside = [statistic(s, others) for s in range(n_strategies)]
        best = max(range(n_strategies), key=lambda s: (inside[s], -s))
        below = sum(x < outside[best] for x in outside)
        same = sum(x == outside[best] for x in outside)
        found[half] = (below + (same + 1) / 2, inside[best], outside[best])
    return found


def combine(equity, position):
    """Equity and share held of equal capital in each strategy, then left alone, from (T, S) arrays."""
    total = equity.sum(axis=1)
    return total / equity.shape[1], (equity * position).sum(axis=1) / total
