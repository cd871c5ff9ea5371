"""The circuit: SystemVerilog units, and what simulates them."""
