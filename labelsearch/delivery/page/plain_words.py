"""The questions of the table of belief in plain words, by key, for readers who do not know the names of the tests."""

QUESTIONS = {
    "rank": "Did strategies that scored better before earn more later? +1 always, 0 no link, "
    "-1 the other way round. In brackets: how far it changes if other days of this future are drawn.",
    "rank_positive": "The same among those one would have thought of trading.",
    "rank_partial": "The same after taking away how much a strategy simply held and traded.",
    "sharpe_all": "How sure is it that the past result is not just the luckiest of all tries? Below 0.95: not sure.",
    "sharpe": "How sure is it that the past result is not just the luckiest of all tries?",
    "sharpe_different": "The same if near-copies count as one try.",
    "overfitting": "Pick the winner on half of the days: how often is it worse than the middle on the "
    "other half? Near 0.5, picking is guessing.",
    "overfitting_sharpe": "The same if the winner is picked by its Sharpe ratio.",
    "superior_past": "If nothing beat the market, how often would the best still look this "
    "good? Below 0.05 it probably beats it.",
    "superior_future": "The same on future, for the strategies that were chosen. This one counts most.",
    "timing": "If the positions knew nothing of where prices go, how often would they still earn "
    "this much? Below 0.05 is good.",
    "alpha": "Is anything earned beyond holding a share of the market? Above 2: probably.",
    "without_costs": "What trading and borrowing cost is the difference.",
    "without_fortnight": "If little is left, the result was one lucky stretch.",
    "alike": "Near 1 a tier is one bet, however many strategies are in it.",
    "members": "Each classifier is the mean of several networks. What if only one of them had been trained? A wide "
    "spread: chance decides.",
    "seeds": "The same experiment with other random numbers. A wide spread: chance decides.",
    "looks": "Only the first look at data is a fair test.",
}
