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
  parameter int unsigned OffsetStages = 1,
  /// Register stages behind the multiplier, 0 to 4.
  parameter int unsigned MultiplyStages = 1,
  /// Register stages behind the rounding, 0 to 4.
  parameter int unsigned RoundStages = 1,
  /// Register stages behind the saturation, 1 to 4.
  parameter int unsigned SaturateStages = 1,
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
  localparam bit IsStochastic = is_stochastic(CoefficientRounding);

  if (AccumulatorWidth < 2 || AccumulatorWidth > 64) begin : gen_refuse_accumulator_width
    $error("link_affine AccumulatorWidth: got %0d; allowed: 2 to 64", AccumulatorWidth);
  end
  if (CoefficientWidth < 2 || CoefficientWidth > 32) begin : gen_refuse_coefficient_width
    $error("link_affine CoefficientWidth: got %0d; allowed: 2 to 32", CoefficientWidth);
  end
  if (MultiplierWidth < 2 || MultiplierWidth > 24) begin : gen_refuse_multiplier_width
    $error("link_affine MultiplierWidth: got %0d; allowed: 2 to 24", MultiplierWidth);
  end
  if (CoefficientRounding == TRN_MAG) begin : gen_refuse_coefficient_rounding
    $error("link_affine CoefficientRounding: got TRN_MAG; allowed: any other mode");
  end
  if (MaxShift > 62) begin : gen_refuse_max_shift
    $error("link_affine MaxShift: got %0d; allowed: 0 to 62", MaxShift);
  end
  if (OffsetStages > 4) begin : gen_refuse_offset_stages
    $error("link_affine OffsetStages: got %0d; allowed: 0 to 4", OffsetStages);
  end
  if (MultiplyStages > 4) begin : gen_refuse_multiply_stages
    $error("link_affine MultiplyStages: got %0d; allowed: 0 to 4", MultiplyStages);
  end
  if (RoundStages > 4) begin : gen_refuse_round_stages
    $error("link_affine RoundStages: got %0d; allowed: 0 to 4", RoundStages);
  end
  if (SaturateStages < 1 || SaturateStages > 4) begin : gen_refuse_saturate_stages
    $error("link_affine SaturateStages: got %0d; allowed: 1 to 4", SaturateStages);
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
    .enable_i(enable),
    .data_i  (sum_d),
    .data_o  (sum_q)
  );

  scale #(
    .ValueWidth (SumWidth),
    .MultiplierWidth(MultiplierWidth),
    .OutputWidth(CoefficientWidth),
    .Rounding   (CoefficientRounding),
    .Overflow   (CoefficientOverflow),
    .RandomBits (IsStochastic ? 32 : 0),
    .MaxShift(MaxShift),
    .MultiplyStages(MultiplyStages),
    .RoundStages(RoundStages),
    .SaturateStages(SaturateStages)
  ) u_coefficient (
    .clk_i,
    .rst_ni,
    .enable_i    (enable),
    .value_i     (sum_q),
    .multiplier_i,
    .shift_i,
    .random_i    (random_i[(IsStochastic ? 31 : 0):0]),
    .value_o     (m_axis_tdata),
    .overflow_o  (m_axis_tuser)
  );

  logic unused;
  assign unused = ^random_i;

endmodule
