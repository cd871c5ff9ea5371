// SPDX-License-Identifier: Apache-2.0

/// Multiplies by a scale register and shifts right: overflow(round((value * multiplier) >> shift)).
///
/// The shift is an input. Result and flag appear MultiplyStages + RoundStages + SaturateStages
/// enabled cycles after the operands.
module scale
  import bittrue_pkg::*;
#(
  /// Bits of the value, signed.
  parameter int unsigned ValueWidth = 33,
  /// Bits of the multiplier, unsigned.
  parameter int unsigned MultiplierWidth = 16,
  /// Bits of the result, signed.
  parameter int unsigned OutputWidth = 16,
  /// Rounding, any but TRN_MAG, which acts on a shift of 0 as on no other.
  parameter rounding_e Rounding = TIES_EVEN,
  /// What the result does past its ends.
  parameter overflow_e Overflow = SAT,
  /// Random bits, 0 for a deterministic rounding.
  parameter int unsigned RandomBits = 0,
  /// Largest shift.
  parameter int unsigned MaxShift = 62,
  /// Register stages behind the multiplier.
  parameter int unsigned MultiplyStages = DefaultStages,
  /// Register stages between rounding and saturating.
  parameter int unsigned RoundStages = DefaultStages,
  /// Register stages behind saturating.
  parameter int unsigned SaturateStages = DefaultStages,
  /// Dependent, do not change: bits of a shift, and of the random field's port.
  localparam int unsigned ShiftWidth = MaxShift == 0 ? 1 : $clog2(MaxShift + 1),
  localparam int unsigned FieldWidth = RandomBits == 0 ? 1 : RandomBits
) (
  /// Clock.
  input  logic                          clk_i,
  /// Asynchronous reset, active low.
  input  logic                          rst_ni,
  /// High to move all stages on.
  input  logic                          enable_i,
  /// Value.
  input  logic signed [ValueWidth-1:0]  value_i,
  /// Multiplier, together with the value.
  input  logic [MultiplierWidth-1:0]    multiplier_i,
  /// Bits to cut, 0 to MaxShift; does not change while values are under way.
  input  logic [ShiftWidth-1:0]         shift_i,
  /// Random field, used MultiplyStages cycles after the value came in.
  input  logic [FieldWidth-1:0]         random_i,
  /// Result.
  output logic signed [OutputWidth-1:0] value_o,
  /// High if the result overflowed.
  output logic                          overflow_o
);

  localparam int unsigned ProductWidth = ValueWidth + MultiplierWidth;
  localparam int unsigned RoundedWidth = rounded_width(ProductWidth + MaxShift, 1'b1, MaxShift);

  if (Rounding == TRN_MAG) $error("scale Rounding: got TRN_MAG; allowed: any other mode");

  logic signed [ProductWidth-1:0] product_d, product_q;
  logic signed [RoundedWidth-1:0] rounded_d, rounded_q;
  logic signed [OutputWidth-1:0] value_d;
  logic overflow_d;

  assign product_d = ProductWidth'(value_i) * ProductWidth'($signed({1'b0, multiplier_i}));

  delay_line #(
    .Width (ProductWidth),
    .Stages(MultiplyStages)
  ) u_multiply (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i(product_d),
    .data_o(product_q)
  );

  round_variable #(
    .InputWidth(ProductWidth),
    .MaxShift  (MaxShift),
    .Rounding  (Rounding),
    .RandomBits(RandomBits)
  ) u_round (
    .value_i(product_q),
    .shift_i,
    .random_i,
    .value_o(rounded_d)
  );

  delay_line #(
    .Width (RoundedWidth),
    .Stages(RoundStages)
  ) u_rounded (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i(rounded_d),
    .data_o(rounded_q)
  );

  saturate #(
    .InputWidth (RoundedWidth),
    .OutputWidth(OutputWidth),
    .Overflow   (Overflow)
  ) u_overflow (
    .value_i   (rounded_q),
    .value_o   (value_d),
    .overflow_o(overflow_d)
  );

  delay_line #(
    .Width (OutputWidth + 1),
    .Stages(SaturateStages)
  ) u_saturated (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i({overflow_d, value_d}),
    .data_o({overflow_o, value_o})
  );

endmodule
