// SPDX-License-Identifier: Apache-2.0

/// The first stages of a table link: v = t + offset, and its table index u = saturate(TIES_POS((v *
/// index_multiplier) >> index_shift)).
///
/// They leave OffsetStages + IndexMultiplyStages + IndexRoundStages enabled cycles after the dot
/// product came, and the index once more when its coefficient does.
module link_index
  import bittrue_pkg::*;
#(
  /// The link, for messages.
  parameter string Unit = "link_index",
  /// Bits of the dot product and of the offset, signed.
  parameter int unsigned AccumulatorWidth = 32,
  /// Bits of the record above the offset.
  parameter int unsigned RestWidth = 1,
  /// Bits of the index's scale register, unsigned.
  parameter int unsigned MultiplierWidth = 16,
  /// Bits of the table index u, signed.
  parameter int unsigned IndexWidth = 4,
  /// Largest shift.
  parameter int unsigned MaxShift = 62,
  /// Register stages behind adding the offset, 0 to 4.
  parameter int unsigned OffsetStages = DefaultStages,
  /// Register stages behind the index's multiplier, 0 to 4.
  parameter int unsigned IndexMultiplyStages = DefaultStages,
  /// Register stages behind its rounding and saturation, 0 to 4.
  parameter int unsigned IndexRoundStages = DefaultStages,
  /// Register stages of the link behind this unit.
  parameter int unsigned LateStages = 4,
  /// Dependent, do not change: bits of a shift, and of v.
  localparam int unsigned ShiftWidth = MaxShift == 0 ? 1 : $clog2(MaxShift + 1),
  localparam int unsigned SumWidth = AccumulatorWidth + 1
) (
  /// Clock.
  input  logic                                  clk_i,
  /// Asynchronous reset, active low.
  input  logic                                  rst_ni,
  /// High to move all stages on.
  input  logic                                  enable_i,
  /// Scale register of the index; does not change while beats are under way.
  input  logic [MultiplierWidth-1:0]            multiplier_i,
  /// Bits cut from the index product, 0 to MaxShift; does not change while beats are under way.
  input  logic [ShiftWidth-1:0]                 shift_i,
  /// Dot product t.
  input  logic signed [AccumulatorWidth-1:0]    total_i,
  /// Record of the sample: its offset in the low bits, the rest above.
  input  logic [AccumulatorWidth+RestWidth-1:0] record_i,
  /// v.
  output logic signed [SumWidth-1:0]            sum_o,
  /// Index u.
  output logic signed [IndexWidth-1:0]          index_o,
  /// From the low end: the index overflowed, the index u; LateStages later.
  output logic [IndexWidth:0]                   late_o,
  /// The rest of the record.
  output logic [RestWidth-1:0]                  rest_o
);

  if (AccumulatorWidth < 2 || AccumulatorWidth > 64)
    $error("%s AccumulatorWidth: got %0d; allowed: 2 to 64", Unit, AccumulatorWidth);
  if (MultiplierWidth < 2 || MultiplierWidth > 24)
    $error("%s MultiplierWidth: got %0d; allowed: 2 to 24", Unit, MultiplierWidth);
  if (IndexWidth < 2 || IndexWidth > 12)
    $error("%s IndexWidth: got %0d; allowed: 2 to 12", Unit, IndexWidth);
  if (OffsetStages > 4) $error("%s OffsetStages: got %0d; allowed: 0 to 4", Unit, OffsetStages);
  if (IndexMultiplyStages > 4)
    $error("%s IndexMultiplyStages: got %0d; allowed: 0 to 4", Unit, IndexMultiplyStages);
  if (IndexRoundStages > 4)
    $error("%s IndexRoundStages: got %0d; allowed: 0 to 4", Unit, IndexRoundStages);

  logic signed [AccumulatorWidth-1:0] offset;
  logic signed [SumWidth-1:0] sum_d, sum_q;
  logic [RestWidth-1:0] rest_d, rest_q;
  logic overflow;

  assign {rest_d, offset} = record_i;
  assign sum_d = SumWidth'(total_i) + SumWidth'(offset);

  delay_line #(
    .Width (RestWidth + SumWidth),
    .Stages(OffsetStages)
  ) u_offset (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i({rest_d, sum_d}),
    .data_o({rest_q, sum_q})
  );

  scale #(
    .ValueWidth     (SumWidth),
    .MultiplierWidth(MultiplierWidth),
    .OutputWidth    (IndexWidth),
    .Rounding       (TIES_POS),
    .Overflow       (SAT),
    .MaxShift       (MaxShift),
    .MultiplyStages (IndexMultiplyStages),
    .RoundStages    (0),
    .SaturateStages (IndexRoundStages)
  ) u_scale (
    .clk_i,
    .rst_ni,
    .enable_i,
    .value_i   (sum_q),
    .multiplier_i,
    .shift_i,
    .random_i  (1'b0),
    .value_o   (index_o),
    .overflow_o(overflow)
  );

  delay_line #(
    .Width (IndexWidth + 1),
    .Stages(LateStages)
  ) u_late (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i({index_o, overflow}),
    .data_o(late_o)
  );

  delay_line #(
    .Width (RestWidth + SumWidth),
    .Stages(IndexMultiplyStages + IndexRoundStages)
  ) u_along (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i({rest_q, sum_q}),
    .data_o({rest_o, sum_o})
  );

endmodule
