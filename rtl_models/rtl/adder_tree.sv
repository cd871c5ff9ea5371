// SPDX-License-Identifier: Apache-2.0

/// The exact sum of signed words, in a tree of adders that grows by one bit a level.
///
/// `Lanes` = 4 words of `Width` = 8 bits give a sum of 10 bits in two levels; with `LevelsPerStage`
/// = 2 there is one register stage.
module adder_tree #(
  /// Words to add.
  parameter int unsigned Lanes = 4,
  /// Bits of a word, signed.
  parameter int unsigned Width = 8,
  /// Adder levels between two registers, 0 for none at all.
  parameter int unsigned LevelsPerStage = 2,
  /// Dependent, do not change: levels of the tree, and bits of the sum.
  localparam int unsigned Levels = $clog2(Lanes),
  localparam int unsigned SumWidth = Width + Levels
) (
  /// Clock.
  input  logic                       clk_i,
  /// Asynchronous reset, active low.
  input  logic                       rst_ni,
  /// High to move the register stages on.
  input  logic                       enable_i,
  /// Words, word j in bits Width*j and up.
  input  logic [Lanes*Width-1:0]     words_i,
  /// Their sum.
  output logic signed [SumWidth-1:0] sum_o
);

  if (Lanes < 1) $error("adder_tree Lanes: got %0d; allowed: at least 1", Lanes);
  if (Width < 1) $error("adder_tree Width: got %0d; allowed: at least 1", Width);

  for (genvar level = 0; level <= Levels; level++) begin : gen_level
    localparam int unsigned Count = 1 << (Levels - level);
    localparam int unsigned NodeWidth = Width + level;
    localparam int unsigned IsLast = level == Levels ? 1 : 0;
    localparam int unsigned IsStage = LevelsPerStage == 0 || level == 0 ? 0 :
        (level % LevelsPerStage == 0 ? 1 : IsLast);

    logic [Count*NodeWidth-1:0] sums;
    logic [Count*NodeWidth-1:0] nodes;

    if (level == 0) begin : gen_leaves
      // Zeros fill up to a power of two.
      assign sums = (Count * NodeWidth)'(words_i);
    end else begin : gen_adders
      for (genvar j = 0; j < Count; j++) begin : gen_adder
        logic signed [NodeWidth-2:0] left;
        logic signed [NodeWidth-2:0] right;
        localparam int unsigned Left = 2 * unsigned'(j) * (NodeWidth - 1);
        assign left = gen_level[level-1].nodes[Left+:NodeWidth-1];
        assign right = gen_level[level-1].nodes[Left+NodeWidth-1+:NodeWidth-1];
        assign sums[j*NodeWidth+:NodeWidth] = NodeWidth'(left) + NodeWidth'(right);
      end
    end

    delay_line #(
      .Width (Count * NodeWidth),
      .Stages(IsStage)
    ) u_stage (
      .clk_i,
      .rst_ni,
      .enable_i,
      .data_i(sums),
      .data_o(nodes)
    );
  end

  assign sum_o = gen_level[Levels].nodes;

endmodule
