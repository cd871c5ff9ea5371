// SPDX-License-Identifier: Apache-2.0

/// The last stages of every link, and the control of all: c = overflow(round((value * multiplier)
/// >> shift)).
///
/// All register stages of the link move with `enable_o`. A coefficient leaves EarlyStages +
/// RoundStages + SaturateStages cycles after its beat was taken. A stochastic rounding takes 32
/// random bits.
module link_coefficient
  import bittrue_pkg::*;
#(
  /// The link, for messages.
  parameter string Unit = "link_coefficient",
  /// Bits of the value, signed.
  parameter int unsigned ValueWidth = 33,
  /// Bits of the multiplier, unsigned.
  parameter int unsigned MultiplierWidth = 16,
  /// Bits of the coefficient, signed.
  parameter int unsigned CoefficientWidth = 16,
  /// Rounding of the coefficient, any but TRN_MAG.
  parameter rounding_e CoefficientRounding = TIES_EVEN,
  /// What the coefficient does past its ends.
  parameter overflow_e CoefficientOverflow = SAT,
  /// Largest shift.
  parameter int unsigned MaxShift = 62,
  /// Register stages of the link in front of the rounding, those behind the multiplier included.
  parameter int unsigned EarlyStages = 2,
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
  input  logic                         clk_i,
  /// Asynchronous reset, active low.
  input  logic                         rst_ni,
  /// High while a beat is offered to the link.
  input  logic                         valid_i,
  /// High when it is taken, and when the stages in front move.
  output logic                         enable_o,
  /// Value, EarlyStages - MultiplyStages cycles after its beat.
  input  logic signed [ValueWidth-1:0] value_i,
  /// Multiplier, together with the value.
  input  logic [MultiplierWidth-1:0]   multiplier_i,
  /// Bits to cut, 0 to MaxShift; does not change while beats are under way.
  input  logic [ShiftWidth-1:0]        shift_i,
  /// Word of the coefficient's generator.
  input  logic [31:0]                  random_i,
  /// High when a beat uses `random_i`: the generator advances.
  output logic                         random_next_o,
  /// Coefficient c.
  output logic [CoefficientWidth-1:0]  coefficient_o,
  /// High if it overflowed.
  output logic                         overflow_o,
  /// High while a coefficient is offered.
  output logic                         valid_o,
  /// High when it is taken.
  input  logic                         ready_i
);

  localparam bit IsStochastic = is_stochastic(CoefficientRounding);

  if (CoefficientWidth < 2 || CoefficientWidth > 32)
    $error("%s CoefficientWidth: got %0d; allowed: 2 to 32", Unit, CoefficientWidth);
  if (CoefficientRounding == TRN_MAG)
    $error("%s CoefficientRounding: got TRN_MAG; allowed: any other mode", Unit);
  if (MaxShift > 62) $error("%s MaxShift: got %0d; allowed: 0 to 62", Unit, MaxShift);
  if (MultiplyStages > 4)
    $error("%s MultiplyStages: got %0d; allowed: 0 to 4", Unit, MultiplyStages);
  if (RoundStages > 4) $error("%s RoundStages: got %0d; allowed: 0 to 4", Unit, RoundStages);
  if (SaturateStages < 1 || SaturateStages > 4)
    $error("%s SaturateStages: got %0d; allowed: 1 to 4", Unit, SaturateStages);

  stream_control #(
    .Stages        (EarlyStages + RoundStages + SaturateStages),
    .StagesToRandom(EarlyStages),
    .UsesRandom    (IsStochastic)
  ) u_control (
    .clk_i,
    .rst_ni,
    .valid_i,
    .enable_o,
    .random_next_o,
    .valid_o,
    .ready_i
  );

  scale #(
    .ValueWidth     (ValueWidth),
    .MultiplierWidth(MultiplierWidth),
    .OutputWidth    (CoefficientWidth),
    .Rounding       (CoefficientRounding),
    .Overflow       (CoefficientOverflow),
    .RandomBits     (IsStochastic ? WordBits : 0),
    .MaxShift       (MaxShift),
    .MultiplyStages (MultiplyStages),
    .RoundStages    (RoundStages),
    .SaturateStages (SaturateStages)
  ) u_scale (
    .clk_i,
    .rst_ni,
    .enable_i    (enable_o),
    .value_i,
    .multiplier_i,
    .shift_i,
    .random_i    (random_i[(IsStochastic?WordBits-1 : 0):0]),
    .value_o     (coefficient_o),
    .overflow_o
  );

  logic unused;
  assign unused = ^random_i;

endmodule
