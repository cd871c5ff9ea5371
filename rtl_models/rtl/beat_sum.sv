// SPDX-License-Identifier: Apache-2.0

/// The exact sum of a beat's products, shifted left by the exponent of its block.
///
/// It appears MultiplyStages + bittrue_pkg::adder_tree_latency(Lanes, LevelsPerStage) +
/// ExponentStages enabled cycles after the words.
module beat_sum
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
  /// Register stages behind the multipliers.
  parameter int unsigned MultiplyStages = DefaultStages,
  /// Adder levels between two registers of the tree, 0 for no registers.
  parameter int unsigned LevelsPerStage = DefaultLevels,
  /// Register stages behind the exponent's shift.
  parameter int unsigned ExponentStages = DefaultStages,
  /// Dependent, do not change: bits of an exponent, of a product, of the products' sum, and of the
  /// shifted one.
  localparam int unsigned ExponentWidth = MaxExponent == 0 ? 1 : $clog2(MaxExponent + 1),
  localparam int unsigned ProductWidth = DataWidth + ModelWidth,
  localparam int unsigned TreeWidth = ProductWidth + unsigned'($clog2(Lanes)),
  localparam int unsigned SumWidth = TreeWidth + MaxExponent
) (
  /// Clock.
  input  logic                        clk_i,
  /// Asynchronous reset, active low.
  input  logic                        rst_ni,
  /// High to move all stages on.
  input  logic                        enable_i,
  /// Data words, lane j at DataWidth*j.
  input  logic [Lanes*DataWidth-1:0]  data_i,
  /// Model words, lane j at ModelWidth*j.
  input  logic [Lanes*ModelWidth-1:0] model_i,
  /// Block exponent, 0 to MaxExponent.
  input  logic [ExponentWidth-1:0]    exponent_i,
  /// The sum.
  output logic signed [SumWidth-1:0]  sum_o
);

  localparam int unsigned TreeStages = adder_tree_latency(Lanes, LevelsPerStage);

  logic [Lanes*ProductWidth-1:0] products_d, products_q;
  logic signed [TreeWidth-1:0] tree;
  logic [ExponentWidth-1:0] exponent_q;
  logic signed [SumWidth-1:0] sum_d;

  for (genvar j = 0; j < Lanes; j++) begin : gen_lane
    logic signed [DataWidth-1:0] x;
    logic signed [ModelWidth-1:0] z;
    assign x = data_i[j*DataWidth+:DataWidth];
    assign z = model_i[j*ModelWidth+:ModelWidth];
    assign products_d[j*ProductWidth+:ProductWidth] = ProductWidth'(x) * ProductWidth'(z);
  end

  delay_line #(
    .Width (Lanes * ProductWidth),
    .Stages(MultiplyStages)
  ) u_multiply (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i(products_d),
    .data_o(products_q)
  );

  adder_tree #(
    .Lanes         (Lanes),
    .Width         (ProductWidth),
    .LevelsPerStage(LevelsPerStage)
  ) u_tree (
    .clk_i,
    .rst_ni,
    .enable_i,
    .words_i(products_q),
    .sum_o  (tree)
  );

  delay_line #(
    .Width (ExponentWidth),
    .Stages(MultiplyStages + TreeStages)
  ) u_exponent (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i(exponent_i),
    .data_o(exponent_q)
  );

  assign sum_d = SumWidth'(tree) <<< exponent_q;

  delay_line #(
    .Width (SumWidth),
    .Stages(ExponentStages)
  ) u_shift (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i(sum_d),
    .data_o(sum_o)
  );

endmodule
