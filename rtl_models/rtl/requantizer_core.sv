// SPDX-License-Identifier: Apache-2.0

/// Brings an exact integer into a format: cuts bits and rounds, then applies overflow.
/// Combinational.
module requantizer_core
  import bittrue_pkg::*;
#(
  /// Bits of the value.
  parameter int unsigned InputWidth = 16,
  /// The value is two's complement (1) or unsigned (0).
  parameter bit InputSigned = 1'b1,
  /// Bits to cut; negative or 0 for an exact left shift.
  parameter int Cut = 8,
  /// Bits of the result.
  parameter int unsigned OutputWidth = 8,
  /// The result is two's complement (1) or unsigned (0).
  parameter bit OutputSigned = 1'b1,
  /// What happens to the bits cut off.
  parameter rounding_e Rounding = TIES_EVEN,
  /// What happens past the ends of the format.
  parameter overflow_e Overflow = SAT,
  /// Bits of the random field, 1 to 32 for the stochastic modes, 0 for all others.
  parameter int unsigned RandomBits = 0,
  /// For STOCHASTIC with fewer random bits than bits cut: add half a step of the random field.
  parameter bit Centered = 1'b1,
  /// Dependent, do not change: bits of the random field's port.
  localparam int unsigned FieldWidth = RandomBits == 0 ? 1 : RandomBits
) (
  /// The value.
  input  logic [InputWidth-1:0]  value_i,
  /// Random field, unsigned.
  input  logic [FieldWidth-1:0]  random_i,
  /// The result.
  output logic [OutputWidth-1:0] value_o,
  /// High if the rounded value lay outside the format.
  output logic                   overflow_o
);

  localparam int unsigned RoundedWidth = rounded_width(InputWidth, InputSigned, Cut);
  logic signed [RoundedWidth-1:0] rounded;

  round_shift #(
    .InputWidth (InputWidth),
    .InputSigned(InputSigned),
    .Cut        (Cut),
    .Rounding   (Rounding),
    .RandomBits (RandomBits),
    .Centered   (Centered)
  ) u_round (
    .value_i,
    .random_i,
    .value_o(rounded)
  );

  saturate #(
    .InputWidth  (RoundedWidth),
    .OutputWidth (OutputWidth),
    .OutputSigned(OutputSigned),
    .Overflow    (Overflow)
  ) u_overflow (
    .value_i(rounded),
    .value_o,
    .overflow_o
  );

endmodule
