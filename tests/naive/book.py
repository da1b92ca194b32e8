"""Slow plain twin of `strategies.book`: one strategy, one row, one market at a time, weights by linear algebra."""

import math

import numpy as np

from tests.naive.strategies import signal

MAPS = ("half", "clip", "logistic")


def project(weights, betas):
    """Weights of the members without what dollars and betas explain, by least squares."""
    n = len(weights)
    if n < 3:
        return [0.0] * n
    columns = [np.ones(n)] if np.ptp(betas) < 1e-6 else [np.ones(n), np.array(betas)]
    design = np.column_stack(columns)
    fitted, *_ = np.linalg.lstsq(design, np.array(weights), rcond=None)
    return list(np.array(weights) - design @ fitted)


def weigh(wishes, window, t, rules, rounds):
    """Weights of all markets from their wishes."""
    members = [m for m in range(len(wishes)) if window.member[t, m]]
    out = [0.0] * len(wishes)
    if rules.kind == 2:
        best = max(members, key=lambda m: abs(wishes[m]), default=None)
        if best is not None and wishes[best] != 0:
            out[best] = math.copysign(rules.gross, wishes[best])
        return out
    neutral = rules.kind == 1
    betas = [window.beta[t, m] for m in members]
    weights = [(wishes[m] if neutral else max(wishes[m], 0.0)) * window.inverse_sigma[t, m] for m in members]
    for _ in range(rounds):
        weights = project(weights, betas) if neutral else weights
        total = sum(map(abs, weights))
        if total <= 1e-12:
            break
        weights = [w * rules.gross / total for w in weights]
        if max(map(abs, weights)) <= rules.cap * (1 + 1e-9):
            break
        weights = [min(max(w, -rules.cap), rules.cap) for w in weights]
    weights = project(weights, betas) if neutral else weights
    total = sum(map(abs, weights))
    if total <= 1e-12:
        return out
    scale = min(1.0, rules.gross / total, rules.cap / max(map(abs, weights)))
    for m, w in zip(members, weights, strict=True):
        out[m] = w * scale
    return out


def wanted(params, window, rules, rounds):
    """Weights (T, M) that one strategy wants."""
    n_rows, n_intervals, n_outputs, n_markets = window.outputs.shape
    buy, sell, delta, _, _, span = params[n_outputs : n_outputs + 6]
    shares = params[n_outputs + 6 :] if n_intervals > 1 else [1.0]
    strength = [[0.5] * n_markets for _ in range(n_intervals)]
    wish, rows = [0.0] * n_markets, []
    for t in range(n_rows):
        for m in range(n_markets):
            sides = []
            for i in range(n_intervals):
                outputs = window.outputs[t, i, :, m]
                if not np.isnan(outputs).any():
                    s, held = signal(params[:n_outputs], outputs, MAPS[rules.signal_map]), strength[i][m]
                    if (s > buy and s - held > delta) or (s < sell and held - s > delta):
                        strength[i][m] = s
                sides.append(2 * strength[i][m] - 1)
            aim = sum(a * x for a, x in zip(shares, sides, strict=True)) / sum(shares)
            if n_intervals > 1:
                aim *= abs(sum(math.copysign(1, x) if x else 0 for x in sides)) / n_intervals
            wish[m] += 2 / (span + 1) * (aim - wish[m])
        rows.append(weigh(wish, window, t, rules, rounds))
    return rows


def trade(weights, b, bk, window, rules):
    """Trade one account towards weights; equity at each close, weights held, and a ledger of (row, market, value)."""
    n_rows, n_markets = window.close.shape
    fee = rules.fee_share
    cash, units, orders = 1.0, [0.0] * n_markets, {}
    equities, held, ledger, paid = [], [], [], dict.fromkeys(("funding", "borrow", "fees", "slippage"), 0.0)

    def fill(t, m, value, price):
        nonlocal cash
        share = min(window.half_spread[t, m] + window.impact[t, m] * math.sqrt(abs(value)), 0.5)
        if window.impact[t, m] == 0:
            share = window.half_spread[t, m]
        traded = abs(value) * (1 + math.copysign(share, value))
        cash -= math.copysign(traded, value) + fee * traded
        units[m] += value / price
        paid["fees"] += fee * traded
        paid["slippage"] += abs(value) * share
        ledger.append((t, m, value))

    for t in range(n_rows):
        for m in range(n_markets):
            due = units[m] * window.funding[t, m, 0]
            lent = max(-units[m], 0.0) * window.borrow[t, m]
            cash -= due + lent
            paid["funding"] += due
            paid["borrow"] += lent
        equity = cash + sum(u * p for u, p in zip(units, window.open[t], strict=True))
        if orders and equity > 1e-12:
            wants = {m: w for m, w in orders.items() if window.traded[t, m]}
            sizes = {m: abs(w * equity - units[m] * window.open[t, m]) for m, w in wants.items()}
            cost = 0.0
            for m, size in sizes.items():
                slip = window.half_spread[t, m]
                if window.impact[t, m] > 0:
                    slip = min(slip + window.impact[t, m] * math.sqrt(size), 0.5)
                cost += size * (fee + slip)
            for m, w in wants.items():
                value = w * max(equity - cost, 0.0) - units[m] * window.open[t, m]
                if abs(value) > 1e-12:
                    fill(t, m, value, window.open[t, m])
                if w == 0:
                    units[m] = 0.0
        elif orders:
            cash, units = 0.0, [0.0] * n_markets
        for m in range(n_markets):
            due = units[m] * window.funding[t, m, 1]
            cash -= due
            paid["funding"] += due
            if window.last_row[m] == t:
                if abs(units[m] * window.close[t, m]) > 1e-12:
                    fill(t, m, -units[m] * window.close[t, m], window.close[t, m])
                units[m] = 0.0
        equity = cash + sum(u * p for u, p in zip(units, window.close[t], strict=True))
        if equity <= 1e-12:
            cash, units, equity = 0.0, [0.0] * n_markets, 0.0
        equities.append(equity)
        held.append([u * p / equity if equity else 0.0 for u, p in zip(units, window.close[t], strict=True)])
        orders, after = {}, {}
        for m in range(n_markets):
            if equity == 0 or window.last_row[m] <= t:
                continue
            if not window.member[t, m]:
                if units[m]:
                    orders[m] = 0.0
                continue
            band = window.band_unit[t, m] * (b + bk * window.doubt[t, m])
            away = weights[t][m] - held[-1][m]
            if abs(away) > max(band, 1e-12):
                orders[m] = weights[t][m] - math.copysign(band, away)
            after[m] = orders.get(m, held[-1][m])
        beta = sum(share * window.beta[t, m] for m, share in after.items())
        if rules.kind == 1 and max(abs(sum(after.values())), abs(beta)) > rules.drift:
            orders.update({m: weights[t][m] for m in after})
    return equities, held, ledger, paid
