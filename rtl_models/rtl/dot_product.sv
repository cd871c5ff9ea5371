// SPDX-License-Identifier: Apache-2.0

/// The dot product of a data row and a model row, `Lanes` columns a beat.
///
/// A beat's products are added exactly and shifted left by the exponent of its block of columns;
/// the accumulator takes that sum with overflow applied once, on the exact value. The last beat's
/// sum leaves with the record that came along and the number of beats of the row that overflowed,
/// bittrue_pkg::dot_product_latency(...) cycles after the beat was taken. Streams are AXI4-Stream;
/// while an output waits, everything waits.
module dot_product
  import bittrue_pkg::*;
#(
  /// Columns a beat, a power of two.
  parameter int unsigned Lanes = 16,
  /// Bits of a data word, signed.
  parameter int unsigned DataWidth = 8,
  /// Bits of a model word, signed.
  parameter int unsigned ModelWidth = 8,
  /// Largest block exponent, 0 for none.
  parameter int unsigned MaxExponent = 0,
  /// Bits of the accumulator, signed.
  parameter int unsigned AccumulatorWidth = 32,
  /// What the accumulator does past its ends, at every beat.
  parameter overflow_e AccumulatorOverflow = SAT,
  /// Bits of the record that goes along with a row.
  parameter int unsigned RecordWidth = 32,
  /// Bits of the count of overflows; it stops at its largest value.
  parameter int unsigned CountWidth = 16,
  /// Register stages behind the multipliers, 0 to 4.
  parameter int unsigned MultiplyStages = DefaultStages,
  /// Adder levels between two registers of the tree, 0 for no registers.
  parameter int unsigned LevelsPerStage = DefaultLevels,
  /// Register stages behind the exponent's shift, 0 to 4.
  parameter int unsigned ExponentStages = DefaultStages,
  /// Dependent, do not change: bits of an exponent.
  localparam int unsigned ExponentWidth = MaxExponent == 0 ? 1 : $clog2(MaxExponent + 1)
) (
  /// Clock.
  input  logic                                     clk_i,
  /// Asynchronous reset, active low: beats under way are dropped.
  input  logic                                     rst_ni,
  /// Data words in the low bits, lane j at DataWidth*j; above them the model words, lane j at
  /// ModelWidth*j.
  input  logic [Lanes*(DataWidth+ModelWidth)-1:0]  s_axis_tdata,
  /// Block exponent in the low bits, 0 to MaxExponent; above it the record, of which the last
  /// beat's counts.
  input  logic [ExponentWidth+RecordWidth-1:0]     s_axis_tuser,
  /// High on the last beat of a row.
  input  logic                                     s_axis_tlast,
  /// High while a beat is offered.
  input  logic                                     s_axis_tvalid,
  /// High when a beat is taken.
  output logic                                     s_axis_tready,
  /// The dot product, signed.
  output logic [AccumulatorWidth-1:0]              m_axis_tdata,
  /// Beats of the row that overflowed in the low bits; above them the record.
  output logic [CountWidth+RecordWidth-1:0]        m_axis_tuser,
  /// High while a result is offered.
  output logic                                     m_axis_tvalid,
  /// High when a result is taken.
  input  logic                                     m_axis_tready
);

  localparam int unsigned BeatWidth = DataWidth + ModelWidth + unsigned'($clog2(
      Lanes
  )) + MaxExponent;
  localparam int unsigned Latency = dot_product_latency(
      Lanes, MultiplyStages, LevelsPerStage, ExponentStages
  );

  if (Lanes < 1 || 1 << $clog2(Lanes) != Lanes)
    $error("dot_product Lanes: got %0d; allowed: a power of two", Lanes);
  if (DataWidth < 2 || DataWidth > 32)
    $error("dot_product DataWidth: got %0d; allowed: 2 to 32", DataWidth);
  if (ModelWidth < 2 || ModelWidth > 32)
    $error("dot_product ModelWidth: got %0d; allowed: 2 to 32", ModelWidth);
  if (MaxExponent > 16) $error("dot_product MaxExponent: got %0d; allowed: 0 to 16", MaxExponent);
  if (AccumulatorWidth < 2 || AccumulatorWidth > 64)
    $error("dot_product AccumulatorWidth: got %0d; allowed: 2 to 64", AccumulatorWidth);
  if (RecordWidth < 1) $error("dot_product RecordWidth: got %0d; allowed: at least 1", RecordWidth);
  if (CountWidth < 1) $error("dot_product CountWidth: got %0d; allowed: at least 1", CountWidth);
  if (MultiplyStages > 4)
    $error("dot_product MultiplyStages: got %0d; allowed: 0 to 4", MultiplyStages);
  if (ExponentStages > 4)
    $error("dot_product ExponentStages: got %0d; allowed: 0 to 4", ExponentStages);

  logic enable;
  assign enable = ~m_axis_tvalid | m_axis_tready;
  assign s_axis_tready = enable;

  logic signed [BeatWidth-1:0] beat;
  logic last, valid;

  beat_sum #(
    .Lanes         (Lanes),
    .DataWidth     (DataWidth),
    .ModelWidth    (ModelWidth),
    .MaxExponent   (MaxExponent),
    .MultiplyStages(MultiplyStages),
    .LevelsPerStage(LevelsPerStage),
    .ExponentStages(ExponentStages)
  ) u_beat (
    .clk_i,
    .rst_ni,
    .enable_i  (enable),
    .data_i    (s_axis_tdata[Lanes*DataWidth-1:0]),
    .model_i   (s_axis_tdata[Lanes*DataWidth+:Lanes*ModelWidth]),
    .exponent_i(s_axis_tuser[ExponentWidth-1:0]),
    .sum_o     (beat)
  );

  delay_line #(
    .Width (2),
    .Stages(Latency - 1)
  ) u_control (
    .clk_i,
    .rst_ni,
    .enable_i(enable),
    .data_i  ({s_axis_tlast, s_axis_tvalid}),
    .data_o  ({last, valid})
  );

  row_accumulator #(
    .BeatWidth          (BeatWidth),
    .AccumulatorWidth   (AccumulatorWidth),
    .AccumulatorOverflow(AccumulatorOverflow),
    .CountWidth         (CountWidth)
  ) u_row (
    .clk_i,
    .rst_ni,
    .enable_i(enable),
    .valid_i (valid),
    .last_i  (last),
    .beat_i  (beat),
    .sum_o   (m_axis_tdata),
    .count_o (m_axis_tuser[CountWidth-1:0]),
    .valid_o (m_axis_tvalid)
  );

  delay_line #(
    .Width (RecordWidth),
    .Stages(Latency)
  ) u_record (
    .clk_i,
    .rst_ni,
    .enable_i(enable),
    .data_i  (s_axis_tuser[ExponentWidth+:RecordWidth]),
    .data_o  (m_axis_tuser[CountWidth+:RecordWidth])
  );

endmodule
