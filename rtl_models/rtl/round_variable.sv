// SPDX-License-Identifier: Apache-2.0

/// Cuts bits off a signed value and rounds, as many as an input says: value * 2^-(Cut + shift).
/// Combinational.
///
/// The value is shifted up by what a smaller shift does not cut, in front of a cut of constant
/// width: the zeros shifted in change no rounding.
module round_variable
  import bittrue_pkg::*;
#(
  /// Bits of the value, signed.
  parameter int unsigned InputWidth = 16,
  /// Bits that are always cut.
  parameter int unsigned Cut = 0,
  /// Largest shift.
  parameter int unsigned MaxShift = 8,
  /// How; not TRN_MAG where a shift may cut nothing, which it treats as no other value.
  parameter rounding_e Rounding = TIES_EVEN,
  /// Random bits, 0 for a deterministic rounding.
  parameter int unsigned RandomBits = 0,
  /// Add half a step of the random word where it is shorter than the cut.
  parameter bit Centered = 1'b1,
  /// Dependent, do not change: bits of a shift, of the random field's port, and of the result.
  localparam int unsigned ShiftWidth = MaxShift == 0 ? 1 : $clog2(MaxShift + 1),
  localparam int unsigned FieldWidth = RandomBits == 0 ? 1 : RandomBits,
  localparam int unsigned RoundedWidth = rounded_width(InputWidth + MaxShift, 1'b1, Cut + MaxShift)
) (
  /// The value.
  input  logic signed [InputWidth-1:0]   value_i,
  /// Bits to cut besides, 0 to MaxShift.
  input  logic [ShiftWidth-1:0]          shift_i,
  /// Random field, unsigned.
  input  logic [FieldWidth-1:0]          random_i,
  /// The rounded value.
  output logic signed [RoundedWidth-1:0] value_o
);

  localparam int unsigned AlignedWidth = InputWidth + MaxShift;

  if (Rounding == TRN_MAG && Cut == 0 && MaxShift > 0)
    $error("round_variable Rounding: got TRN_MAG; allowed: others where a shift may cut nothing");

  logic signed [AlignedWidth-1:0] aligned;
  assign aligned = AlignedWidth'(value_i) <<< (ShiftWidth'(MaxShift) - shift_i);

  round_shift #(
    .InputWidth(AlignedWidth),
    .Cut       (Cut + MaxShift),
    .Rounding  (Rounding),
    .RandomBits(RandomBits),
    .Centered  (Centered)
  ) u_round (
    .value_i(aligned),
    .random_i,
    .value_o
  );

endmodule
