// SPDX-License-Identifier: Apache-2.0

/// The centred table link, for smooth generalised linear models: c = overflow(round((v * R[q, u])
/// >> shift)) with v = t + offset and the table index u = saturate(TIES_POS((v * index_multiplier)
/// >> index_shift)).
///
/// Slope R[q, u] lies at address {q, u + 2^(IndexWidth-1)}, q above. Streams are AXI4-Stream; a
/// coefficient leaves bittrue_pkg::link_table_latency(...) cycles after its dot product was taken;
/// while it waits, everything waits. `random_next_o` is high in the cycle in which a stochastic
/// rounding uses `random_i`.
module link_centred_table
  import bittrue_pkg::*;
#(
  /// Bits of the dot product and of the offset, signed.
  parameter int unsigned AccumulatorWidth = 32,
  /// Bits of the coefficient, signed.
  parameter int unsigned CoefficientWidth = 16,
  /// Rounding of the coefficient, any but TRN_MAG; a stochastic one takes 32 random bits.
  parameter rounding_e CoefficientRounding = TIES_EVEN,
  /// What the coefficient does past its ends.
  parameter overflow_e CoefficientOverflow = SAT,
  /// Bits of the index's scale register, unsigned.
  parameter int unsigned MultiplierWidth = 16,
  /// Bits of a slope, unsigned.
  parameter int unsigned SlopeWidth = 12,
  /// Bits of the table index u, signed.
  parameter int unsigned IndexWidth = 4,
  /// Bits of the margin index q: 2^GridWidth rows of slopes; 0 for one row.
  parameter int unsigned GridWidth = 4,
  /// Largest shift.
  parameter int unsigned MaxShift = 62,
  /// Register stages behind adding the offset, 0 to 4.
  parameter int unsigned OffsetStages = DefaultStages,
  /// Register stages behind the index's multiplier, 0 to 4.
  parameter int unsigned IndexMultiplyStages = DefaultStages,
  /// Register stages behind its rounding and saturation, 0 to 4; with at least one the table can be
  /// a block memory.
  parameter int unsigned IndexRoundStages = DefaultStages,
  /// Register stages behind the table, 0 to 4.
  parameter int unsigned TableStages = DefaultStages,
  /// Register stages behind the coefficient's multiplier, 0 to 4.
  parameter int unsigned MultiplyStages = DefaultStages,
  /// Register stages behind its rounding, 0 to 4.
  parameter int unsigned RoundStages = DefaultStages,
  /// Register stages behind its saturation, 1 to 4.
  parameter int unsigned SaturateStages = DefaultStages,
  /// Dependent, do not change: bits of a shift, of a table address, and of q's field (never none).
  localparam int unsigned ShiftWidth = MaxShift == 0 ? 1 : $clog2(MaxShift + 1),
  localparam int unsigned AddressWidth = GridWidth + IndexWidth,
  localparam int unsigned GridField = GridWidth == 0 ? 1 : GridWidth
) (
  /// Clock.
  input  logic                                  clk_i,
  /// Asynchronous reset, active low: beats under way are dropped, the table stays.
  input  logic                                  rst_ni,
  /// Bits cut from the product, S, 0 to MaxShift; does not change while beats are under way.
  input  logic [ShiftWidth-1:0]                 shift_i,
  /// Scale register M of the index; does not change while beats are under way.
  input  logic [MultiplierWidth-1:0]            index_multiplier_i,
  /// Bits cut from the index product, S1, 0 to MaxShift; does not change while beats are under way.
  input  logic [ShiftWidth-1:0]                 index_shift_i,
  /// High to write a slope.
  input  logic                                  table_write_i,
  /// Its address.
  input  logic [AddressWidth-1:0]               table_address_i,
  /// The slope to write.
  input  logic [SlopeWidth-1:0]                 table_data_i,
  /// Word of the coefficient's generator.
  input  logic [31:0]                           random_i,
  /// High when a beat uses `random_i`: the generator advances.
  output logic                                  random_next_o,
  /// Dot product t.
  input  logic [AccumulatorWidth-1:0]           s_axis_tdata,
  /// Record of the sample: its offset in the low bits, q above (0 if GridWidth is 0).
  input  logic [AccumulatorWidth+GridField-1:0] s_axis_tuser,
  /// High while a dot product is offered.
  input  logic                                  s_axis_tvalid,
  /// High when it is taken.
  output logic                                  s_axis_tready,
  /// Coefficient c.
  output logic [CoefficientWidth-1:0]           m_axis_tdata,
  /// From the low end: the coefficient overflowed, the index overflowed, the index u.
  output logic [IndexWidth+1:0]                 m_axis_tuser,
  /// High while a coefficient is offered.
  output logic                                  m_axis_tvalid,
  /// High when it is taken.
  input  logic                                  m_axis_tready
);

  localparam int unsigned SumWidth = AccumulatorWidth + 1;
  localparam int unsigned LookupStages = OffsetStages + IndexMultiplyStages + IndexRoundStages;
  localparam int unsigned EarlyStages = LookupStages + TableStages + MultiplyStages;
  localparam int unsigned Latency = link_table_latency(
      OffsetStages,
      IndexMultiplyStages,
      IndexRoundStages,
      TableStages,
      MultiplyStages,
      RoundStages,
      SaturateStages
  );

  if (SlopeWidth < 2 || SlopeWidth > 24)
    $error("link_centred_table SlopeWidth: got %0d; allowed: 2 to 24", SlopeWidth);
  if (GridWidth > 12) $error("link_centred_table GridWidth: got %0d; allowed: 0 to 12", GridWidth);
  if (TableStages > 4)
    $error("link_centred_table TableStages: got %0d; allowed: 0 to 4", TableStages);

  logic signed [SumWidth-1:0] sum, sum_q;
  logic signed [IndexWidth-1:0] index;
  logic [GridField-1:0] grid;

  // Index u
  link_index #(
    .Unit               ("link_centred_table"),
    .AccumulatorWidth   (AccumulatorWidth),
    .RestWidth          (GridField),
    .MultiplierWidth    (MultiplierWidth),
    .IndexWidth         (IndexWidth),
    .MaxShift           (MaxShift),
    .OffsetStages       (OffsetStages),
    .IndexMultiplyStages(IndexMultiplyStages),
    .IndexRoundStages   (IndexRoundStages),
    .LateStages         (Latency - LookupStages)
  ) u_index (
    .clk_i,
    .rst_ni,
    .enable_i    (s_axis_tready),
    .multiplier_i(index_multiplier_i),
    .shift_i     (index_shift_i),
    .total_i     (s_axis_tdata),
    .record_i    (s_axis_tuser),
    .sum_o       (sum),
    .index_o     (index),
    .late_o      (m_axis_tuser[IndexWidth+1:1]),
    .rest_o      (grid)
  );

  // Slope R[q, u]
  logic [SlopeWidth-1:0] table_q[1<<AddressWidth];
  logic [SlopeWidth-1:0] slope, slope_q;
  logic [IndexWidth-1:0] entry;
  logic [AddressWidth-1:0] address;

  // Adding half the range to a signed index is inverting its sign bit.
  assign entry = {~index[IndexWidth-1], index[IndexWidth-2:0]};
  assign address = AddressWidth'({grid, entry});
  assign slope = table_q[address];

  always_ff @(posedge clk_i) begin
    if (table_write_i) table_q[table_address_i] <= table_data_i;
  end

  delay_line #(
    .Width (SumWidth + SlopeWidth),
    .Stages(TableStages)
  ) u_table (
    .clk_i,
    .rst_ni,
    .enable_i(s_axis_tready),
    .data_i  ({sum, slope}),
    .data_o  ({sum_q, slope_q})
  );

  // Coefficient c
  link_coefficient #(
    .Unit               ("link_centred_table"),
    .ValueWidth         (SumWidth),
    .MultiplierWidth    (SlopeWidth),
    .CoefficientWidth   (CoefficientWidth),
    .CoefficientRounding(CoefficientRounding),
    .CoefficientOverflow(CoefficientOverflow),
    .MaxShift           (MaxShift),
    .EarlyStages        (EarlyStages),
    .MultiplyStages     (MultiplyStages),
    .RoundStages        (RoundStages),
    .SaturateStages     (SaturateStages)
  ) u_coefficient (
    .clk_i,
    .rst_ni,
    .valid_i      (s_axis_tvalid),
    .enable_o     (s_axis_tready),
    .value_i      (sum_q),
    .multiplier_i (slope_q),
    .shift_i,
    .random_i,
    .random_next_o,
    .coefficient_o(m_axis_tdata),
    .overflow_o   (m_axis_tuser[0]),
    .valid_o      (m_axis_tvalid),
    .ready_i      (m_axis_tready)
  );

endmodule
