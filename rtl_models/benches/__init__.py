"""Benches of the units: stimuli, reference, coverage; run inside the simulator."""
