"""Bit-true arithmetic, datapaths and the training engine."""
