// SPDX-License-Identifier: Apache-2.0

/// One lane of the model update: z' = overflow(z + round(overflow(-round(c*x) - h))).
///
/// The increment alone is rounded to z's last bit, then added exactly. The stages move while
/// `enable_i` is high; a masked lane gives z as it came, and no flags.
module update_lane
  import bittrue_pkg::*;
#(
  /// Bits of a data word x, signed.
  parameter int unsigned DataWidth = 8,
  /// Bits of a model word z, signed.
  parameter int unsigned ModelWidth = 8,
  /// Rounding of an increment to z's last bit.
  parameter rounding_e ModelRounding = STOCHASTIC,
  /// What z does past its ends.
  parameter overflow_e ModelOverflow = SAT,
  /// Random bits of the lane, 0 for a deterministic rounding.
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
  /// Register stages behind the multiplier.
  parameter int unsigned MultiplyStages = DefaultStages,
  /// Register stages behind rounding the product and subtracting h.
  parameter int unsigned ProductStages = DefaultStages,
  /// Register stages behind saturating and rounding the increment.
  parameter int unsigned IncrementStages = DefaultStages,
  /// Register stages behind the addition to z.
  parameter int unsigned ModelStages = DefaultStages,
  /// Dependent, do not change: bits of an exponent, and of the random field's port.
  localparam int unsigned ExponentWidth = MaxExponent == 0 ? 1 : $clog2(MaxExponent + 1),
  localparam int unsigned FieldWidth = RandomBits == 0 ? 1 : RandomBits
) (
  /// Clock.
  input  logic                               clk_i,
  /// Asynchronous reset, active low.
  input  logic                               rst_ni,
  /// High to move all stages on.
  input  logic                               enable_i,
  /// Low for a padding lane.
  input  logic                               keep_i,
  /// Coefficient c.
  input  logic signed [CoefficientWidth-1:0] coefficient_i,
  /// Data word x.
  input  logic signed [DataWidth-1:0]        data_i,
  /// Gradient word h.
  input  logic signed [IncrementWidth-1:0]   gradient_i,
  /// Model word z.
  input  logic signed [ModelWidth-1:0]       model_i,
  /// Block exponent, 0 to MaxExponent.
  input  logic [ExponentWidth-1:0]           exponent_i,
  /// Random field, used MultiplyStages + ProductStages cycles after the words above came in.
  input  logic [FieldWidth-1:0]              random_i,
  /// Model word after the update.
  output logic signed [ModelWidth-1:0]       model_o,
  /// High if the increment overflowed.
  output logic                               increment_overflow_o,
  /// High if the model word overflowed.
  output logic                               model_overflow_o
);

  localparam int unsigned StepWidth = rounded_width(
      IncrementWidth + MaxExponent, 1'b1, IncrementFraction + MaxExponent
  );
  localparam int unsigned MovedWidth = larger(StepWidth, ModelWidth) + 1;

  logic keep, increment_overflow, model_overflow;
  logic signed [StepWidth-1:0] step;
  logic signed [ModelWidth-1:0] model_d, model_q, model;
  logic signed [MovedWidth-1:0] moved;

  update_increment #(
    .DataWidth        (DataWidth),
    .ModelRounding    (ModelRounding),
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
    .IncrementStages  (IncrementStages)
  ) u_increment (
    .clk_i,
    .rst_ni,
    .enable_i,
    .coefficient_i,
    .data_i,
    .gradient_i,
    .exponent_i,
    .random_i,
    .step_o    (step),
    .overflow_o(increment_overflow)
  );

  delay_line #(
    .Width (ModelWidth + 1),
    .Stages(MultiplyStages + ProductStages + IncrementStages)
  ) u_model_in (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i({keep_i, model_i}),
    .data_o({keep, model_q})
  );

  assign moved = MovedWidth'(model_q) + MovedWidth'(step);

  saturate #(
    .InputWidth (MovedWidth),
    .OutputWidth(ModelWidth),
    .Overflow   (ModelOverflow)
  ) u_overflow (
    .value_i   (moved),
    .value_o   (model),
    .overflow_o(model_overflow)
  );

  assign model_d = keep ? model : model_q;

  delay_line #(
    .Width (ModelWidth + 2),
    .Stages(ModelStages)
  ) u_model_out (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i({model_overflow & keep, increment_overflow & keep, model_d}),
    .data_o({model_overflow_o, increment_overflow_o, model_o})
  );

endmodule
