"""Label kernels. All look ahead: the results are training targets and must never reach a strategy."""

import numpy as np
from numba import njit

SMOOTHING = 5  # bars of the centred mean, from the authors' published code
LIMIT_SPAN = 5000  # bars of the trailing mean that converts percent into price, from the same code


@njit(cache=True, nogil=True, error_model="numpy")
def centred_mean_nb(price, window):
    """Centred mean over ``window`` bars; the first ``window//2 + 1`` and last ``window//2`` stay raw."""
    out = price.copy()
    half = window // 2
    for i in range(half + 1, price.size - half):
        total = 0.0
        for j in range(i - half, i + half + 1):
            total += price[j]
        out[i] = total / window
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def trailing_mean_nb(x, window):
    """Mean over the last ``window`` elements, or over those available at the start.

    The running sum is recomputed every ``window`` elements, so that rounding errors do not accumulate.
    """
    out = np.empty(x.size)
    total = 0.0
    for i in range(x.size):
        if i % window == 0 and i > 0:
            total = 0.0
            for j in range(i - window, i):
                total += x[j]
        total += x[i]
        if i >= window:
            total -= x[i - window]
        out[i] = total / min(i + 1, window)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def weighted_future_nb(price, horizon):
    """Weighted mean of the next ``horizon`` prices, weights horizon, .., 1, nearest heaviest; (T - horizon,)."""
    out = np.empty(max(price.size - horizon, 0))
    norm = horizon * (horizon + 1) / 2.0
    for t in range(out.size):
        total = 0.0
        for i in range(1, horizon + 1):
            total += (horizon - i + 1) * price[t + i]
        out[t] = total / norm
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def threshold_nb(price, future, theta, edge):
    """Values and classes of a threshold label.

    Parameters
    ----------
    price : (T,) array of float64
    future : (T - horizon,) or empty array of float64
        Price that each price is compared with.
    theta : (T,) or (1,) array of float64
        Relative move that is an action.
    edge : float
        Size of the value above which a bar is an action; 1 for a move of theta.

    Returns
    -------
    value : (T,) array of float64
        -clip(move/theta, -1, 1)^3; 0 where the future lies beyond the data.
    classes : (T,) array of int8
    """
    n = price.size
    value, classes = np.zeros(n), np.ones(n, np.int8)
    stride = 1 if theta.size > 1 else 0
    for t in range(future.size):
        move = future[t] / price[t] - 1.0
        limit = theta[t * stride]
        if move >= limit:
            value[t], classes[t] = -1.0, 0
        elif move <= -limit:
            value[t], classes[t] = 1.0, 2
        else:
            share = move / limit
            value[t] = -(share * share * share)
            if edge < 1.0:
                classes[t] = 2 if value[t] > edge else 0 if value[t] < -edge else 1
    return value, classes


@njit(cache=True, nogil=True, error_model="numpy")
def ew_std_nb(log_return, span):
    """Trailing exponentially weighted standard deviation of returns, mean taken as 0."""
    out = np.empty(log_return.size)
    alpha = 2.0 / (span + 1.0)
    variance = 0.0
    weight = 0.0  # total weight so far: removes the bias of the start
    for i in range(log_return.size):
        variance += alpha * (log_return[i] * log_return[i] - variance)
        weight += alpha * (1.0 - weight)
        out[i] = np.sqrt(variance / weight)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def zigzag_nb(smooth, up, down):
    """Alternating troughs and peaks of a series.

    Parameters
    ----------
    smooth, up, down : (T,) array of float64
        The series, and per bar the rise that makes a leg and the fall that separates two legs, in price.

    Returns
    -------
    troughs, peaks, decided : (L,) array of int64
        Bars of each leg's trough and peak, and the bar whose value decided that the leg exists; T for a leg that is
        still open at the end.
    """
    n = smooth.size
    troughs, peaks, decided = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    legs = 0
    candidate, fresh = 0, False
    i = 0
    while i < n - 1:
        while i < n - 1 and smooth[i + 1] <= smooth[i]:
            i += 1
        if i == n - 1:
            break
        if fresh or smooth[i] <= smooth[candidate]:
            candidate, fresh = i, False
        while i < n - 1 and smooth[i + 1] > smooth[i]:
            i += 1
        if i == n - 1:  # still rising: the original keeps the open leg, whatever its height
            troughs[legs], peaks[legs], decided[legs] = candidate, i, n
            legs += 1
            break
        deciding = i + 1
        if smooth[i] - smooth[candidate] > up[deciding]:
            if legs > 0 and smooth[peaks[legs - 1]] - smooth[candidate] < down[deciding]:
                # the fall before it was too small; only with two legs does the original extend the peak
                if legs >= 2 and smooth[i] > smooth[peaks[legs - 1]]:
                    peaks[legs - 1] = i
            else:
                troughs[legs], peaks[legs], decided[legs] = candidate, i, deciding
                legs += 1
            fresh = True
        elif legs > 0 and smooth[i] > smooth[peaks[legs - 1]]:
            peaks[legs - 1] = i
            fresh = True
    return troughs[:legs], peaks[:legs], decided[:legs]


@njit(cache=True, nogil=True, error_model="numpy")
def legs_to_values_nb(smooth, troughs, peaks, decided, reach):
    """Continuous value in [-1, 1] and last bar used, each (T,), from the legs of `zigzag_nb`.

    A peak can move until the next leg is decided, so the bars from a trough to the next trough depend on the bar that
    decides the next leg. Bars that later data could still change get ``last_used = T``. ``reach`` is the number of bars
    that the smoothing looks ahead.
    """
    n, legs = smooth.size, troughs.size
    value = np.zeros(n)
    last_used = np.full(n, n, dtype=np.int64)
    if legs == 0:
        return value, last_used
    last_used[: troughs[0]] = min(decided[0] + reach, n)
    for leg in range(legs):
        end = troughs[leg + 1] if leg + 1 < legs else peaks[leg]
        settled = min(decided[leg + 1] + reach, n) if leg + 1 < legs else n
        for t in range(troughs[leg], end + 1):
            bottom = smooth[troughs[leg]] if t <= peaks[leg] else smooth[end]
            height = smooth[peaks[leg]] - bottom
            # on a plateau the next trough can be as high as the peak; that of an open leg even higher
            x = (smooth[t] - bottom) / height if height != 0.0 else 1.0
            value[t] = min(max(x**3 - (1.0 - x) ** 3, -1.0), 1.0)
            last_used[t] = settled
    return value, last_used


@njit(cache=True, nogil=True, error_model="numpy")
def first_touch_nb(price, up, down, horizon):
    """Move at the first touch of a barrier, or at the vertical one, as a share of the barrier's width.

    Parameters
    ----------
    price : (T,) array of float64
    up, down : (T,) array of float64
        Relative moves that touch the upper and lower barrier of each bar; a bar whose ``up`` is 0 has no barriers.
    horizon : int
        Bars to the vertical barrier.

    Returns
    -------
    relative : (T,) array of float64
        In [-1, 1]; 1 is a touch of the upper barrier. 0 where the end of the data comes first.
    last_used : (T,) array of int64
        Bar of the touch or of the vertical barrier; T where the end of the data comes first.
    """
    n = price.size
    relative = np.zeros(n)
    last_used = np.empty(n, np.int64)
    for t in range(n):
        if up[t] == 0.0:
            last_used[t] = t
            continue
        last_used[t] = min(t + horizon, n)
        # inside these limits no division is needed
        low, high = price[t] * (1.0 - down[t]) * (1.0 + 1e-12), price[t] * (1.0 + up[t]) * (1.0 - 1e-12)
        for j in range(t + 1, min(t + horizon, n - 1) + 1):
            if low < price[j] < high:
                continue
            move = price[j] / price[t] - 1.0
            if move >= up[t] or move <= -down[t]:
                relative[t] = 1.0 if move > 0.0 else -1.0
                last_used[t] = j
                break
        else:
            if t + horizon < n:
                move = price[t + horizon] / price[t] - 1.0
                relative[t] = move / up[t] if move > 0.0 else move / down[t]
    return relative, last_used


@njit(cache=True, nogil=True, error_model="numpy")
def strongest_trend_nb(x, shortest, longest, step):
    """The t-value of the slope that is largest in size, over windows that start at each bar.

    A window's mean, cross product and residual sum of squares are updated to those of the next longer window: the
    residual grows by the squared error of the forecast of the new point, a sum that nothing is subtracted from. So
    nearly straight windows lose no digits, and each window costs the same.

    Parameters
    ----------
    x : (T,) array of float64
    shortest, longest, step : int
        Windows hold the bar and the next ``shortest``, ``shortest + step``, .. up to ``longest`` bars.

    Returns
    -------
    t : (T,) array of float64
        The first of equals; infinite for a line without scatter, 0 where nothing moves, and 0 where the longest window
        does not fit.
    """
    n = x.size
    out = np.zeros(n)
    # m points, times 0 .. m - 1: sum of squared deviations, and the variance factor of the forecast of point m
    m = np.arange(1.0, longest + 2.0)
    squares = m * (m * m - 1.0) / 12.0
    spread = np.ones(longest + 1)
    for k in range(1, longest + 1):
        spread[k] = 1.0 + 1.0 / m[k] + 0.25 * (m[k] + 1.0) ** 2 / squares[k]
    for t in range(n - longest):
        mean = 0.5 * (x[t + 1] - x[t])
        cross, residual = mean, 0.0
        best, best_cross = 0.0, 0.0
        following = shortest
        for h in range(2, longest + 1):
            points = m[h - 1]  # before the new one
            y = x[t + h] - x[t]
            error = y - mean - cross / squares[h - 1] * 0.5 * (points + 1.0)
            residual += error * error / spread[h - 1]
            mean += (y - mean) / m[h]
            cross += 0.5 * (points + 1.0) * (y - mean)
            if h == following:
                following += step
                square = cross * cross / squares[h] * (points - 1.0)
                if square > best * residual:  # no division: a line without scatter has no residual
                    best, best_cross = square / residual if residual > 0.0 else np.inf, cross
        out[t] = np.sqrt(best) if best_cross > 0.0 else -np.sqrt(best)
    return out
