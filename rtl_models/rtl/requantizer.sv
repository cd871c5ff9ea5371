// SPDX-License-Identifier: Apache-2.0

/// Brings exact integers into a format: cuts bits and rounds, then applies overflow; with optional
/// register stages.
///
/// Equal to sim.reference.cast. A result appears bittrue_pkg::requantizer_latency(RoundStages,
/// OverflowStages) enabled cycles after its value and random field; with both 0 the unit is
/// combinational.
module requantizer
  import bittrue_pkg::*;
#(
  /// Bits of a value, 1 to 64.
  parameter int unsigned InputWidth = 16,
  /// Values are two's complement (1) or unsigned (0).
  parameter bit InputSigned = 1'b1,
  /// Bits to cut, -64 to 64; negative or 0 for an exact left shift.
  parameter int Cut = 8,
  /// Bits of a result, 1 to 64.
  parameter int unsigned OutputWidth = 8,
  /// Results are two's complement (1) or unsigned (0).
  parameter bit OutputSigned = 1'b1,
  /// What happens to the bits cut off.
  parameter rounding_e Rounding = TIES_EVEN,
  /// What happens past the ends of the format.
  parameter overflow_e Overflow = SAT,
  /// Random bits a value, 1 to 32 for the stochastic modes, 0 for all others.
  parameter int unsigned RandomBits = 0,
  /// For STOCHASTIC with fewer random bits than bits cut: add half a step of the random field.
  parameter bit Centered = 1'b1,
  /// Register stages between rounding and overflow, 0 to 4.
  parameter int unsigned RoundStages = 0,
  /// Register stages behind overflow, 0 to 4.
  parameter int unsigned OverflowStages = 1,
  /// Dependent, do not change: bits of the random field's port, and cycles from a value to its
  /// result.
  localparam int unsigned FieldWidth = RandomBits == 0 ? 1 : RandomBits,
  localparam int unsigned Latency = requantizer_latency(RoundStages, OverflowStages)
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low: all stages become 0.
  input  logic                   rst_ni,
  /// High to move the register stages on.
  input  logic                   enable_i,
  /// A value.
  input  logic [InputWidth-1:0]  value_i,
  /// Its random field, unsigned; any value for a deterministic mode.
  input  logic [FieldWidth-1:0]  random_i,
  /// A result.
  output logic [OutputWidth-1:0] value_o,
  /// High if the rounded value lay outside the format.
  output logic                   overflow_o
);

  if (InputWidth < 1 || InputWidth > 64)
    $error("requantizer InputWidth: got %0d; allowed: 1 to 64", InputWidth);
  if (OutputWidth < 1 || OutputWidth > 64)
    $error("requantizer OutputWidth: got %0d; allowed: 1 to 64", OutputWidth);
  if (Cut < -64 || Cut > 64) $error("requantizer Cut: got %0d; allowed: -64 to 64", Cut);
  if (RoundStages > 4) $error("requantizer RoundStages: got %0d; allowed: 0 to 4", RoundStages);
  if (OverflowStages > 4)
    $error("requantizer OverflowStages: got %0d; allowed: 0 to 4", OverflowStages);

  localparam int unsigned RoundedWidth = rounded_width(InputWidth, InputSigned, Cut);
  logic signed [RoundedWidth-1:0] rounded_d, rounded_q;
  logic [OutputWidth-1:0] value_d;
  logic overflow_d;

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
    .InputWidth  (RoundedWidth),
    .OutputWidth (OutputWidth),
    .OutputSigned(OutputSigned),
    .Overflow    (Overflow)
  ) u_overflow (
    .value_i   (rounded_q),
    .value_o   (value_d),
    .overflow_o(overflow_d)
  );

  delay_line #(
    .Width (OutputWidth + 1),
    .Stages(OverflowStages)
  ) u_result (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i({overflow_d, value_d}),
    .data_o({overflow_o, value_o})
  );

endmodule
