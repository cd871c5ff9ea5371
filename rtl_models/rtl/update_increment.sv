// SPDX-License-Identifier: Apache-2.0

/// The increment of a model word, rounded to its last bit: round(overflow(-round(c*x) - h)).
///
/// The product is rounded before it is negated. Step and flag appear MultiplyStages + ProductStages
/// + IncrementStages enabled cycles after the words.
module update_increment
  import bittrue_pkg::*;
#(
  /// Bits of a data word x, signed.
  parameter int unsigned DataWidth = 8,
  /// Rounding of an increment to z's last bit.
  parameter rounding_e ModelRounding = STOCHASTIC,
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
  /// Dependent, do not change: bits of an exponent, of the random field's port, and of a step.
  localparam int unsigned ExponentWidth = MaxExponent == 0 ? 1 : $clog2(MaxExponent + 1),
  localparam int unsigned FieldWidth = RandomBits == 0 ? 1 : RandomBits,
  localparam int unsigned StepWidth = rounded_width(
      IncrementWidth + MaxExponent, 1'b1, IncrementFraction + MaxExponent
  )
) (
  /// Clock.
  input  logic                               clk_i,
  /// Asynchronous reset, active low.
  input  logic                               rst_ni,
  /// High to move all stages on.
  input  logic                               enable_i,
  /// Coefficient c.
  input  logic signed [CoefficientWidth-1:0] coefficient_i,
  /// Data word x.
  input  logic signed [DataWidth-1:0]        data_i,
  /// Gradient word h.
  input  logic signed [IncrementWidth-1:0]   gradient_i,
  /// Block exponent, 0 to MaxExponent.
  input  logic [ExponentWidth-1:0]           exponent_i,
  /// Random field, used MultiplyStages + ProductStages cycles after the words above came in.
  input  logic [FieldWidth-1:0]              random_i,
  /// Rounded increment.
  output logic signed [StepWidth-1:0]        step_o,
  /// High if the increment overflowed.
  output logic                               overflow_o
);

  localparam int unsigned ExactWidth = DataWidth + CoefficientWidth;
  localparam int unsigned ProductWidth = rounded_width(ExactWidth, 1'b1, ProductCut);
  localparam int unsigned DifferenceWidth = larger(ProductWidth, IncrementWidth) + 2;

  // Product, rounded; minus h
  logic signed [ExactWidth-1:0] exact_d, exact_q;
  logic signed [IncrementWidth-1:0] gradient_q;
  logic signed [ProductWidth-1:0] product;
  logic signed [DifferenceWidth-1:0] difference_d, difference_q;

  assign exact_d = ExactWidth'(coefficient_i) * ExactWidth'(data_i);

  delay_line #(
    .Width (ExactWidth + IncrementWidth),
    .Stages(MultiplyStages)
  ) u_multiply (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i({gradient_i, exact_d}),
    .data_o({gradient_q, exact_q})
  );

  round_shift #(
    .InputWidth(ExactWidth),
    .Cut       (ProductCut),
    .Rounding  (ProductRounding)
  ) u_product (
    .value_i (exact_q),
    .random_i(1'b0),
    .value_o (product)
  );

  assign difference_d = -DifferenceWidth'(product) - DifferenceWidth'(gradient_q);

  delay_line #(
    .Width (DifferenceWidth),
    .Stages(ProductStages)
  ) u_difference (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i(difference_d),
    .data_o(difference_q)
  );

  // Increment: saturated, then rounded by the cut of its block
  logic [ExponentWidth-1:0] exponent_q;
  logic signed [IncrementWidth-1:0] increment;
  logic signed [StepWidth-1:0] step;
  logic overflow;

  delay_line #(
    .Width (ExponentWidth),
    .Stages(MultiplyStages + ProductStages)
  ) u_exponent (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i(exponent_i),
    .data_o(exponent_q)
  );

  saturate #(
    .InputWidth (DifferenceWidth),
    .OutputWidth(IncrementWidth),
    .Overflow   (IncrementOverflow)
  ) u_overflow (
    .value_i   (difference_q),
    .value_o   (increment),
    .overflow_o(overflow)
  );

  round_variable #(
    .InputWidth(IncrementWidth),
    .Cut       (IncrementFraction),
    .MaxShift  (MaxExponent),
    .Rounding  (ModelRounding),
    .RandomBits(RandomBits),
    .Centered  (Centered)
  ) u_round (
    .value_i(increment),
    .shift_i(exponent_q),
    .random_i,
    .value_o(step)
  );

  delay_line #(
    .Width (StepWidth + 1),
    .Stages(IncrementStages)
  ) u_increment (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i({overflow, step}),
    .data_o({overflow_o, step_o})
  );

endmodule
