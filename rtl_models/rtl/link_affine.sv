// SPDX-License-Identifier: Apache-2.0

/// The affine link, for least squares: c = overflow(round(((t + offset) * multiplier) >> shift)).
///
/// Streams are AXI4-Stream; a coefficient leaves bittrue_pkg::link_affine_latency(...) cycles after
/// its dot product was taken; while it waits, everything waits. `random_next_o` is high in the
/// cycle in which a stochastic rounding uses `random_i`.
module link_affine
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
  /// Bits of the scale register, unsigned.
  parameter int unsigned MultiplierWidth = 16,
  /// Largest shift.
  parameter int unsigned MaxShift = 62,
  /// Register stages behind adding the offset, 0 to 4.
  parameter int unsigned OffsetStages = DefaultStages,
  /// Register stages behind the multiplier, 0 to 4.
  parameter int unsigned MultiplyStages = DefaultStages,
  /// Register stages behind the rounding, 0 to 4.
  parameter int unsigned RoundStages = DefaultStages,
  /// Register stages behind the saturation, 1 to 4.
  parameter int unsigned SaturateStages = DefaultStages,
  /// Dependent, do not change: bits of a shift.
  localparam int unsigned ShiftWidth = MaxShift == 0 ? 1 : $clog2(MaxShift + 1)
) (
  /// Clock.
  input  logic                        clk_i,
  /// Asynchronous reset, active low: beats under way are dropped.
  input  logic                        rst_ni,
  /// Scale register m; does not change while beats are under way.
  input  logic [MultiplierWidth-1:0]  multiplier_i,
  /// Bits cut from the product, S, 0 to MaxShift; does not change while beats are under way.
  input  logic [ShiftWidth-1:0]       shift_i,
  /// Word of the coefficient's generator.
  input  logic [31:0]                 random_i,
  /// High when a beat uses `random_i`: the generator advances.
  output logic                        random_next_o,
  /// Dot product t.
  input  logic [AccumulatorWidth-1:0] s_axis_tdata,
  /// Record of the sample: its offset.
  input  logic [AccumulatorWidth-1:0] s_axis_tuser,
  /// High while a dot product is offered.
  input  logic                        s_axis_tvalid,
  /// High when it is taken.
  output logic                        s_axis_tready,
  /// Coefficient c.
  output logic [CoefficientWidth-1:0] m_axis_tdata,
  /// High if the coefficient overflowed.
  output logic                        m_axis_tuser,
  /// High while a coefficient is offered.
  output logic                        m_axis_tvalid,
  /// High when it is taken.
  input  logic                        m_axis_tready
);

  localparam int unsigned SumWidth = AccumulatorWidth + 1;
  localparam int unsigned EarlyStages = OffsetStages + MultiplyStages;
  localparam int unsigned Latency = link_affine_latency(
      OffsetStages, MultiplyStages, RoundStages, SaturateStages
  );

  if (AccumulatorWidth < 2 || AccumulatorWidth > 64)
    $error("link_affine AccumulatorWidth: got %0d; allowed: 2 to 64", AccumulatorWidth);
  if (MultiplierWidth < 2 || MultiplierWidth > 24)
    $error("link_affine MultiplierWidth: got %0d; allowed: 2 to 24", MultiplierWidth);
  if (OffsetStages > 4) $error("link_affine OffsetStages: got %0d; allowed: 0 to 4", OffsetStages);

  logic signed [AccumulatorWidth-1:0] total, offset;
  logic signed [SumWidth-1:0] sum_d, sum_q;

  assign total = s_axis_tdata;
  assign offset = s_axis_tuser;
  assign sum_d = SumWidth'(total) + SumWidth'(offset);

  delay_line #(
    .Width (SumWidth),
    .Stages(OffsetStages)
  ) u_offset (
    .clk_i,
    .rst_ni,
    .enable_i(s_axis_tready),
    .data_i  (sum_d),
    .data_o  (sum_q)
  );

  link_coefficient #(
    .Unit               ("link_affine"),
    .ValueWidth         (SumWidth),
    .MultiplierWidth    (MultiplierWidth),
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
    .multiplier_i,
    .shift_i,
    .random_i,
    .random_next_o,
    .coefficient_o(m_axis_tdata),
    .overflow_o   (m_axis_tuser),
    .valid_o      (m_axis_tvalid),
    .ready_i      (m_axis_tready)
  );

endmodule
