"""The brackets of Hyperband. Importing this loads nothing."""


def brackets(n_trials: int, max_epochs: int) -> list[tuple[int, list[int]]]:
    """Trials of each bracket of Hyperband, and the epochs after which the worse two thirds of them end.

    The brackets of Li et al. (2018) with a reduction factor of 3, from the one of most trials to the one of fewest,
    over and over. One that the trials left cannot fill is passed over: it would end most of a few after an epoch.
    """
    rungs = [max_epochs]
    while rungs[0] > 1 and round(rungs[0] / 3) >= 1:
        rungs.insert(0, round(rungs[0] / 3))
    n = len(rungs)
    kinds = [(-(-n * 3**k // (k + 1)), rungs[n - 1 - k :]) for k in reversed(range(n))]
    found: list[tuple[int, list[int]]] = []
    left = n_trials
    while left >= kinds[-1][0]:
        for size, epochs in kinds:
            if size <= left:
                found.append((size, epochs))
                left -= size
    return [*found, (left, [max_epochs])] if left else found


def epochs_of_trials(n_trials: int, max_epochs: int) -> int:
    """Epochs that all trials take together.

    >>> epochs_of_trials(9, 9)  # nine of one epoch, three of two more, one of six more
    21
    """
    total = 0
    for size, rungs in brackets(n_trials, max_epochs):
        before = 0
        for rung in rungs:
            total += size * (rung - before)
            before, size = rung, max(1, size // 3)
    return total
