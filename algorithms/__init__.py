"""Training algorithms: problems, data, and solvers that drive the engine."""
