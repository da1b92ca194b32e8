"""The questions of the table of belief once more, for readers who do not know the names of the tests."""

QUESTIONS = {
    "Past score ranks future return": "Did strategies that scored better before earn more later? +1 always, 0 no link, "
    "-1 the other way round. In brackets: where it may truly lie.",
    "- among positive scores": "The same among those one would have thought of trading.",
    "- given position and trades": "The same after taking away how much a strategy simply held and traded.",
    "Deflated Sharpe on past, all tries": "How sure is it that the past result is not just the luckiest of all tries? "
    "Below 0.95: not sure.",
    "Deflated Sharpe on past": "How sure is it that the past result is not just the luckiest of all tries?",
    "- different tries only": "The same if near-copies count as one try.",
    "Probability of overfitting": "Pick the winner on half of the days: how often is it worse than the middle on the "
    "other half? Near 0.5, picking is guessing.",
    "- choosing by Sharpe": "The same if the winner is picked by its Sharpe ratio.",
    "Best of all beats buy and hold, past p": "If nothing beat the market, how often would the best still look this "
    "good? Below 0.05 it probably beats it.",
    "Best of tier, future p": "The same on future, for the strategies that were chosen. This one counts most.",
    "Placebo on future, p": "The same trading with signals shifted in time, so that they know nothing: how often does "
    "it do as well? Below 0.05 is good.",
    "Alpha on future, t": "Is anything earned beyond holding a share of the market? Above 2: probably.",
    "Future return without fees, %": "What the exchange takes is the difference.",
    "- without its best fortnight, %": "If little is left, the result was one lucky stretch.",
    "How alike members are": "Near 1 a tier is one bet, however many strategies are in it.",
    "Future return over seeds, %": "The same experiment with other random numbers. A wide spread: chance decides.",
    "Looks at this future": "Only the first look at data is a fair test.",
}
