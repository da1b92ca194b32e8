"""Trade strategies over a window of bars: kernels, simulation, capital, and the check against vectorbt."""
