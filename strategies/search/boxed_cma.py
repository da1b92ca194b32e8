"""CMA-ES for emitters of pyribs that puts points outside of the box on its edge, where good strategies often lie."""

import numpy as np
from cmaes import CMA
from ribs.emitters.opt import EvolutionStrategyBase


class BoxedCma(EvolutionStrategyBase):
    """The strategy of Hansen and Ostermeier (2001) from the package ``cmaes``, in the unit cube.

    That of pyribs draws again until a point lies inside, which keeps it away from the edges and narrows it.
    Arguments as those of its base class; it never stops by itself.
    """

    def __init__(
        self,
        sigma0: float,
        solution_dim: int,
        batch_size: int | None = None,
        seed: int | None = None,
        dtype: object = np.float64,
        lower_bounds: float | np.ndarray = 0.0,
        upper_bounds: float | np.ndarray = 1.0,
    ) -> None:
        self.sigma0, self.solution_dim = sigma0, int(solution_dim)
        self.batch_size = batch_size or 4 + int(3 * np.log(solution_dim))
        self._rng = np.random.default_rng(seed)
        self._bounds = np.column_stack(
            [np.broadcast_to(bound, (self.solution_dim,)) for bound in (lower_bounds, upper_bounds)]
        ).astype(np.float64)
        self._points = np.empty((0, self.solution_dim))

    def reset(self, x0: np.ndarray) -> None:
        """Start anew at a mean (P,)."""
        low, high = self._bounds.T
        inside = 1e-6 * (high - low)
        self._cma = CMA(
            mean=np.clip(x0, low + inside, high - inside),
            sigma=self.sigma0,
            bounds=self._bounds,
            population_size=self.batch_size,
            n_max_resampling=1,
            seed=int(self._rng.integers(2**31)),
        )

    def check_stop(self, ranking_values: np.ndarray) -> bool:
        """Never: the search decides when a climb is over."""
        return False

    def ask(self, batch_size: int | np.integer | None = None) -> np.ndarray:
        """Points (batch_size, P) of the next generation."""
        self._points = np.array([self._cma.ask() for _ in range(int(batch_size or self.batch_size))])
        return self._points

    def tell(self, ranking_indices: np.ndarray, ranking_values: np.ndarray, num_parents: int | np.integer) -> None:
        """Take the order of the generation, best first."""
        self._cma.tell([(self._points[i], float(place)) for place, i in enumerate(ranking_indices)])
