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
  parameter int unsigned OffsetStages = 1,
  /// Register stages behind the index's multiplier, 0 to 4.
  parameter int unsigned IndexMultiplyStages = 1,
  /// Register stages behind its rounding and saturation, 0 to 4; with at least one the table can be
  /// a block memory.
  parameter int unsigned IndexRoundStages = 1,
  /// Register stages behind the table, 0 to 4.
  parameter int unsigned TableStages = 1,
  /// Register stages behind the coefficient's multiplier, 0 to 4.
  parameter int unsigned MultiplyStages = 1,
  /// Register stages behind its rounding, 0 to 4.
  parameter int unsigned RoundStages = 1,
  /// Register stages behind its saturation, 1 to 4.
  parameter int unsigned SaturateStages = 1,
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
  localparam bit IsStochastic = is_stochastic(CoefficientRounding);
  localparam int unsigned IndexStages = IndexMultiplyStages + IndexRoundStages;
  localparam int unsigned EarlyStages = OffsetStages + IndexStages + TableStages + MultiplyStages;
  localparam int unsigned Latency = link_table_latency(
      OffsetStages,
      IndexMultiplyStages,
      IndexRoundStages,
      TableStages,
      MultiplyStages,
      RoundStages,
      SaturateStages
  );

  if (AccumulatorWidth < 2 || AccumulatorWidth > 64) begin : gen_refuse_accumulator_width
    $error("link_centred_table AccumulatorWidth: got %0d; allowed: 2 to 64", AccumulatorWidth);
  end
  if (CoefficientWidth < 2 || CoefficientWidth > 32) begin : gen_refuse_coefficient_width
    $error("link_centred_table CoefficientWidth: got %0d; allowed: 2 to 32", CoefficientWidth);
  end
  if (MultiplierWidth < 2 || MultiplierWidth > 24) begin : gen_refuse_multiplier_width
    $error("link_centred_table MultiplierWidth: got %0d; allowed: 2 to 24", MultiplierWidth);
  end
  if (SlopeWidth < 2 || SlopeWidth > 24) begin : gen_refuse_slope_width
    $error("link_centred_table SlopeWidth: got %0d; allowed: 2 to 24", SlopeWidth);
  end
  if (IndexWidth < 2 || IndexWidth > 12) begin : gen_refuse_index_width
    $error("link_centred_table IndexWidth: got %0d; allowed: 2 to 12", IndexWidth);
  end
  if (GridWidth > 12) begin : gen_refuse_grid_width
    $error("link_centred_table GridWidth: got %0d; allowed: 0 to 12", GridWidth);
  end
  if (CoefficientRounding == TRN_MAG) begin : gen_refuse_coefficient_rounding
    $error("link_centred_table CoefficientRounding: got TRN_MAG; allowed: any other mode");
  end
  if (MaxShift > 62) begin : gen_refuse_max_shift
    $error("link_centred_table MaxShift: got %0d; allowed: 0 to 62", MaxShift);
  end
  if (OffsetStages > 4) begin : gen_refuse_offset_stages
    $error("link_centred_table OffsetStages: got %0d; allowed: 0 to 4", OffsetStages);
  end
  if (IndexMultiplyStages > 4) begin : gen_refuse_index_multiply_stages
    $error("link_centred_table IndexMultiplyStages: got %0d; allowed: 0 to 4", IndexMultiplyStages);
  end
  if (IndexRoundStages > 4) begin : gen_refuse_index_round_stages
    $error("link_centred_table IndexRoundStages: got %0d; allowed: 0 to 4", IndexRoundStages);
  end
  if (TableStages > 4) begin : gen_refuse_table_stages
    $error("link_centred_table TableStages: got %0d; allowed: 0 to 4", TableStages);
  end
  if (MultiplyStages > 4) begin : gen_refuse_multiply_stages
    $error("link_centred_table MultiplyStages: got %0d; allowed: 0 to 4", MultiplyStages);
  end
  if (RoundStages > 4) begin : gen_refuse_round_stages
    $error("link_centred_table RoundStages: got %0d; allowed: 0 to 4", RoundStages);
  end
  if (SaturateStages < 1 || SaturateStages > 4) begin : gen_refuse_saturate_stages
    $error("link_centred_table SaturateStages: got %0d; allowed: 1 to 4", SaturateStages);
  end

  logic enable, uses_random;
  assign enable = ~m_axis_tvalid | m_axis_tready;
  assign s_axis_tready = enable;
  assign random_next_o = IsStochastic & enable & uses_random;

  delay_line #(
    .Width (1),
    .Stages(EarlyStages)
  ) u_valid_early (
    .clk_i,
    .rst_ni,
    .enable_i(enable),
    .data_i  (s_axis_tvalid),
    .data_o  (uses_random)
  );

  delay_line #(
    .Width (1),
    .Stages(Latency - EarlyStages)
  ) u_valid_late (
    .clk_i,
    .rst_ni,
    .enable_i(enable),
    .data_i  (uses_random),
    .data_o  (m_axis_tvalid)
  );

  // v = t + offset
  logic signed [AccumulatorWidth-1:0] total, offset;
  logic signed [SumWidth-1:0] sum_d, sum_q, sum_q2;

  assign total = s_axis_tdata;
  assign offset = s_axis_tuser[AccumulatorWidth-1:0];
  assign sum_d = SumWidth'(total) + SumWidth'(offset);

  delay_line #(
    .Width (SumWidth),
    .Stages(OffsetStages)
  ) u_offset (
    .clk_i,
    .rst_ni,
    .enable_i(enable),
    .data_i  (sum_d),
    .data_o  (sum_q)
  );

  delay_line #(
    .Width (SumWidth),
    .Stages(IndexStages + TableStages)
  ) u_sum (
    .clk_i,
    .rst_ni,
    .enable_i(enable),
    .data_i  (sum_q),
    .data_o  (sum_q2)
  );

  // Index u
  logic signed [IndexWidth-1:0] index;
  logic index_overflow;

  scale #(
    .ValueWidth    (SumWidth),
    .MultiplierWidth(MultiplierWidth),
    .OutputWidth   (IndexWidth),
    .Rounding      (TIES_POS),
    .Overflow      (SAT),
    .MaxShift(MaxShift),
    .MultiplyStages(IndexMultiplyStages),
    .RoundStages   (0),
    .SaturateStages(IndexRoundStages)
  ) u_index (
    .clk_i,
    .rst_ni,
    .enable_i    (enable),
    .value_i     (sum_q),
    .multiplier_i(index_multiplier_i),
    .shift_i     (index_shift_i),
    .random_i    (1'b0),
    .value_o     (index),
    .overflow_o  (index_overflow)
  );

  delay_line #(
    .Width (IndexWidth + 1),
    .Stages(TableStages + MultiplyStages + RoundStages + SaturateStages)
  ) u_index_out (
    .clk_i,
    .rst_ni,
    .enable_i(enable),
    .data_i  ({index, index_overflow}),
    .data_o  (m_axis_tuser[IndexWidth+1:1])
  );

  // Slope R[q, u]
  logic [SlopeWidth-1:0] table_q[1<<AddressWidth];
  logic [SlopeWidth-1:0] slope_d, slope_q;
  logic [IndexWidth-1:0] entry;
  logic [GridField-1:0] grid;
  logic [AddressWidth-1:0] address;

  // Adding half the range to a signed index is inverting its sign bit.
  assign entry = {~index[IndexWidth-1], index[IndexWidth-2:0]};
  assign address = AddressWidth'({grid, entry});
  assign slope_d = table_q[address];

  always_ff @(posedge clk_i) begin
    if (table_write_i) table_q[table_address_i] <= table_data_i;
  end

  delay_line #(
    .Width (GridField),
    .Stages(OffsetStages + IndexStages)
  ) u_grid (
    .clk_i,
    .rst_ni,
    .enable_i(enable),
    .data_i  (s_axis_tuser[AccumulatorWidth+:GridField]),
    .data_o  (grid)
  );

  delay_line #(
    .Width (SlopeWidth),
    .Stages(TableStages)
  ) u_slope (
    .clk_i,
    .rst_ni,
    .enable_i(enable),
    .data_i  (slope_d),
    .data_o  (slope_q)
  );

  // Coefficient c
  scale #(
    .ValueWidth     (SumWidth),
    .MultiplierWidth(SlopeWidth),
    .OutputWidth    (CoefficientWidth),
    .Rounding       (CoefficientRounding),
    .Overflow       (CoefficientOverflow),
    .RandomBits     (IsStochastic ? 32 : 0),
    .MaxShift(MaxShift),
    .MultiplyStages(MultiplyStages),
    .RoundStages(RoundStages),
    .SaturateStages(SaturateStages)
  ) u_coefficient (
    .clk_i,
    .rst_ni,
    .enable_i    (enable),
    .value_i     (sum_q2),
    .multiplier_i(slope_q),
    .shift_i,
    .random_i    (random_i[(IsStochastic ? 31 : 0):0]),
    .value_o     (m_axis_tdata),
    .overflow_o  (m_axis_tuser[0])
  );

  logic unused;
  assign unused = ^random_i;

endmodule
