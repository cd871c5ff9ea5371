// SPDX-License-Identifier: Apache-2.0

/// The update of `Lanes` model words a beat: p = round(c*x), a = overflow(-p - h), z = overflow(z +
/// round(a)).
///
/// Streams are AXI4-Stream; a beat of updated words leaves bittrue_pkg::model_update_latency(...)
/// cycles after it was taken; while it waits, everything waits. The random words come from the
/// generators at the moment of use: `random_next_o` is high in the cycle in which a stochastic
/// rounding uses them, whatever stalls, padding lanes included.
module model_update
  import bittrue_pkg::*;
#(
  /// Columns a beat, a power of two.
  parameter int unsigned Lanes = 16,
  /// Bits of a data word x, signed.
  parameter int unsigned DataWidth = 8,
  /// Bits of a model word z, signed.
  parameter int unsigned ModelWidth = 8,
  /// Rounding of an increment to z's last bit.
  parameter rounding_e ModelRounding = STOCHASTIC,
  /// What z does past its ends.
  parameter overflow_e ModelOverflow = SAT,
  /// Random bits a lane: 1, 2, 4, 8, 16, 32, or 0 for a deterministic rounding.
  parameter int unsigned RandomBits = 16,
  /// Add half a step of the random word where it is shorter than the cut.
  parameter bit Centered = 1'b1,
  /// Bits of the coefficient c, signed.
  parameter int unsigned CoefficientWidth = 16,
  /// Bits cut from a product.
  parameter int unsigned ProductCut = 8,
  /// Rounding of that cut, deterministic.
  parameter rounding_e ProductRounding = TIES_POS,
  /// Bits of an increment, and of h, signed.
  parameter int unsigned IncrementWidth = 16,
  /// Bits of an increment below z's last bit.
  parameter int unsigned IncrementFraction = 10,
  /// What an increment does past its ends.
  parameter overflow_e IncrementOverflow = SAT,
  /// Largest block exponent, 0 for none.
  parameter int unsigned MaxExponent = 0,
  /// Register stages behind the multiplier, 0 to 4.
  parameter int unsigned MultiplyStages = DefaultStages,
  /// Register stages behind rounding the product and subtracting h, 0 to 4.
  parameter int unsigned ProductStages = DefaultStages,
  /// Register stages behind saturating and rounding the increment, 0 to 4.
  parameter int unsigned IncrementStages = DefaultStages,
  /// Register stages behind the addition to z, 1 to 4.
  parameter int unsigned ModelStages = DefaultStages,
  /// Dependent, do not change: bits of an exponent, and of a lane's random field (never none).
  localparam int unsigned ExponentWidth = MaxExponent == 0 ? 1 : $clog2(MaxExponent + 1),
  localparam int unsigned FieldWidth = RandomBits == 0 ? 1 : RandomBits
) (
  /// Clock.
  input  logic                                                  clk_i,
  /// Asynchronous reset, active low: beats under way are dropped.
  input  logic                                                  rst_ni,
  /// Random fields, lane j at RandomBits*j: what `random_lanes` gives.
  input  logic [Lanes*FieldWidth-1:0]                            random_i,
  /// High when a beat uses `random_i`: the generators advance.
  output logic                                                  random_next_o,
  /// Data words, lane j at DataWidth*j; above them model words, at ModelWidth*j; above them h, at
  /// IncrementWidth*j.
  input  logic [Lanes*(DataWidth+ModelWidth+IncrementWidth)-1:0] s_axis_tdata,
  /// Low for padding lanes, which are neither changed nor counted.
  input  logic [Lanes-1:0]                                      s_axis_tkeep,
  /// Block exponent in the low bits, 0 to MaxExponent; above it the coefficient.
  input  logic [ExponentWidth+CoefficientWidth-1:0]             s_axis_tuser,
  /// High on the last beat of a row.
  input  logic                                                  s_axis_tlast,
  /// High while a beat is offered.
  input  logic                                                  s_axis_tvalid,
  /// High when a beat is taken.
  output logic                                                  s_axis_tready,
  /// Model words after the update, lane j at ModelWidth*j.
  output logic [Lanes*ModelWidth-1:0]                           m_axis_tdata,
  /// Low for padding lanes.
  output logic [Lanes-1:0]                                      m_axis_tkeep,
  /// Lanes whose increment overflowed in the low bits; above them lanes whose model word
  /// overflowed.
  output logic [2*Lanes-1:0]                                    m_axis_tuser,
  /// High on the last beat of a row.
  output logic                                                  m_axis_tlast,
  /// High while updated words are offered.
  output logic                                                  m_axis_tvalid,
  /// High when they are taken.
  input  logic                                                  m_axis_tready
);

  localparam int unsigned GradientLow = Lanes * (DataWidth + ModelWidth);
  localparam int unsigned EarlyStages = MultiplyStages + ProductStages;
  localparam int unsigned Latency = model_update_latency(
      MultiplyStages, ProductStages, IncrementStages, ModelStages
  );

  if (Lanes < 1 || 1 << $clog2(Lanes) != Lanes)
    $error("model_update Lanes: got %0d; allowed: a power of two", Lanes);
  if (DataWidth < 2 || DataWidth > 32)
    $error("model_update DataWidth: got %0d; allowed: 2 to 32", DataWidth);
  if (ModelWidth < 2 || ModelWidth > 32)
    $error("model_update ModelWidth: got %0d; allowed: 2 to 32", ModelWidth);
  if (CoefficientWidth < 2 || CoefficientWidth > 32)
    $error("model_update CoefficientWidth: got %0d; allowed: 2 to 32", CoefficientWidth);
  if (IncrementWidth < 2 || IncrementWidth > 48)
    $error("model_update IncrementWidth: got %0d; allowed: 2 to 48", IncrementWidth);
  if (IncrementFraction + MaxExponent >= IncrementWidth)
    $error(
        "model_update IncrementFraction: got %0d; allowed: with MaxExponent, below IncrementWidth",
        IncrementFraction
    );
  if (MaxExponent > 16) $error("model_update MaxExponent: got %0d; allowed: 0 to 16", MaxExponent);
  if (ProductCut > 48) $error("model_update ProductCut: got %0d; allowed: 0 to 48", ProductCut);
  if (is_stochastic(ProductRounding))
    $error("model_update ProductRounding: got %0d; allowed: a deterministic mode", ProductRounding);
  if (is_stochastic(
          ModelRounding
      ) ? WordBits % FieldWidth != 0 || RandomBits == 0 : RandomBits != 0)
    $error(
        "model_update RandomBits: got %0d; allowed: a power of two to 32 if stochastic, else 0",
        RandomBits
    );
  if (ModelRounding == TRN_MAG && IncrementFraction == 0 && MaxExponent > 0)
    $error(
        "model_update ModelRounding: got TRN_MAG; allowed: others where a block may cut no bits"
    );
  if (MultiplyStages > 4)
    $error("model_update MultiplyStages: got %0d; allowed: 0 to 4", MultiplyStages);
  if (ProductStages > 4)
    $error("model_update ProductStages: got %0d; allowed: 0 to 4", ProductStages);
  if (IncrementStages > 4)
    $error("model_update IncrementStages: got %0d; allowed: 0 to 4", IncrementStages);
  if (ModelStages < 1 || ModelStages > 4)
    $error("model_update ModelStages: got %0d; allowed: 1 to 4", ModelStages);

  stream_control #(
    .Stages        (Latency),
    .StagesToRandom(EarlyStages),
    .UsesRandom    (is_stochastic(ModelRounding))
  ) u_control (
    .clk_i,
    .rst_ni,
    .valid_i (s_axis_tvalid),
    .enable_o(s_axis_tready),
    .random_next_o,
    .valid_o (m_axis_tvalid),
    .ready_i (m_axis_tready)
  );

  delay_line #(
    .Width (Lanes + 1),
    .Stages(Latency)
  ) u_along (
    .clk_i,
    .rst_ni,
    .enable_i(s_axis_tready),
    .data_i  ({s_axis_tlast, s_axis_tkeep}),
    .data_o  ({m_axis_tlast, m_axis_tkeep})
  );

  for (genvar j = 0; j < Lanes; j++) begin : gen_lane
    update_lane #(
      .DataWidth        (DataWidth),
      .ModelWidth       (ModelWidth),
      .ModelRounding    (ModelRounding),
      .ModelOverflow    (ModelOverflow),
      .RandomBits       (RandomBits),
      .Centered         (Centered),
      .CoefficientWidth (CoefficientWidth),
      .ProductCut       (ProductCut),
      .ProductRounding  (ProductRounding),
      .IncrementWidth   (IncrementWidth),
      .IncrementFraction(IncrementFraction),
      .IncrementOverflow(IncrementOverflow),
      .MaxExponent      (MaxExponent),
      .MultiplyStages   (MultiplyStages),
      .ProductStages    (ProductStages),
      .IncrementStages  (IncrementStages),
      .ModelStages      (ModelStages)
    ) u_lane (
      .clk_i,
      .rst_ni,
      .enable_i            (s_axis_tready),
      .keep_i              (s_axis_tkeep[j]),
      .coefficient_i       (s_axis_tuser[ExponentWidth+:CoefficientWidth]),
      .data_i              (s_axis_tdata[j*DataWidth+:DataWidth]),
      .gradient_i          (s_axis_tdata[GradientLow+j*IncrementWidth+:IncrementWidth]),
      .model_i             (s_axis_tdata[Lanes*DataWidth+j*ModelWidth+:ModelWidth]),
      .exponent_i          (s_axis_tuser[ExponentWidth-1:0]),
      .random_i            (random_i[j*FieldWidth+:FieldWidth]),
      .model_o             (m_axis_tdata[j*ModelWidth+:ModelWidth]),
      .increment_overflow_o(m_axis_tuser[j]),
      .model_overflow_o    (m_axis_tuser[Lanes+j])
    );
  end

endmodule
